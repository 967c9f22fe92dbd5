/*
 * Small FP32 matrices in column blocks: how they come from and go to the matrices of all heads, and
 * their products. Included by attention.h only.
 *
 * A block is LANES columns wide, so that a row of it is one vector and all steps inside a block are
 * known to the compiler: number (r, c) lies at data[c / LANES * step + r * LANES + c % LANES].
 */
struct blocked {
    float *data;
    size_t step; /* between blocks: their rows * LANES */
};

static inline int32_t blocks_of(int32_t cols)
{
    return (cols + LANES - 1) / LANES;
}

/* A matrix [rows, cols] at *work, which moves behind it. */
static struct blocked blocked_take(float **work, int32_t rows, int32_t cols)
{
    struct blocked matrix = {*work, (size_t)rows * LANES};
    *work += (size_t)blocks_of(cols) * matrix.step;
    return matrix;
}

/* The head behind this one in the same rows is the next that this thread works on: without a word to the
 * processor, its rows, which lie far apart, arrive a cache miss each. */
SPECIALISED void prefetch_next(const char *row, size_t nbytes, bool write)
{
    for (const char *line = row + nbytes; line < row + 2 * nbytes; line += 64) {
        if (write)
            __builtin_prefetch(line, 1);
        else
            __builtin_prefetch(line, 0);
    }
}

SPECIALISED void gather_as(enum llmc_number number, size_t nbytes, const struct llmc_head_rows *x, int32_t first,
                           int32_t count, int32_t cols, float factor, const struct blocked *to)
{
    const char *row = (const char *)x->data + (size_t)first * x->stride * nbytes;
    const int32_t whole = cols / LANES;
    const size_t rest = (size_t)(cols % LANES) * nbytes, stride = x->stride * nbytes, step = to->step;
    float *begin = to->data;
    for (int32_t r = 0; r < count; r++, row += stride) {
        float *place = begin + (size_t)r * LANES;
        prefetch_next(row, (size_t)cols * nbytes, false);
        for (int32_t b = 0; b < whole; b++, place += step)
            vec_store(vec_widen(row + (size_t)b * LANES * nbytes, number) * factor, place);
        if (rest) {
            unsigned char last[4 * LANES] = {0};
            memcpy(last, row + (size_t)whole * LANES * nbytes, rest);
            vec_store(vec_widen(last, number) * factor, place);
        }
    }
}

/* to = rows [first, first + count) of x * factor; columns behind the last are zeros. */
static void gather(const struct llmc_head_rows *x, int32_t first, int32_t count, int32_t cols, float factor,
                   const struct blocked *to)
{
    if (x->number == LLMC_F32)
        gather_as(LLMC_F32, 4, x, first, count, cols, factor, to);
    else if (x->number == LLMC_BF16)
        gather_as(LLMC_BF16, 2, x, first, count, cols, factor, to);
    else
        gather_as(LLMC_F16, 2, x, first, count, cols, factor, to);
}

SPECIALISED void scatter_as(enum llmc_number number, size_t nbytes, const struct blocked *from, const float *factors,
                            const struct llmc_head_rows *x, int32_t first, int32_t count, int32_t cols)
{
    char *row = (char *)x->data + (size_t)first * x->stride * nbytes;
    const int32_t whole = cols / LANES;
    const size_t rest = (size_t)(cols % LANES) * nbytes, stride = x->stride * nbytes, step = from->step;
    const float *begin = from->data;
    for (int32_t r = 0; r < count; r++, row += stride) {
        const float *place = begin + (size_t)r * LANES;
        float factor = factors ? factors[r] : 1.0f;
        prefetch_next(row, (size_t)cols * nbytes, true);
        for (int32_t b = 0; b < whole; b++, place += step)
            vec_narrow(vec_load(place) * factor, number, row + (size_t)b * LANES * nbytes);
        if (rest) {
            unsigned char last[4 * LANES];
            vec_narrow(vec_load(place) * factor, number, last);
            memcpy(row + (size_t)whole * LANES * nbytes, last, rest);
        }
    }
}

/* Rows [first, first + count) of x = the rows of `from`, each times its factor; factors NULL: 1. */
static void scatter(const struct blocked *from, const float *factors, const struct llmc_head_rows *x, int32_t first,
                    int32_t count, int32_t cols)
{
    if (x->number == LLMC_F32)
        scatter_as(LLMC_F32, 4, from, factors, x, first, count, cols);
    else if (x->number == LLMC_BF16)
        scatter_as(LLMC_BF16, 2, from, factors, x, first, count, cols);
    else
        scatter_as(LLMC_F16, 2, from, factors, x, first, count, cols);
}

