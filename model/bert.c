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
    LLMC_TRY(llmc_alloc(&model->weights.layers, (size_t)architecture->layers, sizeof *model->weights.layers));
    LLMC_TRY(llmc_alloc(&model->weights.pooler, (size_t)architecture->hidden * (size_t)architecture->hidden,
                        sizeof(float)));
    LLMC_TRY(llmc_alloc(&model->weights.projection, (size_t)architecture->hidden * (size_t)architecture->embedding_rank,
                        sizeof(float)));
    model->task = &llmc_task_single_label;
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
    free(model->weights.memory);
    free(model->weights.pooler);
    free(model->weights.projection);
    memset(model, 0, sizeof *model);
}

static void drop_copies(struct llmc_bert *model)
{
    free(model->weights.memory);
    model->weights.memory = NULL;
    model->weights.memory_nbytes = 0;
}

llmc_status llmc_bert_take(struct llmc_bert *model, struct llmc_parameters *parameters)
{
    struct llmc_layer_weights *layers;
    llmc_status status = llmc_alloc(&layers, (size_t)parameters->architecture.layers, sizeof *layers);
    if (status != LLMC_OK)
        return status;
    drop_copies(model);
    free(model->weights.layers);
    model->weights.layers = layers;
    llmc_parameters_release(&model->parameters);
    model->parameters = *parameters;
    memset(parameters, 0, sizeof *parameters);
    return LLMC_OK;
}

void llmc_bert_set_number(struct llmc_bert *model, enum llmc_number number)
{
    if (model->weights.number == number)
        return;
    drop_copies(model);
    model->weights.number = number;
}

static struct llmc_operand operand_at(void *memory, size_t *used, struct llmc_operand operand)
{
    operand.data = memory ? (char *)memory + *used : NULL;
    *used += llmc_operand_nbytes(&operand);
    return operand;
}

/* Views of `memory` in the form that fits all weights of each layer; NULL: only counts the bytes. */
static size_t lay_out(struct llmc_bert *model, const struct llmc_gemm *gemm, void *memory)
{
    const struct llmc_architecture *a = &model->parameters.architecture;
    enum llmc_number number = model->weights.number;
    size_t used = 0;
    for (int32_t i = 0; i < a->layers; i++) {
        int64_t hidden = a->hidden, attention = llmc_architecture_attention(a, i), ffn = a->layer[i].ffn;
        enum llmc_operand_form form = llmc_gemm_weight_form(gemm, number, hidden, ffn);
        if (form == LLMC_OPERAND_PACKED)
            form = llmc_gemm_weight_form(gemm, number, hidden, attention);
        struct llmc_layer_weights *w = &model->weights.layers[i];
        used = (used + LLMC_ALIGNMENT - 1) / LLMC_ALIGNMENT * LLMC_ALIGNMENT;
        w->qkv = operand_at(memory, &used, llmc_operand(NULL, form, number, 3 * attention, hidden));
        w->attention_output = operand_at(memory, &used, llmc_operand(NULL, form, number, hidden, attention));
        w->intermediate = operand_at(memory, &used, llmc_operand(NULL, form, number, ffn, hidden));
        w->output = operand_at(memory, &used, llmc_operand(NULL, form, number, hidden, ffn));
    }
    return used;
}

struct llmc_operand llmc_pooler_weight(const struct llmc_bert *model)
{
    int32_t hidden = model->parameters.architecture.hidden;
    return llmc_operand(model->weights.pooler, LLMC_OPERAND_F32, LLMC_F32, hidden, hidden);
}

struct llmc_operand llmc_projection_weight(const struct llmc_bert *model)
{
    const struct llmc_architecture *a = &model->parameters.architecture;
    return llmc_operand(model->weights.projection, LLMC_OPERAND_F32, LLMC_F32, a->hidden, a->embedding_rank);
}

struct llmc_operand llmc_classifier_weight(const struct llmc_bert *model)
{
    const struct llmc_architecture *a = &model->parameters.architecture;
    float *values = llmc_parameter_values(&model->parameters, llmc_head_parameter(a, LLMC_CLASSIFIER_WEIGHT));
    return llmc_operand(values, LLMC_OPERAND_F32, LLMC_F32, a->labels, a->hidden);
}

struct llmc_rounding llmc_bert_rounding(const struct llmc_parameters *p, int32_t index)
{
    return (struct llmc_rounding){(float)llmc_integer_limit(p->table[index].bits), llmc_parameter_steps(p, index)};
}

