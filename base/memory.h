/*
 * Memory for numbers: zeroed, aligned to a cache line. The alignment is part of
 * reproducibility: vectorised sums group their terms by address, so equal
 * alignment gives equal bits on every run.
 */
#ifndef LLMC_BASE_MEMORY_H
#define LLMC_BASE_MEMORY_H

#include "base/status.h"

#include <stddef.h>

#define LLMC_ALIGNMENT 64

/* *out = `count` zeroed objects of `size` bytes; count 0 gives a pointer that
 * may be freed. Errors: LLMC_ERR_MEMORY (also on overflow), *out = NULL. The
 * caller frees *out with free(). */
llmc_status llmc_alloc(void *out, size_t count, size_t size);

/* The same with any content: large pieces cost no memory before they are written. */
llmc_status llmc_alloc_unset(void *out, size_t count, size_t size);

/* *out = a copy of `text` (NULL stays NULL). The caller frees it with free(). */
llmc_status llmc_strdup(char **out, const char *text);

/* *out = printf into fresh memory. The caller frees it with free(). */
llmc_status llmc_format(char **out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