/* t [cols, rows] = the transpose of x [rows, cols], in whole blocks. x has room for them: its rows behind the last
 * become zeros, because lanes that nobody reads cost time where they hold denormal numbers. */
static void transpose(const struct blocked *x, int32_t rows, int32_t cols, const struct blocked *t)
{
    for (int32_t c = 0; c < blocks_of(cols); c++) {
        float *block = x->data + (size_t)c * x->step;
        for (int32_t r = rows; r < blocks_of(rows) * LANES; r++)
            vec_store(vec_all(0), block + (size_t)r * LANES);
        for (int32_t r = 0; r < blocks_of(rows); r++)
            vec_transpose(block + (size_t)r * LANES * LANES,
                          t->data + (size_t)r * t->step + (size_t)c * LANES * LANES);
    }
}

/* One product: c [m, n] = a b, or c += a b. a is [m, k], or with `transposed` [k, m]; b is [k, n]. */
struct product {
    struct blocked a, b, c;
    int32_t m, n, k;
    bool transposed, add;
};

/* Rows of c that are summed at a time, in one or two vectors each: as many as registers hold beside
 * the vectors of b and a factor. A transposed block of `a` has LANES rows of c. */
#define TILE_ROWS(vecs) ((vecs) == 1 ? (REGISTERS == 32 ? 16 : 12) : (REGISTERS == 32 ? 14 : 6))

/* c [rows, vecs * LANES] at row `row`, block `block`. */
SPECIALISED void tile(const struct product *p, const int rows, const int vecs, const bool transposed, int32_t row,
                      int32_t block)
{
    const int row_step = transposed ? 1 : LANES, k_step = transposed ? LANES : 1;
    const float *a = transposed ? p->a.data + (size_t)(row / LANES) * p->a.step + row % LANES
                                : p->a.data + (size_t)row * LANES;
    const float *b = p->b.data + (size_t)block * p->b.step;
    float *c = p->c.data + (size_t)block * p->c.step + (size_t)row * LANES;
    const size_t b_step = p->b.step, c_step = p->c.step;
    vec sums[16][2];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++)
            sums[r][v] = p->add ? vec_load(c + (size_t)v * c_step + r * LANES) : vec_all(0);
    for (int32_t left = p->k; left > 0; left -= LANES, a += p->a.step) {
        int32_t width = transposed ? left : left < LANES ? left : LANES;
        const float *factor = a;
        for (int32_t i = 0; i < width; i++, b += LANES, factor += k_step) {
            vec row_of_b[2];
#pragma GCC unroll 2
            for (int v = 0; v < vecs; v++)
                row_of_b[v] = vec_load(b + (size_t)v * b_step);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
                for (int v = 0; v < vecs; v++)
                    sums[r][v] += factor[r * row_step] * row_of_b[v];
        }
        if (transposed)
            break; /* the rows of a block are the whole sum */
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++)
            vec_store(sums[r][v], c + (size_t)v * c_step + r * LANES);
}

/* The rows [row, row + count) in tiles of nearly equal heights: short ones wait for their sums. */
SPECIALISED void tiles(const struct product *p, const int vecs, const bool transposed, int32_t row, int32_t count,
                       int32_t block)
{
#define TILE(rows_) \
    case rows_: \
        if (rows_ <= TILE_ROWS(vecs)) \
            tile(p, rows_, vecs, transposed, row, block); \
        break;
    for (int32_t parts = (count + TILE_ROWS(vecs) - 1) / TILE_ROWS(vecs); parts > 0; parts--) {
        int32_t rows = (count + parts - 1) / parts;
        switch (rows) {
            TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8)
            TILE(9) TILE(10) TILE(11) TILE(12) TILE(13) TILE(14) TILE(15) TILE(16)
        }
        row += rows;
        count -= rows;
    }
#undef TILE
}

static void product(const struct product *p)
{
    int32_t blocks = blocks_of(p->n), rows = p->transposed ? LANES : p->m;
    for (int32_t block = 0; block < blocks; block += 2)
        for (int32_t row = 0; row < p->m; row += rows) {
            int32_t count = p->m - row < rows ? p->m - row : rows;
            if (block + 1 < blocks && p->transposed)
                tiles(p, 2, true, row, count, block);
            else if (block + 1 < blocks)
                tiles(p, 2, false, row, count, block);
            else if (p->transposed)
                tiles(p, 1, true, row, count, block);
            else
                tiles(p, 1, false, row, count, block);
        }
}
