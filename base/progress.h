/*
 * How library code tells that long work goes on. It calls the function that it
 * was given, whenever it likes; whoever gave it decides what is shown, and when.
 */
#ifndef LLMC_BASE_PROGRESS_H
#define LLMC_BASE_PROGRESS_H

#include <stdint.h>

/* `done` of `total` steps of `what` are done (total 0: unknown); `extra` is
 * further text ("loss 0.31") or NULL. NULL functions are not called. */
typedef void (*llmc_progress_fn)(void *context, const char *what, int64_t done, int64_t total, const char *extra);

#endif
