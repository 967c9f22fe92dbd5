/*
 * An embedding: rows of numbers, widened when they are looked up. The word
 * embedding is most of a model's bytes, and a text needs a few of its rows: it
 * stays packed in the file, and a chunk of rows is read and unpacked when one of
 * them is first asked for.
 */
#ifndef LLMC_RUNTIME_TABLE_H
#define LLMC_RUNTIME_TABLE_H

#include "formats/checkpoint/compressed.h"

#include <pthread.h>

struct llmc_rt_table {
    enum llmc_number number;
    int32_t cols;
    void *data;    /* [rows, cols]; in a packed table, rows whose chunk is not ready are undefined */
    float *scales; /* [rows], integers only */
    struct llmc_rt_table_chunks *chunks; /* NULL: all rows are there */
};

/* Takes the memory of `tensor`, packed or not. Errors: LLMC_ERR_MEMORY; release is then due all the same. */
llmc_status llmc_rt_table_take(struct llmc_rt_table *out, struct llmc_compressed_tensor *tensor);
void llmc_rt_table_release(struct llmc_rt_table *table);

/* Makes these rows ready, if they are not. Any number of threads may call it, also while others look up
 * rows that are ready. Errors: LLMC_ERR_FORMAT (the chunk holds numbers that are not allowed), LLMC_ERR_IO, LLMC_ERR_MEMORY. */
llmc_status llmc_rt_table_fetch(const struct llmc_rt_table *table, const int32_t *rows, int32_t count);

#endif
