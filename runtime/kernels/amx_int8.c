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
#include "runtime/kernels/put.h"

enum { TILE_ROWS = 16, TILE_NBYTES = 1024, BLOCK_SUMS = 1024 };

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

/* The steps of LLMC_K_STEP inputs that are left of a block: two tiles of rows by up to two panels, or one tile of rows by
 * up to four. */
struct meanwhile {
    const uint8_t *x, *x2; /* the rows of both tiles; x2 is NULL where there is one */
    size_t stride;
    const int8_t *b;
    size_t panel_nbytes;
    int panels;
    int32_t steps;
    int32_t due, rate; /* steps that should have been done, and how many more with every call, in 2^16ths */
};

INLINE void multiply_step(struct meanwhile *block)
{
    const int8_t *b = block->b;
    _tile_loadd(4, block->x, block->stride);
    _tile_loadd(6, b, 64);
    if (block->x2) {
        _tile_loadd(5, block->x2, block->stride);
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(2, 5, 6);
        if (block->panels == 2) {
            _tile_loadd(7, b + block->panel_nbytes, 64);
            _tile_dpbusd(1, 4, 7);
            _tile_dpbusd(3, 5, 7);
        }
        block->x2 += LLMC_K_STEP;
    } else {
        _tile_dpbusd(0, 4, 6);
        if (block->panels > 1) {
            _tile_loadd(7, b + block->panel_nbytes, 64);
            _tile_dpbusd(1, 4, 7);
        }
        if (block->panels > 2) {
            _tile_loadd(6, b + 2 * block->panel_nbytes, 64);
            _tile_dpbusd(2, 4, 6);
        }
        if (block->panels > 3) {
            _tile_loadd(7, b + 3 * block->panel_nbytes, 64);
            _tile_dpbusd(3, 4, 7);
        }
    }
    block->x += LLMC_K_STEP;
    block->b += TILE_NBYTES;
    block->steps--;
}

INLINE void meanwhile_some(struct meanwhile *block)
{
    for (block->due += block->rate; block->due > 0 && block->steps > 0; block->due -= 1 << 16)
        multiply_step(block);
}

#include "runtime/kernels/put_sums.h"

/* A row of what the sums begin with is the same for all rows: a stride of 0. */
static void start_sums(const int32_t *start, const struct meanwhile *block)
{
    _tile_loadd(0, start, 0);
    if (block->x2)
        _tile_loadd(2, start, 0);
    if (block->panels > 1)
        _tile_loadd(1, start + 16, 0);
    if (block->panels > 1 && block->x2)
        _tile_loadd(3, start + 16, 0);
    if (block->panels > 2)
        _tile_loadd(2, start + 32, 0);
    if (block->panels > 3)
        _tile_loadd(3, start + 48, 0);
}

/* Multiplies a block of panels from `first`, while the sums before it are put. */
static void multiply(struct meanwhile *block, const struct llmc_rt_weights_i8 *weights, int32_t first,
                     const struct llmc_rt_sums *before, const struct llmc_rt_target *target)
{
    int calls = before->panels * ((before->rows + 3) / 4);
    block->rate = calls ? (block->steps << 16) / calls + 1 : 0;
    __asm__ volatile("" : : : "memory"); /* GCC does not know that tile loads read memory */
    start_sums(weights->start + first * LLMC_PANEL, block);
    put_sums_meanwhile(weights, before, target, block);
    while (block->steps > 0)
        multiply_step(block);
}

/* sums [rows][16 * panels], the second tile from row `second` on. */
static void store_sums(int32_t *sums, int panels, bool two, int second)
{
    size_t stride = (size_t)panels * 64;
    if (two) {
        int32_t *sums2 = sums + second * panels * LLMC_PANEL;
        _tile_stored(0, sums, stride);
        _tile_stored(2, sums2, stride);
        if (panels == 2) {
            _tile_stored(1, sums + 16, stride);
            _tile_stored(3, sums2 + 16, stride);
        }
        return;
    }
    _tile_stored(0, sums, stride);
    if (panels > 1)
        _tile_stored(1, sums + 16, stride);
    if (panels > 2)
        _tile_stored(2, sums + 32, stride);
    if (panels > 3)
        _tile_stored(3, sums + 48, stride);
}

/* Panels outside, rows inside: four panels of weights stay near while all rows pass. All tiles have the same number of
 * rows, as few as will do; where that is too many in all, the last begins a little earlier and computes rows again. */
static void linear_i8(const struct llmc_rt_weights_i8 *weights, int32_t first, int32_t last, const uint8_t *x,
                      size_t stride, int64_t m, const struct llmc_rt_target *target)
{
    int32_t room[2][BLOCK_SUMS] __attribute__((aligned(64)));
    size_t panel_nbytes = (size_t)weights->k_groups * LLMC_PANEL * 4;
    int64_t tiles = (m + TILE_ROWS - 1) / TILE_ROWS;
    int rows = (int)((m + tiles - 1) / tiles), turn = 0;
    struct llmc_rt_sums before = {0};
    configure(rows);
    for (int32_t panel = first; panel < last; panel += 4) {
        int32_t end = panel + 4 < last ? panel + 4 : last;
        for (int64_t tile = 0; tile < tiles; tile += 2) {
            bool two = tile + 1 < tiles;
            int64_t row = tile * rows < m - rows ? tile * rows : m - rows;
            int second = two ? smaller(m - rows - row, rows) : 0; /* where the second tile of rows begins */
            for (int32_t at = panel, panels; at < end; at += panels) {
                panels = smaller(end - at, two ? 2 : 4);
                const uint8_t *from = x + (size_t)row * stride;
                struct meanwhile block = {.x = from, .x2 = two ? from + (size_t)second * stride : NULL,
                                          .stride = stride, .b = weights->panels + (size_t)at * panel_nbytes,
                                          .panel_nbytes = panel_nbytes, .panels = panels,
                                          .steps = weights->k_groups / TILE_ROWS};
                multiply(&block, weights, at, &before, target);
                store_sums(room[turn], panels, two, second);
                before = (struct llmc_rt_sums){row, second + rows, at, panels, room[turn]};
                turn ^= 1;
            }
        }
    }
    _tile_release();
    llmc_rt_vectors_avx512.put_sums(weights, &before, target);
}

static int64_t spin_i8(int64_t rounds)
{
    configure(TILE_ROWS);
    for (int64_t i = 0; i < rounds; i++) {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_release();
    return rounds * 4 * 2 * TILE_ROWS * LLMC_PANEL * LLMC_K_STEP;
}

const struct llmc_rt_kernels llmc_rt_kernels_amx_int8 = {
    .name = "amx_int8", .vectors = &llmc_rt_vectors_avx512, .linear_i8 = linear_i8, .spin_i8 = spin_i8};
