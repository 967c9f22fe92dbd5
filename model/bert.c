#include "model/bert.h"

#include "base/memory.h"
#include "model/layer_weights.h"

#include <stdlib.h>
#include <string.h>

llmc_status llmc_bert_init(struct llmc_bert *model, const struct llmc_architecture *architecture,
                           enum llmc_number number)
{
    memset(model, 0, sizeof *model);
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_parameters_init(&model->parameters, architecture));
    LLMC_TRY(llmc_alloc(&model->weights.pooler, (size_t)architecture->hidden * (size_t)architecture->hidden,
                        sizeof(float)));
    model->weights.number = number;
exit:
    if (status != LLMC_OK)
        llmc_bert_release(model);
    return status;
}

void llmc_bert_release(struct llmc_bert *model)
{
    llmc_parameters_release(&model->parameters);
    free(model->weights.layers);
    free(model->weights.pooler);
    memset(model, 0, sizeof *model);
}

static int64_t layer_weight_count(const struct llmc_architecture *a)
{
    return 4 * (int64_t)a->hidden * a->hidden + 2 * (int64_t)a->hidden * a->ffn;
}

void llmc_bert_set_number(struct llmc_bert *model, enum llmc_number number)
{
    if (model->weights.number == number)
        return;
    free(model->weights.layers);
    model->weights.layers = NULL;
    model->weights.number = number;
}

static struct llmc_operand operand_at(const struct llmc_bert *model, char **next, int64_t rows, int64_t cols)
{
    struct llmc_operand operand = {*next, model->weights.form, model->weights.number, rows, cols};
    *next += llmc_operand_nbytes(&operand);
    return operand;
}

static size_t layer_nbytes(const struct llmc_bert *model)
{
    int64_t hidden = model->parameters.architecture.hidden;
    struct llmc_operand all = {NULL, model->weights.form, model->weights.number, hidden,
                               layer_weight_count(&model->parameters.architecture) / hidden};
    return llmc_operand_nbytes(&all); /* padding aside, of which packed weights have none */
}

struct llmc_layer_weights llmc_layer_weights(const struct llmc_bert *model, int32_t layer)
{
    const struct llmc_architecture *a = &model->parameters.architecture;
    int64_t hidden = a->hidden, ffn = a->ffn;
    char *next = (char *)model->weights.layers + (size_t)layer * layer_nbytes(model);
    struct llmc_layer_weights w;
    w.qkv = operand_at(model, &next, 3 * hidden, hidden);
    w.attention_output = operand_at(model, &next, hidden, hidden);
    w.intermediate = operand_at(model, &next, ffn, hidden);
    w.output = operand_at(model, &next, hidden, ffn);
    return w;
}

struct llmc_operand llmc_pooler_weight(const struct llmc_bert *model)
{
    int32_t hidden = model->parameters.architecture.hidden;
    return (struct llmc_operand){model->weights.pooler, LLMC_OPERAND_F32, LLMC_F32, hidden, hidden};
}

struct llmc_operand llmc_classifier_weight(const struct llmc_bert *model)
{
    const struct llmc_architecture *a = &model->parameters.architecture;
    float *values = llmc_parameter_values(&model->parameters, llmc_head_parameter(a, LLMC_CLASSIFIER_WEIGHT));
    return (struct llmc_operand){values, LLMC_OPERAND_F32, LLMC_F32, a->labels, a->hidden};
}

struct llmc_weight_copy llmc_bert_weight_copy(const struct llmc_bert *model, int32_t index)
{
    const struct llmc_architecture *a = &model->parameters.architecture;
    struct llmc_weight_copy copy = {.integer_limit = model->fake.weight_limit};
    int32_t in_layer = index - LLMC_FIRST_LAYER;
    if (index == llmc_head_parameter(a, LLMC_POOLER_WEIGHT))
        copy.operand = llmc_pooler_weight(model);
    if (in_layer < 0 || in_layer >= a->layers * LLMC_LAYER_PARAMETERS)
        return copy;
    struct llmc_layer_weights w = llmc_layer_weights(model, in_layer / LLMC_LAYER_PARAMETERS);
    switch (in_layer % LLMC_LAYER_PARAMETERS) {
    case LLMC_QUERY_WEIGHT: copy.operand = w.qkv; break;
    case LLMC_KEY_WEIGHT: copy.operand = w.qkv, copy.first_row = a->hidden; break;
    case LLMC_VALUE_WEIGHT: copy.operand = w.qkv, copy.first_row = 2 * (int64_t)a->hidden; break;
    case LLMC_ATTENTION_OUTPUT_WEIGHT: copy.operand = w.attention_output; break;
    case LLMC_INTERMEDIATE_WEIGHT: copy.operand = w.intermediate; break;
    case LLMC_OUTPUT_WEIGHT: copy.operand = w.output; break;
    }
    return copy;
}

