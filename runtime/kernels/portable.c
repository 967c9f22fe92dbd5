/* For every processor: what the compiler makes of plain C. The oracle of the other levels. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KERNELS llmc_rt_kernels_portable
#define KERNELS_NAME "portable"
#define VECTORS llmc_rt_vectors_portable
enum { I8_ROWS = 1, I8_PANELS = 1 };

static void tile_i8(int rows, int panels, const uint8_t *x, size_t stride, const int8_t *b, size_t panel_nbytes,
                    int32_t groups, const int32_t *start, int32_t *sums)
{
    (void)rows;
    (void)panels;
    (void)stride;
    (void)panel_nbytes;
    memmove(sums, start, 16 * sizeof *sums);
    for (int32_t g = 0; g < groups; g++, x += 4, b += 64)
        for (int n = 0; n < 16; n++)
            sums[n] += x[0] * b[4 * n] + x[1] * b[4 * n + 1] + x[2] * b[4 * n + 2] + x[3] * b[4 * n + 3];
}

static int64_t spin_i8(int64_t rounds)
{
    static const uint8_t x[4] = {1, 2, 3, 4};
    static const int8_t panel[64] = {1};
    int32_t sums[16] = {0};
    for (int64_t i = 0; i < rounds; i++) {
        tile_i8(1, 1, x, 0, panel, 0, 1, sums, sums);
        __asm__ volatile("" : : "r"(sums) : "memory"); /* or the compiler leaves it out */
    }
    return rounds * 128;
}

#include "runtime/kernels/linear_i8.h"
