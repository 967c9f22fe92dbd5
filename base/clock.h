/* Wall time that only moves forward, in seconds from an arbitrary start. */
#ifndef LLMC_BASE_CLOCK_H
#define LLMC_BASE_CLOCK_H

#include <time.h>

static inline double llmc_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
