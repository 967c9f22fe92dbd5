#include "tests/runtime/sample_model.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char special[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

static uint32_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(*state >> 33);
}

static llmc_status fill_integers(struct llmc_compressed_tensor *tensor, uint64_t *state, int bits)
{
    llmc_status status = LLMC_OK;
    int8_t *values;
    uint32_t span = (1u << bits) - 1;
    tensor->number = LLMC_I8;
    tensor->bits = bits;
    LLMC_TRY(llmc_alloc(&tensor->data, (size_t)(tensor->rows * tensor->cols), 1));
    LLMC_TRY(llmc_alloc(&tensor->scales, (size_t)tensor->rows, sizeof(float)));
    values = tensor->data;
    for (int64_t i = 0; i < tensor->rows * tensor->cols; i++)
        values[i] = (int8_t)(tensor->sparse && next(state) % 2 ? 0 : (int)(next(state) % span) - (int)(span / 2));
    for (int64_t row = 0; row < tensor->rows; row++)
        tensor->scales[row] = 0.001f + 0.000001f * (float)(next(state) % 1000);
exit:
    return status;
}

static llmc_status fill_floats(struct llmc_compressed_tensor *tensor, uint64_t *state, float centre)
{
    float *values;
    llmc_status status = llmc_alloc(&tensor->data, (size_t)(tensor->rows * tensor->cols), sizeof *values);
    if (status != LLMC_OK)
        return status;
    values = tensor->data;
    tensor->number = LLMC_F32;
    for (int64_t i = 0; i < tensor->rows * tensor->cols; i++)
        values[i] = centre + 0.001f * ((float)(next(state) % 1000) - 500.0f);
    return LLMC_OK;
}

static llmc_status fill_texts(struct llmc_compressed *out)
{
    llmc_status status = LLMC_OK;
    size_t room = sizeof special + (size_t)out->architecture.vocabulary * 12;
    LLMC_TRY(llmc_alloc(&out->vocabulary, room, 1));
    char *end = stpcpy(out->vocabulary, special);
    for (int32_t i = 5; i < out->architecture.vocabulary; i++)
        end += sprintf(end, "w%d\n", i - 5);
    out->vocabulary_nbytes = (size_t)(end - out->vocabulary);
    LLMC_TRY(llmc_alloc(&out->labels, 2, sizeof *out->labels));
    LLMC_TRY(llmc_strdup(&out->labels[0], "no"));
    LLMC_TRY(llmc_strdup(&out->labels[1], "yes"));
    LLMC_TRY(llmc_strdup(&out->origin, "{}"));
exit:
    return status;
}

static llmc_status make(struct llmc_compressed *out, const struct llmc_architecture *architecture, bool even)
{
    llmc_status status = LLMC_OK;
    uint64_t state = 1;
    char name[LLMC_PARAMETER_NAME_NBYTES];
    enum llmc_parameter_kind kind;
    *out = (struct llmc_compressed){
        .architecture = *architecture,
        .tokens_max = 32,
        .rules = {.lowercase = true, .strip_accents = true, .split_chinese = true, .clean = true},
    };
    LLMC_TRY(fill_texts(out));
    int32_t count = llmc_head_parameter(&out->architecture, LLMC_HEAD_PARAMETERS);
    LLMC_TRY(llmc_alloc(&out->tensors, (size_t)count, sizeof *out->tensors));
    out->tensor_count = count;
    for (int32_t i = 0; i < count; i++) {
        struct llmc_compressed_tensor *tensor = &out->tensors[i];
        llmc_parameter_describe(&out->architecture, i, name, &kind, &tensor->rows, &tensor->cols);
        LLMC_TRY(llmc_strdup(&tensor->name, name));
        bool linear = kind == LLMC_PARAMETER_LINEAR && (even || i != llmc_layer_parameter(1, LLMC_OUTPUT_WEIGHT));
        tensor->sparse = linear && i % 2;
        tensor->has_input = linear;
        tensor->input_scale = linear ? 0.03f : 0;
        tensor->input_zero_point = linear ? 120 : 0;
        if (linear || kind == LLMC_PARAMETER_EMBEDDING || kind == LLMC_PARAMETER_TYPES)
            LLMC_TRY(fill_integers(tensor, &state, !linear ? 6 : even ? 8 : 3 + i % 6));
        else
            LLMC_TRY(fill_floats(tensor, &state, strstr(name, "LayerNorm.weight") ? 1.0f : 0.0f));
    }
exit:
    if (status != LLMC_OK)
        llmc_compressed_release(out);
    return status;
}

static struct llmc_architecture architecture_of(int32_t vocabulary, int32_t hidden)
{
    return (struct llmc_architecture){.vocabulary = vocabulary, .positions = 32, .types = 2, .hidden = hidden,
                                      .labels = 2, .activation = LLMC_GELU, .norm_epsilon = 1e-6f};
}

llmc_status sample_model_make(struct llmc_compressed *out, int32_t vocabulary, int32_t hidden, int32_t layers)
{
    struct llmc_architecture architecture = architecture_of(vocabulary, hidden);
    llmc_status status = llmc_architecture_set_layers(&architecture, layers, 2, 2 * hidden);
    return status == LLMC_OK ? make(out, &architecture, true) : status;
}

llmc_status sample_model_make_layered(struct llmc_compressed *out, int32_t vocabulary, int32_t hidden)
{
    struct llmc_architecture architecture = architecture_of(vocabulary, hidden);
    architecture.head_width = hidden / 2;
    architecture.layers = 2;
    architecture.layer[0] = (struct llmc_layer_shape){1, 2 * hidden + 1};
    architecture.layer[1] = (struct llmc_layer_shape){3, 5};
    return make(out, &architecture, false);
}
