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

/* Phi(x), the normal distribution, and *density = its derivative exp(-x^2/2) / sqrt(2 pi).
 * Abramowitz and Stegun, 7.1.26 (absolute error of erf 1.5e-7). */
static inline float normal_cdf(float x, float *density)
{
    float z = fabsf(x) * 0.70710678118655f;
    float e = exp_fast(-z * z);
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    float tail = 0.5f * p * t * e; /* (1 - erf(z)) / 2 */
    *density = 0.398942280401433f * e;
    return x < 0 ? tail : 1.0f - tail;
}

static inline float tanh_fast(float x)
{
    float e = exp_fast(-2.0f * fabsf(x));
    float t = (1.0f - e) / (1.0f + e);
    return x < 0 ? -t : t;
}
