/* AVX2, F16C and the 256-bit form of VPDPBUSD: four products and their exact 32-bit sum at once. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KERNELS llmc_rt_kernels_avx_vnni
#define KERNELS_NAME "avx_vnni"
#define VECTORS llmc_rt_vectors_avx2
enum { I8_ROWS = 6, I8_PANELS = 1 };

static inline __attribute__((always_inline)) void tile_rows(const int rows, const uint8_t *x, size_t stride,
                                                            const int8_t *b, int32_t groups, const int32_t *start, int32_t *sums)
{
    __m256i sum[6][2];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        sum[r][0] = _mm256_loadu_si256((const __m256i *)start);
        sum[r][1] = _mm256_loadu_si256((const __m256i *)(start + 8));
    }
    for (int32_t g = 0; g < groups; g++, b += 64) {
        __m256i low = _mm256_loadu_si256((const __m256i *)b);
        __m256i high = _mm256_loadu_si256((const __m256i *)(b + 32));
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, x + (size_t)r * stride + 4 * (size_t)g, sizeof four);
            __m256i a = _mm256_set1_epi32(four);
            sum[r][0] = _mm256_dpbusd_avx_epi32(sum[r][0], a, low);
            sum[r][1] = _mm256_dpbusd_avx_epi32(sum[r][1], a, high);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        _mm256_storeu_si256((__m256i *)(sums + r * 16), sum[r][0]);
        _mm256_storeu_si256((__m256i *)(sums + r * 16 + 8), sum[r][1]);
    }
}

static void tile_i8(int rows, int panels, const uint8_t *x, size_t stride, const int8_t *b, size_t panel_nbytes,
                    int32_t groups, const int32_t *start, int32_t *sums)
{
    (void)panels;
    (void)panel_nbytes;
    switch (rows) {
#define ROWS(count)                                                                                           \
    case count:                                                                                               \
        tile_rows(count, x, stride, b, groups, start, sums);                                                         \
        break;
        ROWS(1)
        ROWS(2)
        ROWS(3)
        ROWS(4)
        ROWS(5)
        ROWS(6)
#undef ROWS
    }
}

typedef __m256i spin_vector;
enum { SPIN_OPERATIONS = 64 };

static inline spin_vector spin_step(spin_vector sums)
{
    return _mm256_dpbusd_avx_epi32(sums, _mm256_set1_epi8(1), _mm256_set1_epi8(2));
}

#include "runtime/kernels/spin_i8.h"
#include "runtime/kernels/linear_i8.h"
