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

static inline vf vf_clamp(vf x, float bound)
{
    return _mm512_range_ps(x, vf_set(bound), 2); /* the smaller one without its sign, with that of x */
}

static inline vf vf_from_vi(vi x)
{
    return _mm512_cvtepi32_ps((__m512i)x);
}

static inline vi vi_round(vf x)
{
    return (vi)_mm512_cvtps_epi32(x);
}

static inline vf vf_times_power(vf x, vi n)
{
    return (vf)((vi)x + (n << 23));
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vf vf_from_f16(const uint16_t *at)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)at));
}

static inline vf vf_from_i8(const int8_t *at)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)at)));
}

static inline void vi_store_u8(uint8_t *at, vi x, vi zero)
{
    __m512i sum = _mm512_max_epi32((__m512i)(x + zero), _mm512_setzero_si512());
    _mm_storeu_si128((__m128i *)at, _mm512_cvtusepi32_epi8(sum));
}

/* Packing takes the four rows' quarters together; one exchange puts them in order. */
static inline void vi_store_u8x4(uint8_t *at, size_t stride, const vi x[4], vi zero)
{
    __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i zeros = _mm512_packs_epi32((__m512i)zero, (__m512i)zero);
    __m512i first = _mm512_adds_epi16(_mm512_packs_epi32((__m512i)x[0], (__m512i)x[1]), zeros);
    __m512i second = _mm512_adds_epi16(_mm512_packs_epi32((__m512i)x[2], (__m512i)x[3]), zeros);
    __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(first, second));
    _mm_storeu_si128((__m128i *)at, _mm512_castsi512_si128(bytes));
    _mm_storeu_si128((__m128i *)(at + stride), _mm512_extracti32x4_epi32(bytes, 1));
    _mm_storeu_si128((__m128i *)(at + 2 * stride), _mm512_extracti32x4_epi32(bytes, 2));
    _mm_storeu_si128((__m128i *)(at + 3 * stride), _mm512_extracti32x4_epi32(bytes, 3));
}

static inline float vf_total(const vf x[16 / VL])
{
    __m256 eight = _mm512_castps512_ps256(x[0]) + _mm512_extractf32x8_ps(x[0], 1);
    __m128 four = _mm256_castps256_ps128(eight) + _mm256_extractf128_ps(eight, 1);
    __m128 two = four + _mm_movehl_ps(four, four);
    return _mm_cvtss_f32(two + _mm_movehdup_ps(two));
}

/* Four rounds of exchanges. */
static inline void vf_transpose(float *out, size_t out_stride, const float *in, size_t in_stride, int rows)
{
    __m512 v[16], t[16];
    for (int i = 0; i < 16; i++)
        v[i] = i < rows ? _mm512_loadu_ps(in + (size_t)i * in_stride) : _mm512_setzero_ps();
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        v[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        _mm512_storeu_ps(out + (size_t)i * out_stride, _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88));
        _mm512_storeu_ps(out + (size_t)(i + 8) * out_stride, _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd));
    }
}

#endif
