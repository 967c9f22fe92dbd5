/*
 * AVX-512 with the integer tiles of AMX (Intel SDM vol. 1, chapter 18): TDPBUSD adds to
 * 16 x 16 sums the products of 16 rows of 64 inputs and 16 outputs of 64 weights.
 *
 * A panel of weights is a column of such tiles as it is packed, and rows of inputs are
 * loaded as they lie. What happens to the sums, on vectors, takes about as long as the
 * products, on tiles: so the sums of one block are put away while the tiles of the next
 * are multiplied.
 */
#include "runtime/kernels/vector_avx512.h"
#include "runtime/kernels/target.h"

#include <stddef.h>

#define KERNELS llmc_kernels_amx_int8
#define KERNELS_NAME "amx_int8"
enum { F32_ROWS = 12, F32_PANELS = 2 };

enum { TILE_ROWS = 16, TILE_NBYTES = 1024, STEP = 64, BLOCK_SUMS = 1024 };

/* What is multiplied at once: two tiles of rows by up to two panels, or one tile of rows by up to four. */
struct block {
    int64_t row;
    int rows;   /* 0: none */
    int second; /* where the second tile of rows begins: on the last of the first tile, where rows are few; 0: one tile */
    int32_t panel;
    int panels;
    int32_t *sums; /* [rows][16 * panels] */
};

/* Tiles 0 to 3: sums; 4 and 5: `rows` rows of inputs; 6 and 7: weights. Other code of the process configures tiles as
 * it needs them, so they are configured for every layer and released after it: 50 ns. */
static void configure(int rows)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_nbytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.row_nbytes[i] = 64;
        config.rows[i] = i < 6 ? (uint8_t)rows : TILE_ROWS;
    }
    __asm__ volatile("" : : "r"(&config) : "memory"); /* GCC 12 believes that only the first 8 bytes are read */
    _tile_loadconfig(&config);
}

/* The rows of `block` that are due when `done` of `steps` steps are: the ones before have been put. */
INLINE void put_part(const struct llmc_weights_i8 *weights, const struct llmc_target *target,
                     const struct block *block, int32_t done, int32_t steps)
{
    int begin = block->rows * (done - 1) / steps, end = block->rows * done / steps;
    if (end > begin)
        put_sums(weights, target, block->panel, block->panels, block->row + begin, end - begin,
                 block->sums + begin * LLMC_PANEL * block->panels, (size_t)(LLMC_PANEL * block->panels));
}

/* Sums of two tiles of rows, at x and x2, and puts `before` meanwhile. */
INLINE void multiply_two(const int panels, const uint8_t *x, const uint8_t *x2, size_t stride, const int8_t *b,
                         size_t panel_nbytes, int32_t steps, const struct llmc_weights_i8 *weights,
                         const struct llmc_target *target, const struct block *before)
{
    _tile_zero(0);
    _tile_zero(2);
    if (panels == 2) {
        _tile_zero(1);
        _tile_zero(3);
    }
    for (int32_t s = 0; s < steps; s++, x += STEP, x2 += STEP, b += TILE_NBYTES) {
        _tile_loadd(4, x, stride);
        _tile_loadd(6, b, 64);
        _tile_loadd(5, x2, stride);
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(2, 5, 6);
        if (panels == 2) {
            _tile_loadd(7, b + panel_nbytes, 64);
            _tile_dpbusd(1, 4, 7);
            _tile_dpbusd(3, 5, 7);
        }
        put_part(weights, target, before, s + 1, steps);
    }
}