struct llmc_weight_copy llmc_bert_weight_copy(const struct llmc_bert *model, int32_t index)
{
    const struct llmc_architecture *a = &model->parameters.architecture;
    struct llmc_weight_copy copy = {.rounding = llmc_bert_rounding(&model->parameters, index)};
    int32_t in_layer = index - LLMC_FIRST_LAYER;
    if (index == llmc_head_parameter(a, LLMC_POOLER_WEIGHT))
        copy.operand = llmc_pooler_weight(model);
    else if (index == llmc_head_parameter(a, LLMC_WORD_PROJECTION))
        copy.operand = llmc_projection_weight(model);
    if (in_layer < 0 || in_layer >= a->layers * LLMC_LAYER_PARAMETERS)
        return copy;
    int32_t layer = in_layer / LLMC_LAYER_PARAMETERS;
    struct llmc_layer_weights w = model->weights.layers[layer];
    int64_t attention = llmc_architecture_attention(a, layer);
    switch (in_layer % LLMC_LAYER_PARAMETERS) {
    case LLMC_QUERY_WEIGHT: copy.operand = w.qkv; break;
    case LLMC_KEY_WEIGHT: copy.operand = w.qkv, copy.first_row = attention; break;
    case LLMC_VALUE_WEIGHT: copy.operand = w.qkv, copy.first_row = 2 * attention; break;
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
    int32_t ffn = llmc_architecture_widest(a).ffn, attention = llmc_architecture_widest(a).heads * a->head_width;
    int32_t widest = ffn > attention ? ffn : attention;
    llmc_status status = llmc_ops_reserve(ops, widest > a->hidden ? widest : a->hidden, 1, 1);
    if (status != LLMC_OK)
        return status;
    size_t nbytes = lay_out(model, &ops->gemm, NULL);
    if (model->weights.memory_nbytes != nbytes) {
        free(model->weights.memory);
        model->weights.memory_nbytes = 0;
        status = llmc_alloc(&model->weights.memory, nbytes, 1);
        if (status != LLMC_OK)
            return status;
        model->weights.memory_nbytes = nbytes;
    }
    lay_out(model, &ops->gemm, model->weights.memory);
    for (int32_t i = 0; i < p->count; i++) {
        struct llmc_weight_copy copy = llmc_bert_weight_copy(model, i);
        if (copy.operand.data)
            llmc_op_cast_weight(ops, llmc_parameter_values(p, i), p->table[i].rows, &copy);
    }
    return LLMC_OK;
}

const struct llmc_quantizer *llmc_bert_site_quantizer(const struct llmc_bert *model, int32_t site)
{
    const struct llmc_parameters *p = &model->parameters;
    if (!model->inputs)
        return NULL;
    /* Weights that share an input run in integers together, or not at all. */
    for (int32_t i = 0, first = llmc_layer_parameter(site / LLMC_LAYER_SITES, 0); i < LLMC_LAYER_PARAMETERS; i++)
        if (llmc_site_of_parameter(&p->architecture, first + i) == site && !p->table[first + i].bits)
            return NULL;
    return &model->inputs[site];
}

double llmc_bert_macs(const struct llmc_architecture *a, double tokens, double tokens_squared, bool first_query)
{
    double hidden = a->hidden, macs = hidden * hidden + hidden * a->labels + tokens * hidden * a->embedding_rank;
    for (int32_t i = 0; i < a->layers; i++) {
        double attention = llmc_architecture_attention(a, i), ffn = a->layer[i].ffn;
        bool last = i + 1 == a->layers, one = last && first_query;
        double further = last ? 1 : tokens, queries = one ? 1 : tokens, pairs = one ? tokens : tokens_squared;
        macs += hidden * (attention * (2 * tokens + queries + further) + 2 * ffn * further) + 2 * attention * pairs;
    }
    return macs;
}

llmc_status llmc_gradients_init(struct llmc_gradients *gradients, const struct llmc_parameters *parameters)
{
    llmc_status status = LLMC_OK;
    memset(gradients, 0, sizeof *gradients);
    LLMC_TRY(llmc_alloc(&gradients->dense, (size_t)(parameters->total - parameters->dense_begin), sizeof(float)));
    LLMC_TRY(llmc_alloc(&gradients->dsteps, (size_t)parameters->step_count, sizeof *gradients->dsteps));
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
    free(gradients->dsteps);
    free(gradients->row_dsteps);
    free(gradients->order);
    free(gradients->starts);
    free(gradients->keys);
    memset(gradients, 0, sizeof *gradients);
}
