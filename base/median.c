#include "base/median.h"

#include <stdlib.h>

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double llmc_median(double *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, by_value);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

double llmc_spread(double *values, size_t count)
{
    double median = llmc_median(values, count);
    size_t first = count >= 5 ? 1 : 0;
    return count < 2 || median == 0 ? 0 : (values[count - 1 - first] - values[first]) / median;
}
