#include "prune/magnitude.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double llmc_prune_schedule(double initial, double final, double ramp, int64_t step, int64_t steps)
{
    double end = ramp * (double)steps;
    double t = end > 0 ? fmin((double)step / end, 1.0) : 1.0;
    return final + (initial - final) * pow(1.0 - t, 3.0);
}

static int64_t linear_count(const struct llmc_parameters *p)
{
    int64_t count = 0;
    for (int32_t i = 0; i < p->count; i++)
        if (p->table[i].kind == LLMC_PARAMETER_LINEAR)
            count += p->table[i].rows * p->table[i].cols;
    return count;
}

static int64_t masked_count(const struct llmc_parameters *p)
{
    int64_t count = 0;
    for (int32_t i = 0; p->mask && i < p->count; i++) {
        const struct llmc_parameter *parameter = &p->table[i];
        if (parameter->kind != LLMC_PARAMETER_LINEAR)
            continue;
        const uint8_t *mask = p->mask + (parameter->offset - p->dense_begin);
        for (int64_t j = 0; j < parameter->rows * parameter->cols; j++)
            count += !mask[j];
    }
    return count;
}

double llmc_sparsity(const struct llmc_parameters *p)
{
    return (double)masked_count(p) / (double)linear_count(p);
}

/* Magnitudes of floats order as their bits do; masked weights come first. */
static uint32_t magnitude_bits(float weight, uint8_t kept)
{
    uint32_t bits;
    memcpy(&bits, &weight, sizeof bits);
    return kept ? (bits & 0x7fffffff) + 1 : 0;
}

/* Counts weights by one half of their magnitude bits: the upper half, or the lower half of those whose upper
 * half is `upper`. */
static void count_halves(const struct llmc_parameters *p, int64_t upper, int64_t counts[65536])
{
    memset(counts, 0, 65536 * sizeof *counts);
    for (int32_t i = 0; i < p->count; i++) {
        const struct llmc_parameter *parameter = &p->table[i];
        if (parameter->kind != LLMC_PARAMETER_LINEAR)
            continue;
        const uint8_t *mask = p->mask + (parameter->offset - p->dense_begin);
        for (int64_t j = 0; j < parameter->rows * parameter->cols; j++) {
            uint32_t bits = magnitude_bits(p->values[parameter->offset + j], mask[j]);
            if (upper < 0)
                counts[bits >> 16]++;
            else if (bits >> 16 == (uint32_t)upper)
                counts[bits & 0xffff]++;
        }
    }
}

/* The bin in which the `rank`-th smallest lies; *rank becomes its rank inside the bin. */
static uint32_t find_bin(const int64_t counts[65536], int64_t *rank)
{
    uint32_t bin = 0;
    while (*rank >= counts[bin])
        *rank -= counts[bin++];
    return bin;
}

llmc_status llmc_prune_to(struct llmc_parameters *p, double sparsity)
{
    llmc_status status = LLMC_OK;
    int64_t *counts = NULL;
    int64_t target = (int64_t)(sparsity * (double)linear_count(p) + 0.5);
    LLMC_TRY(llmc_parameters_make_mask(p));
    if (target <= masked_count(p))
        goto exit;
    LLMC_TRY(llmc_alloc(&counts, 65536, sizeof *counts));
    int64_t rank = target - 1; /* of the largest magnitude that goes */
    count_halves(p, -1, counts);
    uint32_t upper = find_bin(counts, &rank);
    count_halves(p, upper, counts);
    uint32_t threshold = upper << 16 | find_bin(counts, &rank);
    int64_t equals = rank + 1; /* of those at the threshold, so many go */
    for (int32_t i = 0; i < p->count; i++) {
        const struct llmc_parameter *parameter = &p->table[i];
        if (parameter->kind != LLMC_PARAMETER_LINEAR)
            continue;
        uint8_t *mask = p->mask + (parameter->offset - p->dense_begin);
        for (int64_t j = 0; j < parameter->rows * parameter->cols; j++) {
            uint32_t bits = magnitude_bits(p->values[parameter->offset + j], mask[j]);
            if (bits < threshold || (bits == threshold && equals-- > 0))
                mask[j] = 0;
        }
        llmc_parameter_apply_mask(p, i);
    }
exit:
    free(counts);
    return status;
}
