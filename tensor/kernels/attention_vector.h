/*
 * Vectors as wide as the version's registers, in GCC's vector extension, and what attention does
 * with them: conversions, exponentials, random numbers, transposition. Included by attention.h only.
 *
 * Other kernels leave vectors to the compiler. Products of small matrices do not come out well that
 * way: their sums have to stay in registers, so the code says which.
 */
#include <stdbool.h>

#if defined(__AVX512F__)
#define LANES 16
#define REGISTERS 32
#elif defined(__AVX2__)
#define LANES 8
#define REGISTERS 16
#else
#define LANES 4
#define REGISTERS 16
#endif

/* For functions that exist to be specialised by constant arguments. */
#define SPECIALISED static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef uint32_t vec_u32 __attribute__((vector_size(4 * LANES)));
typedef uint16_t vec_u16 __attribute__((vector_size(2 * LANES)));

static inline vec vec_load(const float *x)
{
    vec value;
    memcpy(&value, x, sizeof value);
    return value;
}

static inline void vec_store(vec value, float *x)
{
    memcpy(x, &value, sizeof value);
}

/* The first n numbers, zeros behind them; n at least 1, LANES or more are a whole vector. And back. */
static inline vec vec_load_first(const float *x, int32_t n)
{
#if defined(__AVX512F__)
    return _mm512_maskz_loadu_ps((__mmask16)(n < LANES ? (1 << n) - 1 : 0xffff), x);
#else
    vec value = {0};
    for (int i = 0; i < LANES; i++)
        if (i < n)
            value[i] = x[i];
    return value;
#endif
}

static inline void vec_store_first(vec value, float *x, int32_t n)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(x, (__mmask16)(n < LANES ? (1 << n) - 1 : 0xffff), value);
#else
    for (int i = 0; i < LANES; i++)
        if (i < n)
            x[i] = value[i];
#endif
}

static inline vec vec_all(float x)
{
    return x - (vec){0};
}

/* a > b ? a : b in each lane; b where one is NaN, as the processor's instruction does. */
static inline vec vec_max(vec a, vec b)
{
#if defined(__AVX512F__)
    return _mm512_max_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_max_ps(a, b);
#else
    vec_u32 greater = (vec_u32)(a > b);
    return (vec)(((vec_u32)a & greater) | ((vec_u32)b & ~greater));
#endif
}

/* LANES numbers in memory to a vector. */
SPECIALISED vec vec_widen(const void *x, enum llmc_number number)
{
    if (number == LLMC_F32)
        return vec_load(x);
    vec_u16 half;
    memcpy(&half, x, sizeof half);
#if defined(__AVX512F__)
    if (number == LLMC_BF16)
        return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)half), 16);
    return _mm512_cvtph_ps((__m256i)half);
#elif defined(__AVX2__)
    if (number == LLMC_BF16)
        return (vec)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)half), 16);
    return _mm256_cvtph_ps((__m128i)half);
#else
    if (number == LLMC_BF16)
        return (vec)(__builtin_convertvector(half, vec_u32) << 16);
    vec value;
    for (int i = 0; i < LANES; i++)
        value[i] = llmc_f32_from_f16(half[i]);
    return value;
#endif
}

/* And back, to nearest even; NaN stays NaN. */
SPECIALISED void vec_narrow(vec value, enum llmc_number number, void *x)
{
    if (number == LLMC_F32) {
        vec_store(value, x);
        return;
    }
    vec_u16 half;
    if (number == LLMC_BF16) {
#if defined(__AVX512F__)
        __m512i bits = _mm512_castps_si512(value), rounded = _mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff));
        __mmask16 odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
        rounded = _mm512_mask_add_epi32(rounded, odd, bits, _mm512_set1_epi32(0x8000));
        __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
        rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
        half = (vec_u16)_mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
#else
        vec_u32 bits = (vec_u32)value, nan = (vec_u32)(value != value);
        vec_u32 rounded = bits + 0x7fff + (bits >> 16 & 1);
        half = __builtin_convertvector(((rounded & ~nan) | ((bits | 0x400000) & nan)) >> 16, vec_u16);
