/*
 * AVX2 and F16C. VPMADDUBSW would saturate its 16-bit sums (2 * 255 * 127 is above
 * 32,767), so both operands are widened to 16 bits and VPMADDWD makes exact 32-bit sums.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KERNELS llmc_rt_kernels_avx2
#define KERNELS_NAME "avx2"
#define VECTORS llmc_rt_vectors_avx2
enum { I8_ROWS = 4, I8_PANELS = 1 };

/* The four numbers at x as 16-bit integers, in every quarter of the register. */
static inline __m256i four_words(const uint8_t *x)
{
    const __m256i spread = _mm256_set1_epi64x((int64_t)0x8003800280018000);
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm256_shuffle_epi8(_mm256_set1_epi32(four), spread);
}

/* Half a panel, so that all sums and a product stay in registers. */
static inline __attribute__((always_inline)) void tile_rows(const int rows, const uint8_t *x, size_t stride,
                                                            const int8_t *b, int32_t groups, const int32_t *start,
                                                            int32_t *sums)
{
    /* A quarter of a panel is 4 outputs of 4 weights: each output's sum lies in two neighbouring lanes. */
    __m256i sum[4][2];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
        sum[r][0] = sum[r][1] = _mm256_setzero_si256();
    for (int32_t g = 0; g < groups; g++, b += 64) {
        __m256i a[4];
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
            a[r] = four_words(x + (size_t)r * stride + 4 * (size_t)g);
#pragma GCC unroll 2
        for (int quarter = 0; quarter < 2; quarter++) {
            __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + 16 * quarter)));
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++)
                sum[r][quarter] = _mm256_add_epi32(sum[r][quarter], _mm256_madd_epi16(w, a[r]));
        }
    }
    __m256i from = _mm256_loadu_si256((const __m256i *)start);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        __m256i pairs = _mm256_hadd_epi32(sum[r][0], sum[r][1]);
        _mm256_storeu_si256((__m256i *)(sums + r * 16), _mm256_add_epi32(from, _mm256_permute4x64_epi64(pairs, 0xd8)));
    }
}

static void tile_i8(int rows, int panels, const uint8_t *x, size_t stride, const int8_t *b, size_t panel_nbytes,
                    int32_t groups, const int32_t *start, int32_t *sums)
{
    (void)panels;
    (void)panel_nbytes;
    for (int half = 0; half < 2; half++, b += 32, start += 8, sums += 8) {
        if (rows == 4)
            tile_rows(4, x, stride, b, groups, start, sums);
        else if (rows == 3)
            tile_rows(3, x, stride, b, groups, start, sums);
        else if (rows == 2)
            tile_rows(2, x, stride, b, groups, start, sums);
        else
            tile_rows(1, x, stride, b, groups, start, sums);
    }
}

typedef __m256i spin_vector;
enum { SPIN_OPERATIONS = 32 };

static inline spin_vector spin_step(spin_vector sums)
{
    __m256i product = _mm256_madd_epi16(_mm256_set1_epi16(1), _mm256_set1_epi16(2));
    __asm__ volatile("" : "+v"(product)); /* or it is computed once */
    return _mm256_add_epi32(sums, product);
}

#include "runtime/kernels/spin_i8.h"
#include "runtime/kernels/linear_i8.h"
