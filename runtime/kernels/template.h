/*
 * The body of one processor level. Included once by each level's .c file, which
 * first includes its vector_*.h and defines
 *
 *     KERNELS, KERNELS_NAME     the symbol and the name of the level
 *     I8_ROWS, I8_PANELS        the largest tile of tile_i8
 *     F32_ROWS, F32_PANELS      the largest tile of the FP32 product; chosen so
 *                               that its sums stay in registers
 *     void tile_i8(int rows, int panels, const uint8_t *x, size_t stride, const int8_t *b,
 *                  size_t panel_nbytes, int32_t groups, int32_t *sums)
 *                               sums [rows][I8_PANELS][LLMC_PANEL] of x [rows, stride] times
 *                               `panels` packed panels; 1 <= rows <= I8_ROWS, 1 <= panels <= I8_PANELS
 *
 * Nothing here may depend on the vector width VL but the order of independent work.
 */
#include "runtime/kernels/functions.h"
#include "runtime/kernels/kernels.h"

#include <math.h>

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16, PARTS = LANES / VL };

_Static_assert((int)LLMC_PANEL == (int)LANES, "a panel is one group of lanes");

INLINE int smaller(int64_t a, int64_t b)
{
    return (int)(a < b ? a : b);
}

/* ---- where results go ---- */

INLINE vf apply(enum llmc_step step, vf x)
{
    switch (step) {
    case LLMC_STEP_GELU:
        return vf_gelu(x);
    case LLMC_STEP_GELU_TANH:
        return vf_gelu_tanh(x);
    case LLMC_STEP_RELU:
        return vf_max(x, vf_set(0.0f));
    case LLMC_STEP_TANH:
        return vf_tanh(x);
    case LLMC_STEP_NONE:
        break;
    }
    return x;
}

/* Clamped before rounding, which gives the same integers: the bounds are integers. */
INLINE vi quantised(vf x, const struct llmc_quantiser *quantiser)
{
    vf low = vf_set((float)-quantiser->zero_point);
    vf high = vf_set((float)(255 - quantiser->zero_point));
    vf scaled = vf_min(vf_max(x * vf_set(quantiser->inverse_scale), low), high);
    return vi_round(scaled) + vi_set(quantiser->zero_point);
}

/* One panel of one row; the last panel may be narrower than its lanes. */
INLINE void put_panel(const struct llmc_target *target, enum llmc_step step, int64_t row, int32_t column,
                      int32_t width, const vf y[PARTS])
{
    float narrow_f32[LANES];
    uint8_t narrow_u8[LANES];
    size_t at = (size_t)row * target->stride + (size_t)column;
    if (target->f32) {
        float *out = width == LANES ? target->f32 + at : narrow_f32;
        for (int part = 0; part < PARTS; part++)
            vf_store(out + part * VL, apply(step, y[part]));
        if (width < LANES)
            memcpy(target->f32 + at, narrow_f32, (size_t)width * sizeof(float));
    } else {
        uint8_t *out = width == LANES ? target->u8 + at : narrow_u8;
        for (int part = 0; part < PARTS; part++)
            vi_store_u8(out + part * VL, quantised(apply(step, y[part]), &target->quantiser));
        if (width < LANES)
            memcpy(target->u8 + at, narrow_u8, (size_t)width);
    }
}

/* Calls put(STEP) with the step as a constant, so that loops do not test it. */
#define WITH_STEP(step, put)                                                                                  \
    switch (step) {                                                                                           \
    case LLMC_STEP_NONE:                                                                                      \
        put(LLMC_STEP_NONE);                                                                                  \
        break;                                                                                                \
    case LLMC_STEP_GELU:                                                                                      \
        put(LLMC_STEP_GELU);                                                                                  \
        break;                                                                                                \
    case LLMC_STEP_GELU_TANH:                                                                                 \
        put(LLMC_STEP_GELU_TANH);                                                                             \
        break;                                                                                                \
    case LLMC_STEP_RELU:                                                                                      \
        put(LLMC_STEP_RELU);                                                                                  \
        break;                                                                                                \
    case LLMC_STEP_TANH:                                                                                      \
        put(LLMC_STEP_TANH);                                                                                  \
        break;                                                                                                \
    }

/* ---- linear layers ---- */

INLINE void put_tile_i8(const struct llmc_weights_i8 *weights, int32_t first, int panels, int64_t row, int rows,
                        const int32_t *sums, const struct llmc_target *target, enum llmc_step step)
{
    for (int r = 0; r < rows; r++) {
        for (int p = 0; p < panels; p++) {
            int32_t column = (first + p) * LLMC_PANEL;
            const int32_t *sum = sums + (r * I8_PANELS + p) * LLMC_PANEL;
            vf y[PARTS];
            for (int part = 0; part < PARTS; part++) {
                int32_t at = column + part * VL;
                vf whole = vf_from_vi(vi_load(sum + part * VL) - vi_load(weights->correction + at));
                y[part] = whole * vf_load(weights->scale + at) + vf_load(weights->bias + at);
            }
            put_panel(target, step, row + r, column, smaller(weights->n - column, LANES), y);
        }
    }
}

