/* Eight-lane vectors: see vector_portable.h for what each name means. */
#ifndef LLMC_RUNTIME_VECTOR_H
#define LLMC_RUNTIME_VECTOR_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

enum { VL = 8 };
typedef __m256 vf;
typedef int32_t vi __attribute__((vector_size(32)));

static inline vf vf_load(const float *at)
{
    return _mm256_loadu_ps(at);
}

static inline void vf_store(float *at, vf x)
{
    _mm256_storeu_ps(at, x);
}

static inline vf vf_set(float x)
{
    return _mm256_set1_ps(x);
}

static inline vi vi_set(int32_t x)
{
    return (vi)_mm256_set1_epi32(x);
}

static inline vi vi_load(const int32_t *at)
{
    vi x;
    memcpy(&x, at, sizeof x);
    return x;
}

static inline vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

static inline vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

static inline vf vf_from_vi(vi x)
{
    return _mm256_cvtepi32_ps((__m256i)x);
}

static inline vi vi_round(vf x)
{
    return (vi)_mm256_cvtps_epi32(x);
}

static inline vf vf_from_f16(const uint16_t *at)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)at));
}

static inline vf vf_from_i8(const int8_t *at)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)at)));
}

static inline void vi_store_u8(uint8_t *at, vi x)
{
    __m128i words = _mm_packus_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
    _mm_storel_epi64((__m128i *)at, _mm_packus_epi16(words, words));
}

#endif
