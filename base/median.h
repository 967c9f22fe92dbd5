#ifndef LLMC_BASE_MEDIAN_H
#define LLMC_BASE_MEDIAN_H

#include <stddef.h>

/* The middle one of `count` values, or the mean of the middle two; 0 of none. Sorts them. */
double llmc_median(double *values, size_t count);

/* How far measurements of one thing lie apart, as a fraction of their median: the largest less the smallest, from five
 * values on without these two, since the median does not heed them either. 0 of fewer than two. Sorts them. */
double llmc_spread(double *values, size_t count);

/* A larger spread means that other work ran beside the measurement: tables show ratios to a tenth. */
#define LLMC_SPREAD_MAX 0.1

#endif
