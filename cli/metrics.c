#include "cli/metrics.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

double llmc_metrics_accuracy(const int64_t *confusion, int32_t labels)
{
    int64_t right = 0, all = 0;
    for (int32_t row = 0; row < labels; row++) {
        right += confusion[(int64_t)row * labels + row];
        for (int32_t col = 0; col < labels; col++)
            all += confusion[(int64_t)row * labels + col];
    }
    return all ? (double)right / (double)all : 0;
}

static double f1_of(const int64_t *confusion, int32_t labels, int32_t label)
{
    int64_t right = confusion[(int64_t)label * labels + label], there = 0, said = 0;
    for (int32_t other = 0; other < labels; other++) {
        there += confusion[(int64_t)label * labels + other];
        said += confusion[(int64_t)other * labels + label];
    }
    return there + said ? 2.0 * (double)right / (double)(there + said) : 0;
}

double llmc_metrics_f1(const int64_t *confusion, int32_t labels)
{
    double sum = 0;
    if (labels == 2)
        return f1_of(confusion, labels, 1);
    for (int32_t label = 0; label < labels; label++)
        sum += f1_of(confusion, labels, label);
    return sum / labels;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double llmc_metrics_median(double *values, int64_t count)
{
    if (count == 0)
        return 0;
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

int64_t llmc_metrics_peak_memory(void)
{
    char line[256];
    long long kibibytes = -1;
    FILE *file = fopen("/proc/self/status", "r");
    if (!file)
        return -1;
    while (fgets(line, sizeof line, file) && sscanf(line, "VmHWM: %lld kB", &kibibytes) != 1)
        ;
    fclose(file);
    return kibibytes < 0 ? -1 : kibibytes * 1024;
}
