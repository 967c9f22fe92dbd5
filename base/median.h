#ifndef LLMC_BASE_MEDIAN_H
#define LLMC_BASE_MEDIAN_H

#include <stddef.h>

/* The middle one of `count` values, or the mean of the middle two; 0 of none. Sorts them. */
double llmc_median(double *values, size_t count);

#endif
