#include "model/bert.h"

#include "base/clock.h"
#include "base/random.h"
#include "model/activations.h"
#include "model/layer_weights.h"

#include <math.h>

static llmc_status check_batch(const struct llmc_architecture *a, const struct llmc_tokens *batch)
{
    if (batch->sequences < 1 || batch->offsets[0] != 0 || batch->offsets[batch->sequences] != batch->tokens)
        return llmc_error(LLMC_ERR_DATA, "batch of %d texts and %d tokens has wrong offsets", batch->sequences,
                          batch->tokens);
    for (int32_t s = 0; s < batch->sequences; s++) {
        int32_t length = batch->offsets[s + 1] - batch->offsets[s];
        if (length < 1 || length > a->positions)
            return llmc_error(LLMC_ERR_DATA, "text %d of a batch has %d tokens; allowed are 1 to %d", s, length,
                              a->positions);
    }
    for (int32_t t = 0; t < batch->tokens; t++) {
        if (batch->ids[t] < 0 || batch->ids[t] >= a->vocabulary || batch->types[t] >= a->types)
            return llmc_error(LLMC_ERR_DATA,
                              "token %d of a batch has id %d and type %d; allowed are ids below %d, types below %d", t,
                              batch->ids[t], batch->types[t], a->vocabulary, a->types);
    }
    return LLMC_OK;
}

struct llmc_dropout llmc_pass_dropout(const struct llmc_pass *pass, int32_t layer, enum llmc_dropout_place place)
{
    struct llmc_dropout dropout = {0, 0, 1.0f};
    if (pass->dropout > 0) {
        dropout.key = (uint32_t)llmc_random_u64(pass->dropout_key, (uint64_t)layer * LLMC_DROPOUT_PLACES + place);
        dropout.threshold = (uint32_t)(pass->dropout * 4294967296.0);
        dropout.scale = 1.0f / (1.0f - pass->dropout);
    }
    return dropout;
}

struct llmc_norm llmc_norm_at(const struct llmc_parameters *p, int32_t index)
{
    struct llmc_norm norm = {llmc_parameter_values(p, index), llmc_parameter_values(p, index + 1),
                             p->architecture.norm_epsilon};
    return norm;
}

struct llmc_matrix llmc_linear_input(struct llmc_bert *model, struct llmc_ops *ops, int32_t site,
                                     const struct llmc_matrix *x, const struct llmc_matrix *fake)
{
    const struct llmc_quantizer *quantizer = llmc_bert_site_quantizer(model, site);
    if (!quantizer)
        return *x;
    struct llmc_matrix y = llmc_matrix_within(fake, x->rows, x->cols);
    llmc_op_fake_input(ops, quantizer, x, &y);
    return y;
}

/* product = quantised(x) . weight^T, with the range of x observed where asked. */
static llmc_status linear(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_pass *pass, int32_t site,
                          const struct llmc_matrix *x, const struct llmc_matrix *fake,
                          const struct llmc_operand *weight, struct llmc_matrix *product)
{
    llmc_status status = LLMC_OK;
    struct llmc_operand operand;
    if (pass->observed)
        llmc_op_min_max(ops, x, &pass->observed[site].min, &pass->observed[site].max);
    struct llmc_matrix input = llmc_linear_input(model, ops, site, x, fake);
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, &input, &operand));
    LLMC_TRY(llmc_gemm_run(&ops->gemm, LLMC_GEMM_NT, &operand, weight, product));
exit:
    return status;
}

/* What only backward reads is not written without it. */
static const struct llmc_matrix *if_kept(const struct llmc_pass *pass, const struct llmc_matrix *matrix)
{
    return pass->keep ? matrix : NULL;
}

