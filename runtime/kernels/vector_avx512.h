/* Sixteen-lane vectors: see vector_portable.h for what each name means. */
#ifndef LLMC_RUNTIME_VECTOR_H
#define LLMC_RUNTIME_VECTOR_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

enum { VL = 16 };
typedef __m512 vf;
typedef int32_t vi __attribute__((vector_size(64)));

static inline vf vf_load(const float *at)
{
    return _mm512_loadu_ps(at);
}

static inline void vf_store(float *at, vf x)
{
    _mm512_storeu_ps(at, x);
}

static inline vf vf_set(float x)
{
    return _mm512_set1_ps(x);
}

static inline vi vi_set(int32_t x)
{
    return (vi)_mm512_set1_epi32(x);
}

static inline vi vi_load(const int32_t *at)
{
    vi x;
    memcpy(&x, at, sizeof x);
    return x;
}

static inline vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

static inline vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

static inline vf vf_from_vi(vi x)
{
    return _mm512_cvtepi32_ps((__m512i)x);
}

static inline vi vi_round(vf x)
{
    return (vi)_mm512_cvtps_epi32(x);
}

static inline vf vf_from_f16(const uint16_t *at)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)at));
}

static inline vf vf_from_i8(const int8_t *at)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)at)));
}

static inline void vi_store_u8(uint8_t *at, vi x)
{
    _mm_storeu_si128((__m128i *)at, _mm512_cvtusepi32_epi8((__m512i)x));
}

#endif
