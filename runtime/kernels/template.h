/*
 * What all processor levels do alike, on vectors. Included once by each level's
 * .c file behind its vector_*.h and the definitions of
 *
 *     KERNELS, KERNELS_NAME     the symbol and the name of the level
 *     F32_ROWS, F32_PANELS      the largest tile of the FP32 product; chosen so
 *                               that its sums stay in registers
 *     linear_i8                 the integer layer, mostly from linear_i8.h
 *
 * Nothing here may depend on the vector width VL but the order of independent work.
 */
#include "runtime/kernels/target.h"

#include <math.h>

/* ---- linear layers in FP32 ---- */

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