static llmc_status layer_forward(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_pass *pass,
                                 int32_t layer, const struct llmc_matrix *x,
                                 const struct llmc_common_activations *common,
                                 const struct llmc_layer_activations *act)
{
    const struct llmc_parameters *p = &model->parameters;
    struct llmc_layer_weights w = model->weights.layers[layer];
    struct llmc_sequences sequences = {pass->batch.sequences, pass->batch.offsets};
    int32_t first = llmc_layer_parameter(layer, 0), site = layer * LLMC_LAYER_SITES;
    const float *bias;
    struct llmc_matrix product, input = *x, context = act->context;
    struct llmc_norm norm;
    struct llmc_dropout dropout;
    llmc_status status = LLMC_OK;

    LLMC_TRY(linear(model, ops, pass, site + LLMC_SITE_QKV, x, &common->fake, &w.qkv, &product));
    llmc_op_bias(ops, &product, llmc_parameter_values(p, first + LLMC_QUERY_BIAS), &act->qkv);
    dropout = llmc_pass_dropout(pass, layer, LLMC_DROPOUT_ATTENTION);
    double start = llmc_clock();
    llmc_op_attention(ops, &act->qkv, &sequences, p->architecture.layer[layer].heads, &dropout, &act->context, act->lse);
    ops->attention_seconds += llmc_clock() - start;

    if (act->out.rows < x->rows) { /* the last layer, whose other tokens have done their part */
        input = common->first_input;
        context = common->first_context;
        llmc_op_pick_rows(ops, x, sequences.offsets, &input);
        llmc_op_pick_rows(ops, &act->context, sequences.offsets, &context);
    }
    LLMC_TRY(linear(model, ops, pass, site + LLMC_SITE_ATTENTION_OUTPUT, &context, &common->fake, &w.attention_output,
                    &product));
    bias = llmc_parameter_values(p, first + LLMC_ATTENTION_OUTPUT_BIAS);
    norm = llmc_norm_at(p, first + LLMC_ATTENTION_NORM_WEIGHT);
    dropout = llmc_pass_dropout(pass, layer, LLMC_DROPOUT_ATTENTION_OUTPUT);
    llmc_op_residual_norm(ops, &product, bias, &dropout, &input, &norm, if_kept(pass, &act->middle_norm), act->middle_rstd,
                          &act->middle);

    LLMC_TRY(linear(model, ops, pass, site + LLMC_SITE_INTERMEDIATE, &act->middle, &common->fake, &w.intermediate,
                    &product));
    bias = llmc_parameter_values(p, first + LLMC_INTERMEDIATE_BIAS);
    llmc_op_bias_activation(ops, &product, bias, p->architecture.activation, if_kept(pass, &act->before), &act->after);

    LLMC_TRY(linear(model, ops, pass, site + LLMC_SITE_OUTPUT, &act->after, &common->fake, &w.output, &product));
    bias = llmc_parameter_values(p, first + LLMC_OUTPUT_BIAS);
    norm = llmc_norm_at(p, first + LLMC_OUTPUT_NORM_WEIGHT);
    dropout = llmc_pass_dropout(pass, layer, LLMC_DROPOUT_OUTPUT);
    llmc_op_residual_norm(ops, &product, bias, &dropout, &act->middle, &norm, if_kept(pass, &act->out_norm),
                          act->out_rstd, &act->out);
exit:
    return status;
}

/* logits = classifier(dropout(tanh(pooler(first token)))), all in FP32. */
static llmc_status head_forward(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_pass *pass,
                                const struct llmc_matrix *last, const struct llmc_common_activations *common,
                                float *logits)
{
    const struct llmc_parameters *p = &model->parameters;
    const struct llmc_architecture *a = &p->architecture;
    struct llmc_operand pooler = llmc_pooler_weight(model), classifier = llmc_classifier_weight(model), pooled;
    struct llmc_matrix out = llmc_matrix(logits, LLMC_F32, pass->batch.sequences, a->labels);
    struct llmc_matrix product;
    llmc_status status = LLMC_OK;

    if (last->rows == common->first.rows)
        ops->kernels->widen(last->data, last->number, common->first.data, (size_t)(last->rows * last->cols));
    else
        llmc_op_pick_rows(ops, last, pass->batch.offsets, &common->first);
    LLMC_TRY(linear(model, ops, pass, a->layers * LLMC_LAYER_SITES, &common->first, &common->first_fake, &pooler,
                    &product));
    llmc_op_bias(ops, &product, llmc_parameter_values(p, llmc_head_parameter(a, LLMC_POOLER_BIAS)), &common->pooled_tanh);
    struct llmc_dropout dropout = llmc_pass_dropout(pass, a->layers, LLMC_DROPOUT_POOLED);
    llmc_op_tanh_dropout(ops, &common->pooled_tanh, &dropout, &common->pooled);
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, &common->pooled, &pooled));
    LLMC_TRY(llmc_gemm_run(&ops->gemm, LLMC_GEMM_NT, &pooled, &classifier, &product));
    llmc_op_bias(ops, &product, llmc_parameter_values(p, llmc_head_parameter(a, LLMC_CLASSIFIER_BIAS)), &out);
