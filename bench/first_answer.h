/* How long a new process needs from its start to its first answer, and how much memory. */
#ifndef LLMC_BENCH_FIRST_ANSWER_H
#define LLMC_BENCH_FIRST_ANSWER_H

#include "base/status.h"

#include <stdint.h>

/* Starts the program argv[0] and takes the time until it has written a line; then waits for its end. What it says to
 * standard error is lost. *peak_nbytes: its peak resident set, in which Linux counts that of the caller at its start:
 * measure before the caller is large.
 * Errors: LLMC_ERR_IO (it does not start, ends without a line, or with another status than 0). */
llmc_status llmc_first_answer(char *const argv[], double *seconds, int64_t *peak_nbytes);

#endif