/* The same of one tile of rows. */
INLINE void multiply_one(const int panels, const uint8_t *x, size_t stride, const int8_t *b, size_t panel_nbytes,
                         int32_t steps, const struct llmc_weights_i8 *weights, const struct llmc_target *target,
                         const struct block *before)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int32_t s = 0; s < steps; s++, x += STEP, b += TILE_NBYTES) {
        _tile_loadd(4, x, stride);
        _tile_loadd(6, b, 64);
        _tile_dpbusd(0, 4, 6);
        if (panels > 1) {
            _tile_loadd(7, b + panel_nbytes, 64);
            _tile_dpbusd(1, 4, 7);
        }
        if (panels > 2) {
            _tile_loadd(6, b + 2 * panel_nbytes, 64);
            _tile_dpbusd(2, 4, 6);
        }
        if (panels > 3) {
            _tile_loadd(7, b + 3 * panel_nbytes, 64);
            _tile_dpbusd(3, 4, 7);
        }
        put_part(weights, target, before, s + 1, steps);
    }
}

static void multiply_block(const struct block *block, const uint8_t *x, size_t stride,
                           const struct llmc_weights_i8 *weights, const struct llmc_target *target,
                           const struct block *before)
{
    size_t panel_nbytes = (size_t)weights->k_groups * LLMC_PANEL * 4, sums_stride = (size_t)block->panels * 64;
    const int8_t *b = weights->panels + (size_t)block->panel * panel_nbytes;
    int32_t steps = weights->k_groups / TILE_ROWS;
    char *sums = (char *)block->sums, *sums2 = sums + (size_t)block->second * sums_stride;
    const uint8_t *x2 = x + (size_t)block->second * stride;
    __asm__ volatile("" : : : "memory"); /* GCC does not know that tile loads read memory */
#define TWO(panels) multiply_two(panels, x, x2, stride, b, panel_nbytes, steps, weights, target, before)
#define ONE(panels) multiply_one(panels, x, stride, b, panel_nbytes, steps, weights, target, before)
    if (block->second) {
        if (block->panels == 2)
            TWO(2);
        else
            TWO(1);
        _tile_stored(0, sums, sums_stride);
        _tile_stored(2, sums2, sums_stride);
        if (block->panels == 2) {
            _tile_stored(1, sums + 64, sums_stride);
            _tile_stored(3, sums2 + 64, sums_stride);
        }
        return;
    }
    switch (block->panels) {
    case 1:
        ONE(1);
        break;
    case 2:
        ONE(2);
        break;
    case 3:
        ONE(3);
        break;
    default:
        ONE(4);
    }
#undef ONE
#undef TWO
    _tile_stored(0, sums, sums_stride);
    if (block->panels > 1)
        _tile_stored(1, sums + 64, sums_stride);
    if (block->panels > 2)
        _tile_stored(2, sums + 128, sums_stride);
    if (block->panels > 3)
        _tile_stored(3, sums + 192, sums_stride);
}

/* Panels outside, rows inside: four panels of weights stay near while all rows pass. All tiles have the same number of
 * rows, as few as will do; where that is too many in all, the last begin a little earlier and compute rows again. */
static void linear_i8(const struct llmc_weights_i8 *weights, int32_t first, int32_t last, const uint8_t *x,
                      size_t stride, int64_t m, const struct llmc_target *target)
{
    int32_t sums[2][BLOCK_SUMS] __attribute__((aligned(64)));
    int64_t tiles = (m + TILE_ROWS - 1) / TILE_ROWS;
    int rows = (int)((m + tiles - 1) / tiles), turn = 0;
    struct block before = {0};
    configure(rows);
    for (int32_t panel = first; panel < last; panel += 4) {
        int32_t end = panel + 4 < last ? panel + 4 : last;
        for (int64_t tile = 0; tile < tiles; tile += 2) {
            bool two = tile + 1 < tiles;
            int width = two ? 2 : 4;
            int64_t row = tile * rows < m - rows ? tile * rows : m - rows;
            int second = two ? smaller(m - rows - row, rows) : 0;
            for (int32_t at = panel; at < end; at += width) {
                struct block block = {row, second + rows, second, at, smaller(end - at, width), sums[turn]};
                multiply_block(&block, x + (size_t)row * stride, stride, weights, target, &before);
                before = block;
                turn ^= 1;
            }
        }
    }
    _tile_release();
    put_part(weights, target, &before, 1, 1);
}

#include "runtime/kernels/template.h"
