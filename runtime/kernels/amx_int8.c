/*
 * AVX-512 with the integer tiles of AMX (Intel SDM vol. 1, chapter 18): TDPBUSD adds to
 * 16 x 16 sums the products of 16 rows of 64 inputs and 16 outputs of 64 weights.
 *
 * A panel of weights is a column of such tiles as it is packed, and rows of inputs are
 * loaded as they lie. What happens to the sums, on vectors, takes about as long as the
 * products, on tiles: so the sums of one block are put away while the tiles of the next
 * are multiplied.
 */
#include "runtime/kernels/kernels.h"

#include <immintrin.h>

enum { TILE_ROWS = 16, TILE_NBYTES = 1024, BLOCK_SUMS = 1024, PUT_ROWS = 4 };

/* What is multiplied at once: two tiles of rows by up to two panels, or one tile of rows by up to four. */
struct block {
    struct llmc_sums sums;
    int second;    /* where the second tile of rows begins: on the last of the first, where rows are few; 0: one tile */
    int32_t *room; /* of the sums: BLOCK_SUMS */
};

/* A block whose sums are being put. */
struct putting {
    const struct llmc_weights_i8 *weights;
    const struct llmc_target *target;
    struct llmc_sums left;
    int32_t due, rate; /* rows that should have been put, and how many more after each step, in 2^16ths */
};

/* Callers pass constants, which decide branches. */
#define INLINE __attribute__((always_inline)) static inline

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
        config.row_nbytes[i] = LLMC_K_STEP;
        config.rows[i] = i < 6 ? (uint8_t)rows : TILE_ROWS;
    }
    __asm__ volatile("" : : "r"(&config) : "memory"); /* GCC 12 believes that only the first 8 bytes are read */
    _tile_loadconfig(&config);
}

static void put_rows(struct putting *putting, int rows)
{
    struct llmc_sums now = putting->left;
    now.rows = rows;
    putting->left.row += rows;
    putting->left.rows -= rows;
    putting->left.sums += rows * now.panels * LLMC_PANEL;
    llmc_vectors_avx512.put_sums(putting->weights, &now, putting->target);
}

/* What is to be put while the next `steps` steps are multiplied. */
static void put_begin(struct putting *putting, const struct block *block, int32_t steps)
{
    putting->left = block->sums;
    putting->due = 0;
    putting->rate = (block->sums.rows << 16) / steps + 1;
}

/* After a step. Rows are put by fours, as put_sums likes them, and all of them within the steps. */
INLINE void put_some(struct putting *putting)
{
    putting->due += putting->rate;
    if (putting->due > 0 && putting->left.rows > 0) {
        int rows = ((putting->due >> 16) / PUT_ROWS + 1) * PUT_ROWS;
        putting->due -= rows << 16;
        put_rows(putting, rows < putting->left.rows ? rows : putting->left.rows);
    }
}

/* Sums of two tiles of rows, at x and x2, and puts others meanwhile. */
INLINE void multiply_two(const int panels, const uint8_t *x, const uint8_t *x2, size_t stride, const int8_t *b,
                         size_t panel_nbytes, int32_t steps, struct putting *putting)
{
    _tile_zero(0);
    _tile_zero(2);
    if (panels == 2) {
        _tile_zero(1);
        _tile_zero(3);
    }
    for (int32_t s = 0; s < steps; s++, x += LLMC_K_STEP, x2 += LLMC_K_STEP, b += TILE_NBYTES) {
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
        put_some(putting);
    }
}

/* The same of one tile of rows. */
INLINE void multiply_one(const int panels, const uint8_t *x, size_t stride, const int8_t *b, size_t panel_nbytes,
                         int32_t steps, struct putting *putting)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int32_t s = 0; s < steps; s++, x += LLMC_K_STEP, b += TILE_NBYTES) {
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
        put_some(putting);
    }
}

static void multiply_block(const struct llmc_weights_i8 *weights, const struct block *block, const uint8_t *x,
                           size_t stride, struct putting *putting)
{
    int panels = block->sums.panels;
    size_t panel_nbytes = (size_t)weights->k_groups * LLMC_PANEL * 4, sums_stride = (size_t)panels * 64;
    const int8_t *b = weights->panels + (size_t)block->sums.panel * panel_nbytes;
    const uint8_t *x2 = x + (size_t)block->second * stride;
    int32_t steps = weights->k_groups / TILE_ROWS;
    char *sums = (char *)block->room, *sums2 = sums + (size_t)block->second * sums_stride;
    __asm__ volatile("" : : : "memory"); /* GCC does not know that tile loads read memory */
    if (block->second) {
        if (panels == 2)
            multiply_two(2, x, x2, stride, b, panel_nbytes, steps, putting);
        else
            multiply_two(1, x, x2, stride, b, panel_nbytes, steps, putting);
        _tile_stored(0, sums, sums_stride);
        _tile_stored(2, sums2, sums_stride);
        if (panels == 2) {
            _tile_stored(1, sums + 64, sums_stride);
            _tile_stored(3, sums2 + 64, sums_stride);
        }
        return;
    }
    if (panels == 1)
        multiply_one(1, x, stride, b, panel_nbytes, steps, putting);
    else if (panels == 2)
        multiply_one(2, x, stride, b, panel_nbytes, steps, putting);
    else if (panels == 3)
        multiply_one(3, x, stride, b, panel_nbytes, steps, putting);
    else
        multiply_one(4, x, stride, b, panel_nbytes, steps, putting);
    _tile_stored(0, sums, sums_stride);
    if (panels > 1)
        _tile_stored(1, sums + 64, sums_stride);
    if (panels > 2)
        _tile_stored(2, sums + 128, sums_stride);
    if (panels > 3)
        _tile_stored(3, sums + 192, sums_stride);
}

/* Panels outside, rows inside: four panels of weights stay near while all rows pass. All tiles have the same number of
 * rows, as few as will do; where that is too many in all, the last begins a little earlier and computes rows again. */
static void linear_i8(const struct llmc_weights_i8 *weights, int32_t first, int32_t last, const uint8_t *x,
                      size_t stride, int64_t m, const struct llmc_target *target)
{
    int32_t room[2][BLOCK_SUMS] __attribute__((aligned(64)));
    int64_t tiles = (m + TILE_ROWS - 1) / TILE_ROWS;
    int rows = (int)((m + tiles - 1) / tiles), turn = 0;
    int32_t steps = weights->k_groups / TILE_ROWS;
    struct putting putting = {.weights = weights, .target = target};
    configure(rows);
    for (int32_t panel = first; panel < last; panel += 4) {
        int32_t end = panel + 4 < last ? panel + 4 : last;
        for (int64_t tile = 0; tile < tiles; tile += 2) {
            bool two = tile + 1 < tiles;
            int32_t width = two ? 2 : 4;
            int64_t row = tile * rows < m - rows ? tile * rows : m - rows;
            int second = !two ? 0 : m - rows - row < rows ? (int)(m - rows - row) : rows;
            for (int32_t at = panel; at < end; at += width) {
                int panels = end - at < width ? end - at : width;
                struct block block = {{row, second + rows, at, panels, room[turn]}, second, room[turn]};
                multiply_block(weights, &block, x + (size_t)row * stride, stride, &putting);
                put_begin(&putting, &block, steps);
                turn ^= 1;
            }
        }
    }
    _tile_release();
    put_rows(&putting, putting.left.rows);
}

const struct llmc_kernels llmc_kernels_amx_int8 = {
    .name = "amx_int8", .vectors = &llmc_vectors_avx512, .linear_i8 = linear_i8};