/* Panels outside, rows inside: the weights of a tile stay in the nearest cache
 * while all rows pass. Rows are shared out evenly: 25 of them in tiles of at
 * most 6 are 5 tiles of 5, not 4 of 6 and one of 1. */
static void linear_i8(const struct llmc_weights_i8 *weights, int32_t first, int32_t last, const uint8_t *x,
                      size_t stride, int64_t m, const struct llmc_target *target)
{
    int32_t sums[I8_ROWS * I8_PANELS * LLMC_PANEL] __attribute__((aligned(64)));
    size_t panel_nbytes = (size_t)weights->k_groups * LLMC_PANEL * 4;
    for (int32_t panel = first; panel < last; panel += I8_PANELS) {
        int panels = smaller(last - panel, I8_PANELS);
        const int8_t *b = weights->panels + (size_t)panel * panel_nbytes;
        int64_t tiles = (m + I8_ROWS - 1) / I8_ROWS;
        for (int64_t row = 0; row < m; tiles--) {
            int rows = (int)((m - row + tiles - 1) / tiles);
            tile_i8(rows, panels, x + (size_t)row * stride, stride, b, panel_nbytes, weights->k_groups, sums);
#define PUT(STEP) put_tile_i8(weights, panel, panels, row, rows, sums, target, STEP)
            WITH_STEP(target->step, PUT)
#undef PUT
            row += rows;
        }
    }
}

/* One running sum per output, over k in order: the same bits for every tile size. */
INLINE void tile_f32(const int rows, const int panels, const float *x, size_t stride, const float *b,
                     size_t panel_count, int32_t k, float *sums)
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
            vf value = vf_set(x[(size_t)r * stride + (size_t)i]);
#pragma GCC unroll 16
            for (int v = 0; v < panels * PARTS; v++)
                sum[r][v] += value * w[v];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int v = 0; v < panels * PARTS; v++)
            vf_store(sums + r * F32_PANELS * LLMC_PANEL + v * VL, sum[r][v]);
}

enum { F32_ROWS_FEW = F32_ROWS < 4 ? 1 : 4 };

/* Whole tiles by the fast loop; what is left by a lower tile, then row by row and panel by panel. */
static void tile_f32_any(int rows, int panels, const float *x, size_t stride, const float *b, size_t panel_count,
                         int32_t k, float *sums)
{
    if (rows == F32_ROWS && panels == F32_PANELS) {
        tile_f32(F32_ROWS, F32_PANELS, x, stride, b, panel_count, k, sums);
        return;
    }
    int row = 0;
    for (; row + F32_ROWS_FEW <= rows && panels == F32_PANELS; row += F32_ROWS_FEW)
        tile_f32(F32_ROWS_FEW, F32_PANELS, x + (size_t)row * stride, stride, b, panel_count, k,
                 sums + row * F32_PANELS * LLMC_PANEL);
    for (; row < rows; row++)
        for (int p = 0; p < panels; p++)
            tile_f32(1, 1, x + (size_t)row * stride, stride, b + (size_t)p * panel_count, panel_count, k,
                     sums + (row * F32_PANELS + p) * LLMC_PANEL);
}

INLINE void put_tile_f32(const struct llmc_weights_f32 *weights, int32_t first, int panels, int64_t row, int rows,
                         const float *sums, const struct llmc_target *target, enum llmc_step step)
{
    for (int r = 0; r < rows; r++) {
        for (int p = 0; p < panels; p++) {
            int32_t column = (first + p) * LLMC_PANEL;
            const float *sum = sums + (r * F32_PANELS + p) * LLMC_PANEL;
            vf y[PARTS];
            for (int part = 0; part < PARTS; part++) {
                y[part] = vf_load(sum + part * VL);
                if (weights->bias)
                    y[part] += vf_load(weights->bias + column + part * VL);
            }
            put_panel(target, step, row + r, column, smaller(weights->n - column, LANES), y);
        }
    }
}

static void linear_f32(const struct llmc_weights_f32 *weights, int32_t first, int32_t last, const float *x,
                       size_t stride, int64_t m, const struct llmc_target *target)
{
    float sums[F32_ROWS * F32_PANELS * LLMC_PANEL] __attribute__((aligned(64)));
    size_t panel_count = (size_t)weights->k * LLMC_PANEL;
    for (int32_t panel = first; panel < last; panel += F32_PANELS) {
        int panels = smaller(last - panel, F32_PANELS);
        const float *b = weights->panels + (size_t)panel * panel_count;
        for (int64_t row = 0; row < m; row += F32_ROWS) {
            int rows = smaller(m - row, F32_ROWS);
            tile_f32_any(rows, panels, x + (size_t)row * stride, stride, b, panel_count, weights->k, sums);
#define PUT(STEP) put_tile_f32(weights, panel, panels, row, rows, sums, target, STEP)
            WITH_STEP(target->step, PUT)
#undef PUT
        }
    }
}

