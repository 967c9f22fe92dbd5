#include "base/memory.h"
#include "runtime/model.h"

#include <stdlib.h>
#include <string.h>

static int64_t panels_of(int64_t outputs)
{
    return (outputs + LLMC_PANEL - 1) / LLMC_PANEL;
}

/* Row `row` of integers into output `n` of the panels; returns the sum of the row. */
static int32_t pack_row_i8(int8_t *panels, int32_t k_groups, const struct llmc_compressed_tensor *weight, int64_t row,
                           int64_t n)
{
    const int8_t *from = (const int8_t *)weight->data + row * weight->cols;
    int8_t *to = panels + (n / LLMC_PANEL * k_groups * LLMC_PANEL + n % LLMC_PANEL) * 4;
    int32_t sum = 0;
    for (int64_t k = 0; k < weight->cols; k++)
        sum += from[k];
    for (int64_t k = 0; k < weight->cols; k += 4, to += 4 * LLMC_PANEL)
        memcpy(to, from + k, (size_t)(weight->cols - k < 4 ? weight->cols - k : 4));
    return sum;
}

static llmc_status pack_i8(struct llmc_rt_linear *out, const struct llmc_compressed_tensor *weights, int count,
                           int32_t outputs, int32_t inputs)
{
    llmc_status status = LLMC_OK;
    int8_t *panels = NULL;
    int32_t *start = NULL;
    float *scale = NULL;
    size_t padded = (size_t)out->panels * LLMC_PANEL;
    int32_t k_groups = (inputs + LLMC_K_STEP - 1) / LLMC_K_STEP * (LLMC_K_STEP / 4);
    status = llmc_alloc(&panels, padded * (size_t)k_groups, 4);
    out->memory[0] = panels;
    LLMC_TRY(status);
    status = llmc_alloc(&start, padded, sizeof *start);
    out->memory[1] = start;
    LLMC_TRY(status);
    status = llmc_alloc(&scale, padded, sizeof *scale);
    out->memory[2] = scale;
    LLMC_TRY(status);
    for (int i = 0; i < count; i++) {
        int64_t n = i * panels_of(weights[i].rows) * LLMC_PANEL;
        for (int64_t row = 0; row < weights[i].rows; row++, n++) {
            start[n] = -weights[i].input_zero_point * pack_row_i8(panels, k_groups, &weights[i], row, n);
            scale[n] = weights[i].input_scale * weights[i].scales[row];
        }
    }
    out->input = (struct llmc_rt_quantiser){1.0f / weights->input_scale, weights->input_zero_point};
    out->i8 = (struct llmc_rt_weights_i8){.k_groups = k_groups, .n = outputs, .panels = panels,
                                       .start = start, .scale = scale};
exit:
    return status;
}

static llmc_status pack_f32(struct llmc_rt_linear *out, const struct llmc_compressed_tensor *weights, int count,
                            int32_t outputs, int32_t inputs)
{
    llmc_status status = LLMC_OK;
    float *panels = NULL, *values = NULL;
    status = llmc_alloc(&panels, (size_t)out->panels * LLMC_PANEL * (size_t)inputs, sizeof *panels);
    out->memory[0] = panels;
    LLMC_TRY(status);
    LLMC_TRY(llmc_alloc(&values, (size_t)inputs, sizeof *values));
    for (int i = 0; i < count; i++) {
        int64_t n = i * panels_of(weights[i].rows) * LLMC_PANEL;
        for (int64_t row = 0; row < weights[i].rows; row++, n++) {
            llmc_tensor_row(&weights[i], row, values);
            float *to = panels + n / LLMC_PANEL * LLMC_PANEL * inputs + n % LLMC_PANEL;
            for (int32_t k = 0; k < inputs; k++)
                to[(int64_t)k * LLMC_PANEL] = values[k];
        }
    }
    out->f32 = (struct llmc_rt_weights_f32){.k = inputs, .n = outputs, .panels = panels};
exit:
    free(values);
    return status;
}

llmc_status llmc_rt_linear_pack(struct llmc_rt_linear *out, const struct llmc_compressed_tensor *weights,
                                const struct llmc_compressed_tensor *biases, int count)
{
    llmc_status status = LLMC_OK;
    float *bias = NULL;
    int32_t inputs = (int32_t)weights->cols;
    int32_t before = (count - 1) * (int32_t)panels_of(weights->rows); /* panels before those of the last weight */
    int32_t outputs = before * LLMC_PANEL + (int32_t)weights->rows;
    out->integer = weights->has_input;
    out->inputs = inputs;
    out->outputs = outputs;
    out->panels = before + (int32_t)panels_of(weights->rows);
    if (out->integer)
        LLMC_TRY(pack_i8(out, weights, count, outputs, inputs));
    else
        LLMC_TRY(pack_f32(out, weights, count, outputs, inputs));
    status = llmc_alloc(&bias, (size_t)out->panels * LLMC_PANEL, sizeof *bias);
    out->memory[3] = bias;
    LLMC_TRY(status);
    for (int i = 0; i < count; i++)
        llmc_tensor_row(&biases[i], 0, bias + i * panels_of(weights[i].rows) * LLMC_PANEL);
    out->i8.bias = bias;
    out->f32.bias = bias;
exit:
    return status;
}

void llmc_rt_linear_release(struct llmc_rt_linear *linear)
{
    for (size_t i = 0; i < sizeof linear->memory / sizeof linear->memory[0]; i++)
        free(linear->memory[i]);
    memset(linear, 0, sizeof *linear);
}
