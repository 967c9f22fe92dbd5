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

static inline vf vf_clamp(vf x, float bound)
{
    return vf_min(vf_max(x, vf_set(-bound)), vf_set(bound));
}

static inline vf vf_from_vi(vi x)
{
    return _mm256_cvtepi32_ps((__m256i)x);
}

static inline vi vi_round(vf x)
{
    return (vi)_mm256_cvtps_epi32(x);
}

static inline vf vf_times_power(vf x, vi n)
{
    return (vf)((vi)x + (n << 23));
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vf vf_from_f16(const uint16_t *at)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)at));
}

static inline vf vf_from_i8(const int8_t *at)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)at)));
}

static inline void vi_store_u8(uint8_t *at, vi x, vi zero)
{
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
    __m128i zeros = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)zero), _mm256_castsi256_si128((__m256i)zero));
    words = _mm_adds_epi16(words, zeros);
    _mm_storel_epi64((__m128i *)at, _mm_packus_epi16(words, words));
}

static inline void vi_store_u8x4(uint8_t *at, size_t stride, const vi x[4], vi zero)
{
    for (int row = 0; row < 4; row++)
        vi_store_u8(at + (size_t)row * stride, x[row], zero);
}

static inline float vf_total(const vf x[16 / VL])
{
    vf eight = x[0] + x[1];
    __m128 four = _mm256_castps256_ps128(eight) + _mm256_extractf128_ps(eight, 1);
    __m128 two = four + _mm_movehl_ps(four, four);
    return _mm_cvtss_f32(two + _mm_movehdup_ps(two));
}

/* Eight rows of eight columns, from four rounds of exchanges. */
static inline void vf_transpose_8x8(float *out, size_t out_stride, const float *in, size_t in_stride, int rows)
{
    __m256 v[8], t[8];
    for (int i = 0; i < 8; i++)
        v[i] = i < rows ? _mm256_loadu_ps(in + (size_t)i * in_stride) : _mm256_setzero_ps();
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        v[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(out + (size_t)i * out_stride, _mm256_permute2f128_ps(v[i], v[i + 4], 0x20));
        _mm256_storeu_ps(out + (size_t)(i + 4) * out_stride, _mm256_permute2f128_ps(v[i], v[i + 4], 0x31));
    }
}

static inline void vf_transpose(float *out, size_t out_stride, const float *in, size_t in_stride, int rows)
{
    for (size_t col = 0; col < 16; col += 8)
        for (int row = 0; row < 16; row += 8)
            vf_transpose_8x8(out + col * out_stride + row, out_stride, in + (size_t)row * in_stride + col, in_stride,
                             rows - row);
}

#endif
