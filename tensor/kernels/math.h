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

/* exp(x), relative error below 2e-7; x is clamped to [-87, 88], so that the result is normal.
 * x = n ln 2 + r with ln 2 in two parts, |r| <= ln 2 / 2; Taylor polynomial of degree 6 in r. */
static inline float exp_fast(float x)
{
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float n = round_even(x * 1.44269504088896f);
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * float_of_bits((uint32_t)((int32_t)n + 127) << 23);
}

/* c[0] s^(n-1) + ... + c[n-1] */
#define POLYNOMIAL(c, s, sum)                                   \
    do {                                                        \
        (sum) = (c)[0];                                         \
        _Pragma("GCC unroll 32")                                \
        for (size_t i_ = 1; i_ < sizeof(c) / sizeof *(c); i_++) \
            (sum) = (sum) * (s) + (c)[i_];                      \
    } while (0)

/* Phi(x), the normal distribution: 1/2 + x P(s), s = 2 (x / 5.5)^2 - 1, where P minimises the greatest error of
 * x Phi(x), 9e-8 before rounding. Beyond 5.5 Phi differs from 0 or 1 by less than 2e-8. */
static inline float normal_cdf(float x)
{
    const float c[] = {0.000428797299f, -0.00127529621f, 0.0013416945f, -0.00149292755f, 0.00388045213f,
                       -0.00739234034f, 0.010661304f,    -0.0148146227f, 0.0202361718f,  -0.0260776915f,
                       0.0320880823f,   -0.0387908146f,  0.0477367155f, -0.0641723722f,  0.128551945f};
    float near = x < -5.5f ? -5.5f : x, p;
    near = near > 5.5f ? 5.5f : near;
    POLYNOMIAL(c, near * near * (2.0f / 30.25f) - 1.0f, p);
    p = p * near + 0.5f;
    p = x < -5.5f ? 0.0f : p;
    return x > 5.5f ? 1.0f : p;
}

/* The derivative of x Phi(x), in the same way with s = 2 (x / 5.7)^2 - 1; error 2e-8 before rounding, and 3e-7 behind
 * 5.7. */
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

static inline float tanh_fast(float x)
{
    float e = exp_fast(-2.0f * fabsf(x));
    float t = (1.0f - e) / (1.0f + e);
    return x < 0 ? -t : t;
}