#endif
    } else {
#if defined(__AVX512F__)
        half = (vec_u16)_mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT);
#elif defined(__F16C__)
        half = (vec_u16)_mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT);
#else
        for (int i = 0; i < LANES; i++)
            half[i] = llmc_f16_from_f32(value[i]);
#endif
    }
    memcpy(x, &half, sizeof half);
}

/* exp(x) for x up to 88, relative error below 3e-7; x below -87 counts as -87, so that the result is
 * normal; NaN stays NaN. As vf_exp (base/kernels/vector_functions.h), with fewer instructions: the polynomial is the best of
 * its degree among those that begin with 1 + r, and n is read from the sum that rounded it. */
static inline vec vec_exp(vec x)
{
    const float shift = 12582912.0f; /* 1.5 * 2^23: the lowest bits of shift + n are n */
    x = vec_max(vec_all(-87.0f), x);
    vec shifted = x * 1.44269504088896f + shift;
    vec n = shifted - shift;
    vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    vec p = vec_all(0.008312501297f);
    p = p * r + 0.04189033171f;
    p = p * r + 0.1666711539f;
    p = p * r + 0.4999923031f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * (vec)(((vec_u32)shifted << 23) + (127u << 23));
}

/* log(x) for normal x >= 1, absolute error below 2e-7 * max(1, log x); NaN stays NaN.
 * x = 2^e m with m in [2/3, 4/3); log m = 2 artanh(z), z = (m - 1) / (m + 1), |z| <= 1/5. */
static inline vec vec_log(vec x)
{
    vec_u32 bits = (vec_u32)x - 0x3f2aaaab; /* the bits of 2/3: the exponent changes there */
    vec m = (vec)((bits & 0x7fffff) + 0x3f2aaaab);
    vec e = (vec)((bits >> 23) + 0x4b000000) - 8388608.0f; /* 0x4b000000 is 2^23 */
    vec z = (m - 1.0f) / (m + 1.0f), zz = z * z;
    vec series = 2.0f / 9.0f * zz + 2.0f / 7.0f;
    series = series * zz + 2.0f / 5.0f;
    series = series * zz + 2.0f / 3.0f;
    return e * 0.69314718056f + (z * 2.0f + z * zz * series) + (x - x);
}

/* All bits of a lane are set where llmc_random_u32(key, index) < threshold. `spread` is index *
 * SPREAD: the caller walks over indices, an addition instead of a product each. */
#define SPREAD 0x9e3779b9u
static inline vec_u32 vec_dropped(uint32_t key, vec_u32 spread, uint32_t threshold)
{
    vec_u32 x = spread ^ key;
    x = (x ^ x >> 16) * 0x21f0aaadu;
    x = (x ^ x >> 15) * 0x735a2d97u;
    x ^= x >> 15;
    return (vec_u32)(x < threshold);
}

/* t = the transpose of x, both [LANES, LANES]. Interleaving the first half of the rows with the second
 * log2(LANES) times moves row and column numbers past each other, a bit a time. */
static inline void vec_transpose(const float *x, float *t)
{
    vec_u32 low, high;
    vec rows[LANES], next[LANES];
    for (int i = 0; i < LANES; i++) {
        low[i] = (uint32_t)(i / 2 + i % 2 * LANES);
        high[i] = low[i] + LANES / 2;
        rows[i] = vec_load(x + i * LANES);
    }
#pragma GCC unroll 4
    for (int bit = 1; bit < LANES; bit *= 2) {
#pragma GCC unroll 16
        for (int i = 0; i < LANES / 2; i++) {
            next[2 * i] = __builtin_shuffle(rows[i], rows[i + LANES / 2], low);
            next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + LANES / 2], high);
        }
        memcpy(rows, next, sizeof rows);
    }
    for (int i = 0; i < LANES; i++)
        vec_store(rows[i], t + i * LANES);
}
