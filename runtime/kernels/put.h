/*
 * Where the results of a linear layer go: through the activation, as FP32 or
 * quantised. To be included behind one of the vector_*.h.
 */
#ifndef LLMC_RUNTIME_PUT_H
#define LLMC_RUNTIME_PUT_H

#include "base/kernels/vector_functions.h"
#include "runtime/kernels/kernels.h"

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16, PARTS = LANES / VL };

_Static_assert((int)LLMC_PANEL == (int)LANES, "a panel is one group of lanes");

/* One of them is small. */
INLINE int smaller(int64_t a, int64_t b)
{
    return (int)(a < b ? a : b);
}

INLINE vf apply(enum llmc_rt_step step, vf x)
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

/* A quantiser in registers. */
struct rounding {
    vf inverse_scale, high;
    vi zero;
};

INLINE struct rounding rounding_of(const struct llmc_rt_quantiser *quantiser)
{
    return (struct rounding){vf_set(quantiser->inverse_scale), vf_set((float)(255 - quantiser->zero_point)),
                             vi_set(quantiser->zero_point)};
}

/* Before the zero point is added and the sum clamped. The upper bound is an integer, so that it may come before
 * rounding, which wants numbers of limited size. */
INLINE vi rounded(vf x, const struct rounding *rounding)
{
    return vi_round(vf_min(rounding->high, x * rounding->inverse_scale));
}

/* `width` numbers of a row: a whole panel, but for the last. */
INLINE void put_f32(float *out, int width, enum llmc_rt_step step, const vf y[PARTS])
{
    float narrow[LANES];
    float *to = width == LANES ? out : narrow;
    for (int part = 0; part < PARTS; part++)
        vf_store(to + part * VL, apply(step, y[part]));
    if (width < LANES)
        memcpy(out, narrow, (size_t)width * sizeof(float));
}

INLINE void put_u8(uint8_t *out, int width, enum llmc_rt_step step, const struct rounding *rounding, const vf y[PARTS])
{
    uint8_t narrow[LANES];
    uint8_t *to = width == LANES ? out : narrow;
    for (int part = 0; part < PARTS; part++)
        vi_store_u8(to + part * VL, rounded(apply(step, y[part]), rounding), rounding->zero);
    if (width < LANES)
        memcpy(out, narrow, (size_t)width);
}

/* Four rows at once take fewer instructions to pack. */
INLINE void put_u8x4(uint8_t *out, size_t stride, enum llmc_rt_step step, const struct rounding *rounding,
                     vf y[4][PARTS])
{
    for (int part = 0; part < PARTS; part++) {
        vi q[4];
        for (int r = 0; r < 4; r++)
            q[r] = rounded(apply(step, y[r][part]), rounding);
        vi_store_u8x4(out + part * VL, stride, q, rounding->zero);
    }
}

#endif