llmc_status llmc_bert_prepare(struct llmc_bert *model, struct llmc_ops *ops)
{
    const struct llmc_parameters *p = &model->parameters;
    const struct llmc_architecture *a = &p->architecture;
    llmc_status status = llmc_ops_reserve(ops, a->ffn > a->hidden ? a->ffn : a->hidden, 1, 1);
    if (status != LLMC_OK)
        return status;
    enum llmc_operand_form form = llmc_gemm_weight_form(&ops->gemm, model->weights.number, a->hidden, a->ffn);
    if (!model->weights.layers || model->weights.form != form) {
        free(model->weights.layers);
        model->weights.form = form;
        status = llmc_alloc(&model->weights.layers, (size_t)a->layers, layer_nbytes(model));
        if (status != LLMC_OK)
            return status;
    }
    for (int32_t i = 0; i < p->count; i++) {
        struct llmc_weight_copy copy = llmc_bert_weight_copy(model, i);
        if (copy.operand.data)
            llmc_op_cast_weight(ops, llmc_parameter_values(p, i), p->table[i].rows, &copy);
    }
    return LLMC_OK;
}

int32_t llmc_site_of_parameter(const struct llmc_architecture *a, int32_t index)
{
    static const int8_t sites[LLMC_LAYER_PARAMETERS] = {
        [LLMC_QUERY_WEIGHT] = 1 + LLMC_SITE_QKV,
        [LLMC_KEY_WEIGHT] = 1 + LLMC_SITE_QKV,
        [LLMC_VALUE_WEIGHT] = 1 + LLMC_SITE_QKV,
        [LLMC_ATTENTION_OUTPUT_WEIGHT] = 1 + LLMC_SITE_ATTENTION_OUTPUT,
        [LLMC_INTERMEDIATE_WEIGHT] = 1 + LLMC_SITE_INTERMEDIATE,
        [LLMC_OUTPUT_WEIGHT] = 1 + LLMC_SITE_OUTPUT,
    };
    if (index == llmc_head_parameter(a, LLMC_POOLER_WEIGHT))
        return a->layers * LLMC_LAYER_SITES;
    if (index < LLMC_FIRST_LAYER || index >= llmc_head_parameter(a, 0))
        return -1;
    int32_t layer = (index - LLMC_FIRST_LAYER) / LLMC_LAYER_PARAMETERS;
    int32_t site = sites[(index - LLMC_FIRST_LAYER) % LLMC_LAYER_PARAMETERS] - 1;
    return site < 0 ? -1 : layer * LLMC_LAYER_SITES + site;
}

double llmc_bert_macs(const struct llmc_architecture *a, double tokens, double tokens_squared)
{
    double hidden = a->hidden;
    double linear = tokens * (double)layer_weight_count(a);
    double attention = 2 * hidden * tokens_squared;
    return a->layers * (linear + attention) + hidden * hidden + hidden * a->labels;
}

llmc_status llmc_gradients_init(struct llmc_gradients *gradients, const struct llmc_parameters *parameters)
{
    llmc_status status = LLMC_OK;
    memset(gradients, 0, sizeof *gradients);
    LLMC_TRY(llmc_alloc(&gradients->dense, (size_t)(parameters->total - parameters->dense_begin), sizeof(float)));
    LLMC_TRY(llmc_alloc(&gradients->dscales, (size_t)llmc_site_count(&parameters->architecture), sizeof(double)));
exit:
    if (status != LLMC_OK)
        llmc_gradients_release(gradients);
    return status;
}

void llmc_gradients_release(struct llmc_gradients *gradients)
{
    free(gradients->dense);
    free(gradients->rows);
    free(gradients->row_values);
    free(gradients->dscales);
    free(gradients->order);
    free(gradients->starts);
    free(gradients->keys);
    memset(gradients, 0, sizeof *gradients);
}
