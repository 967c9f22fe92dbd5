#include "quantize/steps.h"

#include "base/number.h"

#include <math.h>

/* Each 5 % below the one before: the error is flat about its least. */
enum { CANDIDATES = 64 };
#define RATIO 0.95f

/* Rounding by adding 1.5 * 2^23, which a compiler makes vectors of (tensor/kernels/math.h). */
static float squared_error(const float *w, int64_t cols, float step, float limit)
{
    float sum = 0, inverse = 1.0f / step;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < cols; i++) {
        float u = w[i] * inverse;
        u = u > limit ? limit : u < -limit ? -limit : u;
        float error = w[i] - step * ((u + 12582912.0f) - 12582912.0f);
        sum += error * error;
    }
    return sum;
}

void llmc_quantize_best_steps(const float *weights, int64_t rows, int64_t cols, int bits, float *steps)
{
    float limit = (float)llmc_integer_limit(bits);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float *w = weights + row * cols;
        float largest = 0, least = INFINITY;
        for (int64_t i = 0; i < cols; i++)
            largest = fmaxf(largest, fabsf(w[i]));
        float step = largest / limit;
        steps[row] = step > 0 ? step : 1.0f;
        for (int i = 0; i < CANDIDATES && isfinite(1.0f / step); i++, step *= RATIO) {
            float error = squared_error(w, cols, step, limit);
            if (error < least) {
                least = error;
                steps[row] = step;
            }
        }
    }
}

llmc_status llmc_quantize_start_steps(struct llmc_parameters *p)
{
    llmc_status status = llmc_parameters_make_steps(p);
    if (status != LLMC_OK)
        return status;
    for (int32_t i = 0; i < p->count; i++)
        if (p->table[i].bits && p->table[i].bits <= LLMC_STEPS_BITS_MAX)
            llmc_quantize_best_steps(llmc_parameter_values(p, i), p->table[i].rows, p->table[i].cols, p->table[i].bits,
                                     llmc_parameter_steps(p, i));
    return LLMC_OK;
}
