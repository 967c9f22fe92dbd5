/* The linear layer in FP32. Included by vectors.h. */

/* Row-major numbers of which `row` apart are those of the next row, `k` apart those of the next input. */
struct strides {
    size_t row, k;
};

/* Sums of `rows` rows and `panels` panels: [panels][panel_sums], rows of LLMC_PANEL numbers in each. One running sum
 * per output, over k in order: the same bits for every tile size. */
INLINE void tile_f32(const int rows, const int panels, const float *x, struct strides strides, const float *b,
                     size_t panel_count, int32_t k, float *sums, size_t panel_sums)
{
    vf sum[F32_ROWS][F32_PANELS * PARTS];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int v = 0; v < panels * PARTS; v++)
            sum[r][v] = vf_set(0.0f);
    for (int32_t i = 0; i < k; i++) {
        vf w[F32_PANELS * PARTS];
#pragma GCC unroll 16
        for (int v = 0; v < panels * PARTS; v++)
            w[v] = vf_load(b + (size_t)(v / PARTS) * panel_count + (size_t)i * LLMC_PANEL + v % PARTS * VL);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            vf value = vf_set(x[(size_t)r * strides.row + (size_t)i * strides.k]);
#pragma GCC unroll 16
            for (int v = 0; v < panels * PARTS; v++)
                sum[r][v] = vf_fma(value, w[v], sum[r][v]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int v = 0; v < panels * PARTS; v++)
            vf_store(sums + (size_t)(v / PARTS) * panel_sums + (size_t)r * LLMC_PANEL + v % PARTS * VL, sum[r][v]);
}

static void tile_f32_any(int rows, int panels, const float *x, struct strides strides, const float *b,
                         size_t panel_count, int32_t k, float *sums, size_t panel_sums)
{
    switch (panels * 16 + rows) {
#define TILE(p, r)                                                                                            \
    case p * 16 + r:                                                                                          \
        if (p <= F32_PANELS && r <= F32_ROWS)                                                                 \
            tile_f32(p <= F32_PANELS ? r : 0, p, x, strides, b, panel_count, k, sums, panel_sums);            \
        break;
#define TILES(p)                                                                                              \
    TILE(p, 1) TILE(p, 2) TILE(p, 3) TILE(p, 4) TILE(p, 5) TILE(p, 6)                                         \
    TILE(p, 7) TILE(p, 8) TILE(p, 9) TILE(p, 10) TILE(p, 11) TILE(p, 12)
        TILES(1)
        TILES(2)
#undef TILES
#undef TILE
    }
}

/* Sums of m rows: [panels][panel_sums]. Rows are shared out evenly: 25 of them in tiles of at most 12 are 9, 8 and 8. */
static void product_f32(int64_t m, int panels, const float *x, struct strides strides, const float *b,
                        size_t panel_count, int32_t k, float *sums, size_t panel_sums)
{
    int64_t tiles = (m + F32_ROWS - 1) / F32_ROWS;
    for (int64_t row = 0; row < m; tiles--) {
        int rows = (int)((m - row + tiles - 1) / tiles);
        tile_f32_any(rows, panels, x + (size_t)row * strides.row, strides, b, panel_count, k,
                     sums + (size_t)row * LLMC_PANEL, panel_sums);
        row += rows;
    }
}

static void linear_f32(const struct llmc_rt_weights_f32 *weights, int32_t first, int32_t last, const float *x,
                       size_t stride, int64_t m, const struct llmc_rt_target *target)
{
    float sums[F32_PANELS][F32_ROWS * LLMC_PANEL] __attribute__((aligned(64)));
    size_t panel_count = (size_t)weights->k * LLMC_PANEL;
    struct rounding rounding = rounding_of(&target->quantiser);
    for (int32_t panel = first; panel < last; panel += F32_PANELS) {
        int panels = smaller(last - panel, F32_PANELS);
        for (int64_t row = 0; row < m; row += F32_ROWS) {
            int rows = smaller(m - row, F32_ROWS);
            product_f32(rows, panels, x + (size_t)row * stride, (struct strides){stride, 1},
                        weights->panels + (size_t)panel * panel_count, panel_count, weights->k, sums[0],
                        F32_ROWS * LLMC_PANEL);
            for (int i = 0; i < rows * panels; i++) {
                int r = i % rows, p = i / rows;
                int32_t column = (panel + p) * LLMC_PANEL;
                int width = smaller(weights->n - column, LANES);
                size_t at = (size_t)(row + r) * target->stride + (size_t)column;
                vf y[PARTS];
                for (int part = 0; part < PARTS; part++) {
                    y[part] = vf_load(sums[p] + r * LLMC_PANEL + part * VL);
                    if (weights->bias)
                        y[part] += vf_load(weights->bias + column + part * VL);
                }
#define PUT_F32(STEP) put_f32(target->f32 + at, width, STEP, y)
#define PUT_U8(STEP) put_u8(target->u8 + at, width, STEP, &rounding, y)
                if (target->f32)
                    WITH_STEP(target->step, PUT_F32)
                else
                    WITH_STEP(target->step, PUT_U8)
#undef PUT_F32
#undef PUT_U8
            }
        }
    }
}
