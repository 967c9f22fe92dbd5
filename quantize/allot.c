#include "quantize/allot.h"

#include "base/memory.h"
#include "base/number.h"
#include "quantize/pack.h"
#include "quantize/steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BITS_MIN = 2, BITS_MAX = 8 };

/* Deflated vocabularies and labels have half of their bytes; floating point, 9 of 10; HDF5's structure and the origin,
 * this. */
#define TEXTS_SHARE 0.5
#define FLOAT_SHARE 0.93
#define STRUCTURE_BYTES 8000.0
/* Deflate codes in whole bits, and a table for each chunk. */
#define DEFLATE_FACTOR 1.03

struct cost {
    double bytes, damage;
};

/* Room for one parameter's integers of one number of bits. */
struct rounding {
    int8_t *integers;
    bool *repeats; /* [rows] */
    float *scales;
    double *damages; /* of rows: summed in their order, whatever threads there are */
};

double llmc_quantize_other_bytes(const struct llmc_parameters *p, size_t texts_nbytes)
{
    double floats = 0;
    for (int32_t i = 0; i < p->count; i++)
        if (!llmc_parameter_takes_bits(p->table[i].kind))
            floats += (double)(p->table[i].rows * p->table[i].cols);
    return TEXTS_SHARE * (double)texts_nbytes + FLOAT_SHARE * sizeof(float) * floats + STRUCTURE_BYTES;
}

/* Rows that are as one shortly before them: deflate makes nothing of them. Word pieces that share a row
 * (vocabulary/stage.c) stand in runs, with others between. */
static void find_repeats(const float *values, int64_t rows, int64_t cols, bool *repeats)
{
    size_t row_nbytes = (size_t)cols * sizeof *values;
    const float *shared = values;
    for (int64_t row = 0; row < rows; row++) {
        const float *now = values + row * cols;
        repeats[row] = row > 0 && (memcmp(now, now - cols, row_nbytes) == 0 || memcmp(now, shared, row_nbytes) == 0);
        if (repeats[row])
            shared = now;
    }
}

static double entropy_bytes(const int8_t *integers, int64_t rows, int64_t cols, const bool *repeats)
{
    int64_t counts[256] = {0}, count = 0;
    double bits = 0;
    for (int64_t row = 0; row < rows; row++) {
        if (repeats[row])
            continue;
        for (int64_t i = row * cols; i < (row + 1) * cols; i++)
            counts[(uint8_t)integers[i]]++;
        count += cols;
    }
    for (int i = 0; i < 256; i++)
        bits -= counts[i] ? (double)counts[i] * log2((double)counts[i] / (double)count) : 0;
    return bits / 8;
}

static struct cost cost_of(const struct llmc_parameters *p, int32_t index, int bits, const struct llmc_allotment *a,
                           struct rounding *r)
{
    const struct llmc_parameter *parameter = &p->table[index];
    const float *values = llmc_parameter_values(p, index), *squares = a->squares + parameter->offset;
    int64_t rows = parameter->rows, cols = parameter->cols;
    struct cost cost = {0, 0};
    bool learned = a->learned && bits <= LLMC_STEPS_BITS_MAX;
    if (learned)
        llmc_quantize_best_steps(values, rows, cols, bits, r->scales);
    llmc_pack_rows(values, rows, cols, bits, learned ? r->scales : NULL, r->integers, r->scales);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        double damage = 0;
        for (int64_t i = row * cols; i < (row + 1) * cols; i++) {
            double error = (double)values[i] - (double)r->scales[row] * r->integers[i];
            damage += (double)squares[i] * error * error;
        }
        r->damages[row] = damage;
    }
    for (int64_t row = 0; row < rows; row++)
        cost.damage += r->damages[row];
    cost.bytes = DEFLATE_FACTOR * entropy_bytes(r->integers, rows, cols, r->repeats) +
                 FLOAT_SHARE * sizeof(float) * (double)rows;
    return cost;
}

