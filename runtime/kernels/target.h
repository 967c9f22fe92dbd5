/*
 * Where the results of a linear layer go: through the activation, as FP32 or
 * quantised. To be included behind one of the vector_*.h.
 */
#ifndef LLMC_RUNTIME_TARGET_H
#define LLMC_RUNTIME_TARGET_H

#include "runtime/kernels/functions.h"
#include "runtime/kernels/kernels.h"

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16, PARTS = LANES / VL };

_Static_assert((int)LLMC_PANEL == (int)LANES, "a panel is one group of lanes");

INLINE int smaller(int64_t a, int64_t b)
{
    return (int)(a < b ? a : b);
}

INLINE vf apply(enum llmc_step step, vf x)
{
    switch (step) {
    case LLMC_STEP_GELU:
        return vf_gelu(x);
    case LLMC_STEP_GELU_TANH:
        return vf_gelu_tanh(x);
    case LLMC_STEP_RELU:
        return vf_max(x, vf_set(0.0f));
    case LLMC_STEP_TANH:
        return vf_tanh(x);
    case LLMC_STEP_NONE:
        break;
    }
    return x;
}

/* Clamped before rounding, which gives the same integers: the bounds are integers. */
INLINE vi quantised(vf x, const struct llmc_quantiser *quantiser)
{
    vf low = vf_set((float)-quantiser->zero_point);
    vf high = vf_set((float)(255 - quantiser->zero_point));
    vf scaled = vf_min(vf_max(x * vf_set(quantiser->inverse_scale), low), high);
    return vi_round(scaled) + vi_set(quantiser->zero_point);
}

/* One panel of one row; the last panel may be narrower than its lanes. */
INLINE void put_panel(const struct llmc_target *target, enum llmc_step step, int64_t row, int32_t column,
                      int32_t width, const vf y[PARTS])
{
    float narrow_f32[LANES];
    uint8_t narrow_u8[LANES];
    size_t at = (size_t)row * target->stride + (size_t)column;
    if (target->f32) {
        float *out = width == LANES ? target->f32 + at : narrow_f32;
        for (int part = 0; part < PARTS; part++)
            vf_store(out + part * VL, apply(step, y[part]));
        if (width < LANES)
            memcpy(target->f32 + at, narrow_f32, (size_t)width * sizeof(float));
    } else {
        uint8_t *out = width == LANES ? target->u8 + at : narrow_u8;
        for (int part = 0; part < PARTS; part++)
            vi_store_u8(out + part * VL, quantised(apply(step, y[part]), &target->quantiser));
        if (width < LANES)
            memcpy(target->u8 + at, narrow_u8, (size_t)width);
    }
}

/* Calls put(STEP) with the step as a constant, so that loops do not test it. */
#define WITH_STEP(step, put)                                                                                  \
    switch (step) {                                                                                           \
    case LLMC_STEP_NONE:                                                                                      \
        put(LLMC_STEP_NONE);                                                                                  \
        break;                                                                                                \
    case LLMC_STEP_GELU:                                                                                      \
        put(LLMC_STEP_GELU);                                                                                  \
        break;                                                                                                \
    case LLMC_STEP_GELU_TANH:                                                                                 \
        put(LLMC_STEP_GELU_TANH);                                                                             \
        break;                                                                                                \
    case LLMC_STEP_RELU:                                                                                      \
        put(LLMC_STEP_RELU);                                                                                  \
        break;                                                                                                \
    case LLMC_STEP_TANH:                                                                                      \
        put(LLMC_STEP_TANH);                                                                                  \
        break;                                                                                                \
    }

/* Sums [rows][sums_stride] of integer products, for `panels` panels from `first`, become rows of the target. */
INLINE void put_sums_step(const struct llmc_weights_i8 *weights, const struct llmc_target *target, int32_t first,
                          int panels, int64_t row, int rows, const int32_t *sums, size_t sums_stride,
                          enum llmc_step step)
{
    for (int p = 0; p < panels; p++) {
        int32_t column = (first + p) * LLMC_PANEL;
        int width = smaller(weights->n - column, LANES);
        for (int r = 0; r < rows; r++) {
            const int32_t *sum = sums + (size_t)r * sums_stride + p * LLMC_PANEL;
            vf y[PARTS];
            for (int part = 0; part < PARTS; part++) {
                int32_t at = column + part * VL;
                vf whole = vf_from_vi(vi_load(sum + part * VL) - vi_load(weights->correction + at));
                y[part] = whole * vf_load(weights->scale + at) + vf_load(weights->bias + at);
            }
            put_panel(target, step, row + r, column, width, y);
        }
    }
}

/* Once for every level: the switch outside of the loops. */
static __attribute__((noinline)) void put_sums(const struct llmc_weights_i8 *weights, const struct llmc_target *target, int32_t first,
                     int panels, int64_t row, int rows, const int32_t *sums, size_t sums_stride)
{
#define PUT(STEP) put_sums_step(weights, target, first, panels, row, rows, sums, sums_stride, STEP)
    WITH_STEP(target->step, PUT)
#undef PUT
}

#endif