exit:
    return status;
}

/* The words of a batch, of an embedding in factors: rows times projection, in FP32. */
static llmc_status project_words(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_tokens *batch,
                                 const struct llmc_common_activations *common, struct llmc_embeddings *tables)
{
    llmc_status status = LLMC_OK;
    struct llmc_operand rows, projection = llmc_projection_weight(model);
    llmc_op_gather(ops, tables->words, &tables->words_rounding, batch->ids, batch->tokens, common->words.cols,
                   common->words.data);
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, &common->words, &rows));
    LLMC_TRY(llmc_gemm_store(&ops->gemm, LLMC_GEMM_NT, &rows, &projection, common->projected.data));
    tables->words = common->projected.data;
    tables->words_rounding = (struct llmc_rounding){0, NULL};
    tables->by_token = true;
exit:
    return status;
}

llmc_status llmc_bert_forward(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_pass *pass,
                              struct llmc_activations *activations, float *logits)
{
    const struct llmc_parameters *p = &model->parameters;
    const struct llmc_architecture *a = &p->architecture;
    const struct llmc_tokens *batch = &pass->batch;
    llmc_status status = LLMC_OK;
    int32_t longest = 1;

    LLMC_TRY(check_batch(a, batch));
    for (int32_t s = 0; s < batch->sequences; s++)
        longest = batch->offsets[s + 1] - batch->offsets[s] > longest ? batch->offsets[s + 1] - batch->offsets[s] : longest;
    struct llmc_layer_shape layer_max = llmc_architecture_widest(a);
    int32_t widest = a->hidden > a->labels ? a->hidden : a->labels;
    widest = layer_max.ffn > widest ? layer_max.ffn : widest;
    widest = 3 * layer_max.heads * a->head_width > widest ? 3 * layer_max.heads * a->head_width : widest;
    LLMC_TRY(llmc_ops_reserve(ops, widest, longest, a->head_width));
    LLMC_TRY(llmc_activations_reserve(activations, a, model->weights.number, pass));

    struct llmc_common_activations common = llmc_activations_common(activations, a, batch);
    struct llmc_embeddings tables = {
        llmc_parameter_values(p, LLMC_WORDS),
        llmc_parameter_values(p, LLMC_POSITIONS),
        llmc_parameter_values(p, LLMC_TYPES),
        llmc_bert_rounding(p, LLMC_WORDS),
        llmc_bert_rounding(p, LLMC_POSITIONS),
        false,
    };
    struct llmc_sequences sequences = {batch->sequences, batch->offsets};
    struct llmc_norm norm = llmc_norm_at(p, LLMC_EMBEDDING_NORM_WEIGHT);
    struct llmc_dropout dropout = llmc_pass_dropout(pass, a->layers, LLMC_DROPOUT_EMBEDDING);
    if (a->embedding_rank)
        LLMC_TRY(project_words(model, ops, batch, &common, &tables));
    llmc_op_embed(ops, &tables, batch->ids, batch->types, &sequences, &norm, &dropout,
                  if_kept(pass, &common.embedded_norm), common.embedded_rstd, &common.embedded);
    llmc_activations_tap(activations, a, pass, LLMC_TAP_EMBEDDING, 0, &common.embedded);
    struct llmc_matrix x = common.embedded;
    for (int32_t layer = 0; layer < a->layers; layer++) {
        struct llmc_layer_activations act = llmc_activations_layer(activations, a, batch, layer);
        LLMC_TRY(layer_forward(model, ops, pass, layer, &x, &common, &act));
        llmc_activations_tap(activations, a, pass, LLMC_TAP_QKV, layer, &act.qkv);
        llmc_activations_tap(activations, a, pass, LLMC_TAP_MIDDLE, layer, &act.middle);
        llmc_activations_tap(activations, a, pass, LLMC_TAP_HIDDEN, layer, &act.out);
        x = act.out;
    }
    if (logits)
        LLMC_TRY(head_forward(model, ops, pass, &x, &common, logits));
exit:
    return status;
}
