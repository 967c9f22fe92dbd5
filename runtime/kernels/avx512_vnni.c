/* AVX-512 with VPDPBUSD: four products and their exact 32-bit sum in each of 16 lanes. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KERNELS llmc_rt_kernels_avx512_vnni
#define KERNELS_NAME "avx512_vnni"
#define VECTORS llmc_rt_vectors_avx512
enum { I8_ROWS = 6, I8_PANELS = 4 };

static inline __attribute__((always_inline)) void tile(const int rows, const int panels, const uint8_t *x,
                                                       size_t stride, const int8_t *b, size_t panel_nbytes,
                                                       int32_t groups, const int32_t *start, int32_t *sums)
{
    __m512i sum[6][4];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int p = 0; p < panels; p++)
            sum[r][p] = _mm512_loadu_si512(start + p * 16);
    for (int32_t g = 0; g < groups; g++, b += 64) {
        __m512i w[4];
#pragma GCC unroll 4
        for (int p = 0; p < panels; p++)
            w[p] = _mm512_loadu_si512(b + (size_t)p * panel_nbytes);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, x + (size_t)r * stride + 4 * (size_t)g, sizeof four);
            __m512i a = _mm512_set1_epi32(four);
#pragma GCC unroll 4
            for (int p = 0; p < panels; p++)
                sum[r][p] = _mm512_dpbusd_epi32(sum[r][p], a, w[p]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int p = 0; p < panels; p++)
            _mm512_storeu_si512(sums + (r * panels + p) * 16, sum[r][p]);
}

static void tile_i8(int rows, int panels, const uint8_t *x, size_t stride, const int8_t *b, size_t panel_nbytes,
                    int32_t groups, const int32_t *start, int32_t *sums)
{
    switch (8 * rows + panels) {
#define TILE(r, p)                                                                                            \
    case 8 * r + p:                                                                                           \
        tile(r, p, x, stride, b, panel_nbytes, groups, start, sums);                                                 \
        break;
#define ROWS(r) TILE(r, 1) TILE(r, 2) TILE(r, 3) TILE(r, 4)
        ROWS(1)
        ROWS(2)
        ROWS(3)
        ROWS(4)
        ROWS(5)
        ROWS(6)
#undef ROWS
#undef TILE
    }
}

typedef __m512i spin_vector;
enum { SPIN_OPERATIONS = 128 };

static inline spin_vector spin_step(spin_vector sums)
{
    return _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), _mm512_set1_epi8(2));
}

#include "runtime/kernels/spin_i8.h"
#include "runtime/kernels/linear_i8.h"