static int32_t most_bits(const struct llmc_parameter *parameter, const struct llmc_allotment *a)
{
    return parameter->kind == LLMC_PARAMETER_LINEAR ? a->weight_bits : a->embedding_bits;
}

/* costs [count][BITS_MAX + 1] of the parameters that take bits. */
static llmc_status find_costs(const struct llmc_parameters *p, const struct llmc_allotment *a,
                              struct cost (*costs)[BITS_MAX + 1])
{
    llmc_status status = LLMC_OK;
    struct rounding rounding = {0};
    int64_t numbers = 0, rows = 0;
    for (int32_t i = 0; i < p->count; i++) {
        int64_t count = p->table[i].rows * p->table[i].cols;
        numbers = count > numbers ? count : numbers;
        rows = p->table[i].rows > rows ? p->table[i].rows : rows;
    }
    LLMC_TRY(llmc_alloc(&rounding.integers, (size_t)numbers, 1));
    LLMC_TRY(llmc_alloc(&rounding.repeats, (size_t)rows, sizeof *rounding.repeats));
    LLMC_TRY(llmc_alloc(&rounding.scales, (size_t)rows, sizeof *rounding.scales));
    LLMC_TRY(llmc_alloc(&rounding.damages, (size_t)rows, sizeof *rounding.damages));
    for (int32_t i = 0; i < p->count; i++) {
        if (!llmc_parameter_takes_bits(p->table[i].kind))
            continue;
        find_repeats(llmc_parameter_values(p, i), p->table[i].rows, p->table[i].cols, rounding.repeats);
        for (int bits = BITS_MIN; bits <= most_bits(&p->table[i], a); bits++)
            costs[i][bits] = cost_of(p, i, bits, a, &rounding);
    }
exit:
    free(rounding.integers);
    free(rounding.repeats);
    free(rounding.scales);
    free(rounding.damages);
    return status;
}

/* Makes the change that saves most damage for a byte and fits; false: there is none. */
static bool improve(struct llmc_parameters *p, const struct llmc_allotment *a, struct cost (*costs)[BITS_MAX + 1],
                    double *bytes)
{
    int32_t best = -1, best_bits = 0;
    double best_gain = 0;
    for (int32_t i = 0; i < p->count; i++) {
        const struct cost *now = &costs[i][p->table[i].bits];
        if (!llmc_parameter_takes_bits(p->table[i].kind))
            continue;
        for (int32_t bits = p->table[i].bits + 1; bits <= most_bits(&p->table[i], a); bits++) {
            double more = costs[i][bits].bytes - now->bytes, gain = (now->damage - costs[i][bits].damage) / fmax(more, 1);
            if (*bytes + more <= a->bytes && gain > best_gain) {
                best = i;
                best_bits = bits;
                best_gain = gain;
            }
        }
    }
    if (best < 0)
        return false;
    *bytes += costs[best][best_bits].bytes - costs[best][p->table[best].bits].bytes;
    p->table[best].bits = best_bits;
    return true;
}

llmc_status llmc_quantize_allot(struct llmc_parameters *p, const struct llmc_allotment *a, double *bytes)
{
    llmc_status status = LLMC_OK;
    struct cost (*costs)[BITS_MAX + 1] = NULL;
    LLMC_TRY(llmc_alloc(&costs, (size_t)p->count, sizeof *costs));
    LLMC_TRY(find_costs(p, a, costs));
    llmc_parameters_set_bits(p, BITS_MIN, BITS_MIN);
    *bytes = a->other_bytes;
    for (int32_t i = 0; i < p->count; i++)
        *bytes += p->table[i].bits ? costs[i][BITS_MIN].bytes : 0;
    if (*bytes > a->bytes)
        LLMC_FAIL(LLMC_ERR_CONFIG, "bytes is %.0f; with 2 bits everywhere the file has about %.0f; allowed are at least so "
                  "many", a->bytes, ceil(*bytes));
    while (improve(p, a, costs, bytes))
        continue;
exit:
    free(costs);
    return status;
}
