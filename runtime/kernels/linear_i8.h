/*
 * The integer layer by tiles of vector registers. Included by a level's .c file
 * behind the definition of
 *
 *     KERNELS, KERNELS_NAME     the symbol and the name of the level
 *     VECTORS                   the symbol of its vectors
 *     I8_ROWS, I8_PANELS        the largest tile of tile_i8
 *     void tile_i8(int rows, int panels, const uint8_t *x, size_t stride, const int8_t *b,
 *                  size_t panel_nbytes, int32_t groups, const int32_t *start, int32_t *sums)
 *                               sums [rows][panels][LLMC_PANEL] of x [rows, stride] times
 *                               `panels` packed panels, plus start [panels][LLMC_PANEL]; 1 <= rows <= I8_ROWS, 1 <= panels <= I8_PANELS
 *     spin_i8                   as in kernels.h
 */
#include "runtime/kernels/kernels.h"

/* Panels outside, rows inside: the weights of a tile stay in the nearest cache
 * while all rows pass. Rows are shared out evenly: 25 of them in tiles of at
 * most 6 are 5 tiles of 5, not 4 of 6 and one of 1. */
static void linear_i8(const struct llmc_rt_weights_i8 *weights, int32_t first, int32_t last, const uint8_t *x,
                      size_t stride, int64_t m, const struct llmc_rt_target *target)
{
    int32_t numbers[I8_ROWS * I8_PANELS * LLMC_PANEL] __attribute__((aligned(64)));
    size_t panel_nbytes = (size_t)weights->k_groups * LLMC_PANEL * 4;
    for (int32_t panel = first; panel < last; panel += I8_PANELS) {
        int panels = last - panel < I8_PANELS ? last - panel : I8_PANELS;
        const int8_t *b = weights->panels + (size_t)panel * panel_nbytes;
        int64_t tiles = (m + I8_ROWS - 1) / I8_ROWS;
        for (int64_t row = 0; row < m; tiles--) {
            int rows = (int)((m - row + tiles - 1) / tiles);
            struct llmc_rt_sums sums = {row, rows, panel, panels, numbers};
            tile_i8(rows, panels, x + (size_t)row * stride, stride, b, panel_nbytes, weights->k_groups,
                    weights->start + panel * LLMC_PANEL, numbers);
            VECTORS.put_sums(weights, &sums, target);
            row += rows;
        }
    }
}

const struct llmc_rt_kernels KERNELS = {
    .name = KERNELS_NAME, .vectors = &VECTORS, .linear_i8 = linear_i8, .spin_i8 = spin_i8};
