/*
 * The progress of long work on a terminal: one line with rate and time left,
 * redrawn at most 10 times a second. Elsewhere (a file, a pipe) plain lines, at
 * most one in 10 seconds. Work that takes under 2 seconds shows nothing.
 *
 *     struct llmc_progress progress;
 *     llmc_progress_init(&progress, stderr);
 *     ... a library function that takes (llmc_progress_update, &progress) ...
 *     llmc_progress_finish(&progress);
 */
#ifndef LLMC_CLI_PROGRESS_LINE_H
#define LLMC_CLI_PROGRESS_LINE_H

#include "base/progress.h"

#include <stdbool.h>
#include <stdio.h>

#define LLMC_PROGRESS_LINE_NBYTES 256

struct llmc_progress {
    FILE *stream;
    double (*clock)(void); /* seconds; a test sets its own */
    bool terminal;
    int width;             /* columns of the terminal */

    char what[64];         /* the work that goes on; "" when none does */
    double start;          /* when it began, and how much was done then: a restart begins late */
    int64_t done_at_start;
    double shown;          /* when it was last shown; below `start`: never */
    char line[LLMC_PROGRESS_LINE_NBYTES]; /* its state at the last update */
    bool current;          /* that is what was shown last */
};

void llmc_progress_init(struct llmc_progress *progress, FILE *stream);

/* An llmc_progress_fn; `context` is a struct llmc_progress. Another `what`
 * finishes the work before it. */
void llmc_progress_update(void *context, const char *what, int64_t done, int64_t total, const char *extra);

/* Shows the last state of work that was shown before, and ends its line. To be
 * called before anything else is printed, and at the end. Twice is fine. */
void llmc_progress_finish(struct llmc_progress *progress);

#endif
