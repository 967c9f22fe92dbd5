#include "runtime/forward.h"

#include <math.h>
#include <string.h>

/* Keys [S, d] into panels of 16 keys: [ceil(S / 16)][d][16]. */
static void pack_keys(float *panels, const float *keys, size_t stride, int32_t length, int32_t width)
{
    for (int32_t first = 0; first < length; first += LLMC_PANEL, panels += (size_t)width * LLMC_PANEL) {
        int32_t count = length - first < LLMC_PANEL ? length - first : LLMC_PANEL;
        if (count < LLMC_PANEL)
            memset(panels, 0, (size_t)width * LLMC_PANEL * sizeof *panels);
        for (int32_t key = 0; key < count; key++) {
            const float *from = keys + (size_t)(first + key) * stride;
            for (int32_t i = 0; i < width; i++)
                panels[(size_t)i * LLMC_PANEL + (size_t)key] = from[i];
        }
    }
}

/* Values [S, d] into panels of 16 columns: [ceil(d / 16)][S][16]. */
static void pack_values(float *panels, const float *values, size_t stride, int32_t length, int32_t width)
{
    for (int32_t first = 0; first < width; first += LLMC_PANEL) {
        int32_t count = width - first < LLMC_PANEL ? width - first : LLMC_PANEL;
        for (int32_t row = 0; row < length; row++, panels += LLMC_PANEL) {
            if (count < LLMC_PANEL)
                memset(panels, 0, LLMC_PANEL * sizeof *panels);
            memcpy(panels, values + (size_t)row * stride + first, (size_t)count * sizeof *panels);
        }
    }
}

void llmc_attention(const struct llmc_model *model, struct llmc_scratch *scratch, const float *qkv, int32_t length,
                    int32_t head, int32_t queries, float *context)
{
    const struct llmc_kernels *kernels = model->kernels;
    int32_t hidden = model->architecture.hidden;
    int32_t width = hidden / model->architecture.heads;
    size_t stride = 3 * (size_t)hidden;
    const float *query = qkv + (size_t)head * (size_t)width;
    pack_keys(scratch->keys, query + hidden, stride, length, width);
    pack_values(scratch->values, query + 2 * (size_t)hidden, stride, length, width);
    struct llmc_weights_f32 keys = {.k = width, .n = length, .panels = scratch->keys};
    struct llmc_weights_f32 values = {.k = length, .n = width, .panels = scratch->values};
    struct llmc_target scores = {.f32 = scratch->scores, .stride = (size_t)length};
    float scale = 1.0f / sqrtf((float)width);
    for (int32_t row = 0; row < queries; row += LLMC_QUERY_ROWS) {
        int32_t rows = queries - row < LLMC_QUERY_ROWS ? queries - row : LLMC_QUERY_ROWS;
        kernels->linear_f32(&keys, 0, (length + LLMC_PANEL - 1) / LLMC_PANEL, query + (size_t)row * stride, stride,
                            rows, &scores);
        for (int32_t r = 0; r < rows; r++)
            kernels->softmax(scratch->scores + (size_t)r * (size_t)length, length, scale);
        struct llmc_target out = {
            .f32 = context + (size_t)row * (size_t)hidden + (size_t)head * (size_t)width, .stride = (size_t)hidden};
        kernels->linear_f32(&values, 0, (width + LLMC_PANEL - 1) / LLMC_PANEL, scratch->scores, (size_t)length, rows,
                            &out);
    }
}