/* ---- rows ---- */

/* The sum of 16 lanes and of the `tail` numbers that did not fill them, in one fixed order. */
INLINE float total(const vf sum[PARTS], const float *tail, int tail_count)
{
    float lane[LANES];
    for (int part = 0; part < PARTS; part++)
        vf_store(lane + part * VL, sum[part]);
    for (int i = 0; i < tail_count; i++)
        lane[i] += tail[i];
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++)
            lane[i] += lane[i + step];
    return lane[0];
}

static void layer_norm(float *x, const float *residual, int32_t n, const float *weight, const float *bias,
                       float epsilon)
{
    vf sum[PARTS];
    float squares[LANES];
    int32_t whole = n / LANES * LANES;
    int tail = n - whole;
    for (int part = 0; part < PARTS; part++)
        sum[part] = vf_set(0.0f);
    for (int32_t i = 0; i < whole; i += LANES) {
        for (int part = 0; part < PARTS; part++) {
            float *at = x + i + part * VL;
            vf value = vf_load(at);
            if (residual)
                value += vf_load(residual + i + part * VL);
            vf_store(at, value);
            sum[part] += value;
        }
    }
    for (int32_t i = whole; residual && i < n; i++)
        x[i] += residual[i];
    float mean = total(sum, x + whole, tail) / (float)n;

    for (int part = 0; part < PARTS; part++)
        sum[part] = vf_set(0.0f);
    for (int32_t i = 0; i < whole; i += LANES) {
        for (int part = 0; part < PARTS; part++) {
            vf centred = vf_load(x + i + part * VL) - vf_set(mean);
            sum[part] += centred * centred;
        }
    }
    for (int i = 0; i < tail; i++)
        squares[i] = (x[whole + i] - mean) * (x[whole + i] - mean);
    float factor = 1.0f / sqrtf(total(sum, squares, tail) / (float)n + epsilon);

    int32_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store(x + i, (vf_load(x + i) - vf_set(mean)) * vf_set(factor) * vf_load(weight + i) + vf_load(bias + i));
    for (; i < n; i++)
        x[i] = (x[i] - mean) * factor * weight[i] + bias[i];
}

static void softmax(float *x, int32_t n, float scale)
{
    vf sum[PARTS];
    float last[LANES] = {0};
    int32_t whole = n / LANES * LANES;
    int tail = n - whole;
    float highest = -INFINITY;
    for (int32_t i = 0; i < n; i++) {
        x[i] *= scale;
        highest = x[i] > highest ? x[i] : highest;
    }
    for (int part = 0; part < PARTS; part++)
        sum[part] = vf_set(0.0f);
    for (int32_t i = 0; i < whole; i += LANES) {
        for (int part = 0; part < PARTS; part++) {
            vf value = vf_exp(vf_load(x + i + part * VL) - vf_set(highest));
            vf_store(x + i + part * VL, value);
            sum[part] += value;
        }
    }
    if (tail) {
        memcpy(last, x + whole, (size_t)tail * sizeof(float));
        for (int part = 0; part < PARTS; part++)
            vf_store(last + part * VL, vf_exp(vf_load(last + part * VL) - vf_set(highest)));
        memcpy(x + whole, last, (size_t)tail * sizeof(float));
    }
    float factor = 1.0f / total(sum, last, tail);
    for (int32_t i = 0; i < n; i++)
        x[i] *= factor;
}

static void quantise(uint8_t *q, const float *x, int32_t n, const struct llmc_quantiser *quantiser)
{
    float last[VL] = {0};
    uint8_t last_q[VL];
    int32_t i = 0;
    for (; i + VL <= n; i += VL)
        vi_store_u8(q + i, quantised(vf_load(x + i), quantiser));
    if (i < n) {
        memcpy(last, x + i, (size_t)(n - i) * sizeof(float));
        vi_store_u8(last_q, quantised(vf_load(last), quantiser));
        memcpy(q + i, last_q, (size_t)(n - i));
    }
}

static void add_i8(float *out, const int8_t *x, int32_t n, float scale)
{
    int32_t i = 0;
    for (; i + LANES <= n; i += VL)
        vf_store(out + i, vf_load(out + i) + vf_from_i8(x + i) * vf_set(scale));
    for (; i < n; i++)
        out[i] += (float)x[i] * scale;
}

static void add_f16(float *out, const uint16_t *x, int32_t n)
{
    int32_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store(out + i, vf_load(out + i) + vf_from_f16(x + i));
    for (; i < n; i++)
        out[i] += llmc_f32_from_f16(x[i]);
}

static void add_f32(float *out, const float *x, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        out[i] += x[i];
}

const struct llmc_kernels KERNELS = {
    .name = KERNELS_NAME,
    .linear_i8 = linear_i8,
    .linear_f32 = linear_f32,
    .layer_norm = layer_norm,
    .softmax = softmax,
    .quantise = quantise,
    .add_i8 = add_i8,
    .add_f16 = add_f16,
    .add_f32 = add_f32,
};
