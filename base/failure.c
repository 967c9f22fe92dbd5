#include "base/failure.h"

#include <pthread.h>
#include <stdio.h>

/* One lock for all: failures are rare. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void llmc_failure_note(struct llmc_failure *failure, int64_t item, llmc_status status)
{
    if (status == LLMC_OK)
        return;
    pthread_mutex_lock(&lock);
    if (failure->status == LLMC_OK || item < failure->item) {
        failure->status = status;
        failure->item = item;
        snprintf(failure->message, sizeof failure->message, "%s", llmc_error_message());
    }
    pthread_mutex_unlock(&lock);
}

llmc_status llmc_failure_report(const struct llmc_failure *failure)
{
    return failure->status == LLMC_OK ? LLMC_OK : llmc_error(failure->status, "%s", failure->message);
}
