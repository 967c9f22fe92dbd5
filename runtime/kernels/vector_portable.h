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

/* x, at most `bound` away from zero */
static inline vf vf_clamp(vf x, float bound)
{
    return vf_min(vf_max(x, vf_set(-bound)), vf_set(bound));
}

static inline vf vf_from_vi(vi x)
{
    return __builtin_convertvector(x, vf);
}

/* To the nearest integer, ties to even, for numbers below 2^22. Far below zero the result is
 * any number below -2^21; so it is for what is not a number. */
static inline vi vi_round(vf x)
{
    vf magic = vf_set(12582912.0f);
    return (vi)(vf_max(x, vf_set(-4194304.0f)) + magic) - (vi)magic;
}

/* x * 2^n where both are normal numbers */
static inline vf vf_times_power(vf x, vi n)
{
    return (vf)((vi)x + (n << 23));
}

#ifdef __FP_FAST_FMAF
static inline vf vf_fma(vf a, vf b, vf c)
{
    for (int lane = 0; lane < VL; lane++)
        a[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
    return a;
}
#else
typedef double vd __attribute__((vector_size(32)));
typedef int64_t vl __attribute__((vector_size(32)));

/* a * b + c, rounded once, without the instruction. In double precision the product is exact. The sum is rounded to
 * odd: where it is not exact, to that of its two neighbours whose last bit is set; then rounding it again, to FP32,
 * gives what rounding the exact sum gives (Boldo and Melquiond, 2008, "Emulation of FMA and correctly rounded sums").
 * Not inlined: it is long. */
static __attribute__((noinline)) vf vf_fma(vf a, vf b, vf c)
{
    vd product = __builtin_convertvector(a, vd) * __builtin_convertvector(b, vd);
    vd addend = __builtin_convertvector(c, vd);
    vd sum = product + addend;
    vd part = sum - product;
    vd error = (product - (sum - part)) + (addend - part);
    vl inexact = (error > 0) | (error < 0), even = ((vl)sum & 1) - 1, away = (error > 0) == (sum > 0);
    vl step = (away & 1) - (~away & 1);
    sum = (vd)((vl)sum + (inexact & even & step));
    return __builtin_convertvector(sum, vf);
}
#endif

static inline vf vf_from_f16(const uint16_t *at)
{
    return (vf){llmc_f32_from_f16(at[0]), llmc_f32_from_f16(at[1]), llmc_f32_from_f16(at[2]),
                llmc_f32_from_f16(at[3])};
}

static inline vf vf_from_i8(const int8_t *at)
{
    return (vf){at[0], at[1], at[2], at[3]};
}

/* x + zero, clamped to 0..255 */
static inline void vi_store_u8(uint8_t *at, vi x, vi zero)
{
    for (int lane = 0; lane < VL; lane++) {
        int32_t sum = x[lane] + zero[lane];
        at[lane] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
}

/* The same of four rows, `stride` bytes apart. */
static inline void vi_store_u8x4(uint8_t *at, size_t stride, const vi x[4], vi zero)
{
    for (int row = 0; row < 4; row++)
        vi_store_u8(at + (size_t)row * stride, x[row], zero);
}

/* The sum of 16 lanes: halves are added until one number is left. */
static inline float vf_total(const vf x[16 / VL])
{
    vf four = (x[0] + x[2]) + (x[1] + x[3]);
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* out[col][row] = in[row][col] of 16 columns; rows from `rows` to 15 count as zeros. */
static inline void vf_transpose(float *out, size_t out_stride, const float *in, size_t in_stride, int rows)
{
    for (int col = 0; col < 16; col++)
        for (int row = 0; row < 16; row++)
            out[(size_t)col * out_stride + (size_t)row] =
                row < rows ? in[(size_t)row * in_stride + (size_t)col] : 0.0f;
}

#endif
