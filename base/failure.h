/*
 * The failure of work that several threads share. Messages are kept per thread (base/status.h), so a thread that fails
 * hands its status and message over here, and the thread that answers for the work reports them as its own.
 *
 *     struct llmc_failure failure = {0};
 *     #pragma omp parallel for
 *     for (int64_t i = 0; i < count; i++)
 *         llmc_failure_note(&failure, i, do_item(i));
 *     return llmc_failure_report(&failure);
 *
 * Nothing is done twice: an item that failed stays failed, also where a second try would have succeeded.
 */
#ifndef LLMC_BASE_FAILURE_H
#define LLMC_BASE_FAILURE_H

#include "base/status.h"

#include <stdint.h>

enum { LLMC_FAILURE_MESSAGE_NBYTES = 1024 };

/* Zeros: no failure. */
struct llmc_failure {
    llmc_status status;
    int64_t item; /* the lowest that failed, so that the message does not depend on the order of the threads */
    char message[LLMC_FAILURE_MESSAGE_NBYTES];
};

/* Item `item` ended with `status`; LLMC_OK changes nothing. Keeps this thread's message. Any number of threads may
 * call it. */
void llmc_failure_note(struct llmc_failure *failure, int64_t item, llmc_status status);

/* When the threads are done: LLMC_OK, or the status of the lowest item that failed, with its message as this
 * thread's. */
llmc_status llmc_failure_report(const struct llmc_failure *failure);

#endif
