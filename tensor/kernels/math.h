/*
 * Scalar functions in a form that a compiler vectorises: no branches, no tables.
 * Included by variant.c only.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* x to the nearest integer, ties to even, for |x| < 2^22. Adding 1.5 * 2^23 pushes the
 * fraction out of the mantissa: SSE2 has no rounding instruction. */
static inline float round_even(float x)
{
    return (x + 12582912.0f) - 12582912.0f;
}

/* One float and one integer under the names that base/kernels/vector_functions.h takes: the compiler makes vectors of the
 * loops around them, and one instruction of a product and a sum where the version has it. */
typedef float vf;
typedef int32_t vi;

static inline vf vf_set(float x)
{
    return x;
}

static inline vf vf_min(vf a, vf b)
{
    return a < b ? a : b;
}

static inline vf vf_max(vf a, vf b)
{
    return a > b ? a : b;
}

static inline vf vf_clamp(vf x, float bound)
{
    return vf_min(vf_max(x, -bound), bound);
}

static inline vf vf_from_vi(vi x)
{
    return (float)x;
}

static inline vi vi_round(vf x)
{
    float shifted = x + 12582912.0f; /* as in round_even: the lowest bits are the integer */
    vi bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - 0x4b400000;
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return a * b + c;
}

static inline vf vf_times_power(vf x, vi n)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return float_of_bits(bits + ((uint32_t)n << 23));
}

#include "base/kernels/vector_functions.h"

/* c[0] s^(n-1) + ... + c[n-1] */
#define POLYNOMIAL(c, s, sum)                                   \
    do {                                                        \
        (sum) = (c)[0];                                         \
        _Pragma("GCC unroll 32")                                \
        for (size_t i_ = 1; i_ < sizeof(c) / sizeof *(c); i_++) \
            (sum) = (sum) * (s) + (c)[i_];                      \
    } while (0)

/* The derivative of x Phi(x), in the same way as vf_gelu with s = 2 (x / 5.7)^2 - 1; error 2e-8 before rounding, and
 * 3e-7 beyond 5.7. */
static inline float gelu_slope(float x)
{
    const float c[] = {-0.00203770213f, 0.0052544903f,  -0.00268381322f, 0.00156204868f, -0.0147157703f, 0.0287230406f,
                       -0.0332484096f,  0.0423612148f,  -0.0582971014f,  0.068918258f,   -0.0713654086f, 0.0683646724f,
                       -0.0613558665f,  0.0533151068f,  -0.048452545f,   0.0501377322f,  -0.0629259348f, 0.124165319f};
    float near = x < -5.7f ? -5.7f : x, p;
    near = near > 5.7f ? 5.7f : near;
    POLYNOMIAL(c, near * near * (2.0f / 32.49f) - 1.0f, p);
    p = p * near + 0.5f;
    p = x < -5.7f ? 0.0f : p;
    return x > 5.7f ? 1.0f : p;
}

/* The derivative of vf_gelu_tanh, x e / (1 + e) with e = exp(u) and the cubic u of x ("gelu_new": Hendrycks and Gimpel,
 * 2016): with s = 1 / (1 + e) it is e s (1 + x u' s), in which nothing is the difference of numbers that are nearly
 * equal. */
static inline float gelu_tanh_slope(float x)
{
    const float linear = 1.5957691216f, cubic = 0.0713548163f; /* sqrt(8 / pi), and 0.044715 times that */
    float e = vf_exp(x * (cubic * x * x + linear));
    float s = 1.0f / (e + 1.0f);
    return e * s * (1.0f + x * (3.0f * cubic * x * x + linear) * s);
}
