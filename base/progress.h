/*
 * How long work tells its caller how far it is. Libraries only call; commands
 * decide what to draw (cli/progress.h).
 */
#ifndef LLMC_BASE_PROGRESS_H
#define LLMC_BASE_PROGRESS_H

#include <stdint.h>

/* `done` of `total` units of `what`; `extra` is more to show ("loss 0.31"), or NULL. Called often, from one thread. */
typedef void (*llmc_progress_fn)(void *context, const char *what, int64_t done, int64_t total, const char *extra);

#endif
