#include "cli/metrics.h"

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
