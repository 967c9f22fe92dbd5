/* What the files hdf5_*.c share; nobody else includes it. */
#ifndef LLMC_FORMATS_HDF5_INTERNAL_H
#define LLMC_FORMATS_HDF5_INTERNAL_H

#include "formats/hdf5_file.h"

#include <hdf5.h>

struct llmc_h5 {
    hid_t id;
    char *path;
    uint64_t nbytes; /* size when opened for reading; bounds every size that the file claims */
    bool writing;
    int disk_error; /* errno of the first read or write that failed; 0 when none has */
};

/* Makes files opened with this access list go through the driver of
 * hdf5_driver.c, which notes the first errno in *disk_error. */
bool llmc_h5_use_driver(hid_t access, int *disk_error);

/* Records "PATH: OBJECT: WHAT (REASON)", where the reason is the disk's error or
 * the innermost of libhdf5's error stack. To be called directly after the
 * failing call: the next one clears the stack. */
llmc_status llmc_h5_error(const struct llmc_h5 *file, llmc_status code, const char *object, const char *what);

/* LLMC_ERR_IO when the disk has failed since the file was opened. */
llmc_status llmc_h5_check_disk(const struct llmc_h5 *file, const char *object);

/* Closes a handle of any kind; H5I_INVALID_HID ok. */
void llmc_h5_drop(hid_t id);

/* Whether each part of `name` ("" is the root) is there and linked by a hard
 * link, so that opening it stays inside the file. */
bool llmc_h5_inside(const struct llmc_h5 *file, const char *name);

/* Makes the group `name` and its parents, without time stamps. Existing ones are fine. */
llmc_status llmc_h5_make_groups(struct llmc_h5 *file, const char *name);

/* Opens the array `name`, which must be inside the file, hold its data there
 * and use no filters but shuffle and deflate. The caller closes it with H5Dclose. */
llmc_status llmc_h5_open_array(struct llmc_h5 *file, const char *name, hid_t *array);

#endif
