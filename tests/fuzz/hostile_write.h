/*
 * How a script's changes get into a file while it is written: each attribute and array asks for those of its place.
 */
#ifndef LLMC_TESTS_HOSTILE_WRITE_H
#define LLMC_TESTS_HOSTILE_WRITE_H

#include "base/number.h"

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

enum { HOSTILE_CHANGES_MAX = 16 };

/* Place: which attribute or array, in the order of writing. */
struct hostile_change {
    uint8_t place, kind;
    int16_t small;
    int64_t large;
};

struct hostile_writer {
    hid_t file;
    struct hostile_change changes[HOSTILE_CHANGES_MAX];
    size_t count;
    unsigned place;
};

void hostile_put_integer(struct hostile_writer *writer, const char *group, const char *name, int64_t value);
void hostile_put_double(struct hostile_writer *writer, const char *group, const char *name, double value);
void hostile_put_text(struct hostile_writer *writer, const char *group, const char *name, const char *text);
void hostile_put_array(struct hostile_writer *writer, const char *group, const char *name, enum llmc_number number,
                       int rank, const int64_t *dimensions, const void *data);

#endif
