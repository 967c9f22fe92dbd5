#include "pipeline/stages/compressed.h"

#include "base/memory.h"
#include "formats/checkpoint/compressed.h"
#include "quantize/pack.h"

#include <string.h>

static llmc_status fill_tensor(const struct llmc_state *state, int32_t index, struct llmc_compressed_tensor *tensor)
{
    llmc_status status = LLMC_OK;
    const struct llmc_parameters *p = &state->model.parameters;
    const struct llmc_parameter *parameter = &p->table[index];
    const float *values = llmc_parameter_values(p, index);
    size_t count = (size_t)(parameter->rows * parameter->cols);
    int32_t site = llmc_site_of_parameter(&p->architecture, index);
    const struct llmc_quantizer *input = site < 0 ? NULL : llmc_bert_site_quantizer(&state->model, site);
    LLMC_TRY(llmc_strdup(&tensor->name, parameter->name));
    tensor->rows = parameter->rows;
    tensor->cols = parameter->cols;
    tensor->bits = parameter->bits;
    if (tensor->bits) {
        tensor->number = LLMC_I8;
        LLMC_TRY(llmc_alloc(&tensor->data, count, 1));
        LLMC_TRY(llmc_alloc(&tensor->scales, (size_t)parameter->rows, sizeof *tensor->scales));
        llmc_pack_rows(values, parameter->rows, parameter->cols, tensor->bits, llmc_parameter_steps(p, index),
                       tensor->data, tensor->scales);
    } else if (llmc_parameter_takes_bits(parameter->kind)) {
        tensor->number = LLMC_F16;
        uint16_t *halves;
        LLMC_TRY(llmc_alloc(&tensor->data, count, sizeof *halves));
        halves = tensor->data;
        for (size_t i = 0; i < count; i++)
            halves[i] = llmc_f16_from_f32(values[i]);
    } else {
        tensor->number = LLMC_F32;
        LLMC_TRY(llmc_alloc(&tensor->data, count, sizeof *values));
        memcpy(tensor->data, values, count * sizeof *values);
    }
    if (input) {
        tensor->has_input = true;
        tensor->input_scale = input->scale;
        tensor->input_zero_point = (int32_t)input->zero_point;
    }
exit:
    return status;
}

llmc_status llmc_run_compress(const struct llmc_state *state, const char *origin, const char *path)
{
    llmc_status status = LLMC_OK;
    const struct llmc_parameters *p = &state->model.parameters;
    struct llmc_compressed content = {.architecture = p->architecture, .tokens_max = state->tokens_max,
                                      .rules = llmc_tokenizer_get_rules(state->tokenizer)};
    const char *vocabulary = llmc_tokenizer_vocabulary(state->tokenizer, &content.vocabulary_nbytes);
    LLMC_TRY(llmc_alloc(&content.vocabulary, content.vocabulary_nbytes + 1, 1));
    memcpy(content.vocabulary, vocabulary, content.vocabulary_nbytes);
    LLMC_TRY(llmc_alloc(&content.labels, (size_t)p->architecture.labels, sizeof *content.labels));
    for (int32_t i = 0; i < p->architecture.labels; i++)
        LLMC_TRY(llmc_strdup(&content.labels[i], state->labels.names[i]));
    LLMC_TRY(llmc_strdup(&content.origin, origin));
    LLMC_TRY(llmc_alloc(&content.tensors, (size_t)p->count, sizeof *content.tensors));
    for (int32_t i = 0; i < p->count; i++) {
        content.tensor_count = i + 1;
        LLMC_TRY(fill_tensor(state, i, &content.tensors[i]));
    }
    LLMC_TRY(llmc_compressed_write(path, &content));
exit:
    llmc_compressed_release(&content);
    return status;
}
