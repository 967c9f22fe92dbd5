/*
 * Four-lane vectors by the compiler's vector extension, for any processor. The
 * same names with the same bits as vector_avx2.h and vector_avx512.h.
 */
#ifndef LLMC_RUNTIME_VECTOR_H
#define LLMC_RUNTIME_VECTOR_H

#include "base/number.h"

#include <stdint.h>
#include <string.h>

enum { VL = 4 };
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));

static inline vf vf_load(const float *at)
{
    vf x;
    memcpy(&x, at, sizeof x);
    return x;
}

static inline void vf_store(float *at, vf x)
{
    memcpy(at, &x, sizeof x);
}

static inline vf vf_set(float x)
{
    return (vf){x, x, x, x};
}

static inline vi vi_set(int32_t x)
{
    return (vi){x, x, x, x};
}

static inline vi vi_load(const int32_t *at)
{
    vi x;
    memcpy(&x, at, sizeof x);
    return x;
}

/* mask ? a : b; the second operand where one is not a number, as MINPS and MAXPS do */
static inline vf vf_select(vi mask, vf a, vf b)
{
    return (vf)((mask & (vi)a) | (~mask & (vi)b));
}

static inline vf vf_min(vf a, vf b)
{
    return vf_select((vi)(a < b), a, b);
}

static inline vf vf_max(vf a, vf b)
{
    return vf_select((vi)(a > b), a, b);
}

static inline vf vf_from_vi(vi x)
{
    return __builtin_convertvector(x, vf);
}

/* To the nearest integer, ties to even; |x| below 2^22. */
static inline vi vi_round(vf x)
{
    vf magic = vf_set(12582912.0f);
    return (vi)(x + magic) - (vi)magic;
}

static inline vf vf_from_f16(const uint16_t *at)
{
    return (vf){llmc_f32_from_f16(at[0]), llmc_f32_from_f16(at[1]), llmc_f32_from_f16(at[2]),
                llmc_f32_from_f16(at[3])};
}

static inline vf vf_from_i8(const int8_t *at)
{
    return (vf){at[0], at[1], at[2], at[3]};
}

/* Numbers 0..255 */
static inline void vi_store_u8(uint8_t *at, vi x)
{
    for (int lane = 0; lane < VL; lane++)
        at[lane] = (uint8_t)x[lane];
}

#endif
