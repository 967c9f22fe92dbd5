/* For every processor: what the compiler makes of plain C. The oracle of the other levels. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KERNELS llmc_kernels_portable
#define KERNELS_NAME "portable"
#define VECTORS llmc_vectors_portable
enum { I8_ROWS = 1, I8_PANELS = 1 };

static void tile_i8(int rows, int panels, const uint8_t *x, size_t stride, const int8_t *b, size_t panel_nbytes,
                    int32_t groups, const int32_t *start, int32_t *sums)
{
    (void)rows;
    (void)panels;
    (void)stride;
    (void)panel_nbytes;
    memcpy(sums, start, 16 * sizeof *sums);
    for (int32_t g = 0; g < groups; g++, x += 4, b += 64)
        for (int n = 0; n < 16; n++)
            sums[n] += x[0] * b[4 * n] + x[1] * b[4 * n + 1] + x[2] * b[4 * n + 2] + x[3] * b[4 * n + 3];
}

#include "runtime/kernels/linear_i8.h"
