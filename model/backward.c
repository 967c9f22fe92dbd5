#include "model/bert.h"

#include "base/clock.h"
#include "base/memory.h"
#include "model/activations.h"
#include "model/layer_weights.h"

#include <stdlib.h>
#include <string.h>

/* Where the gradient of parameter `index` lies. */
static float *gradient_at(const struct llmc_bert *model, const struct llmc_gradients *gradients, int32_t index)
{
    return gradients->dense + (model->parameters.table[index].offset - model->parameters.dense_begin);
}

/* The gradient of a parameter, in place, from that of its rounded rows; and the gradients of its steps. */
static void rounding_backward(struct llmc_bert *model, struct llmc_ops *ops, int32_t index, struct llmc_gradients *g)
{
    const struct llmc_parameters *p = &model->parameters;
    const struct llmc_rounding rounding = llmc_bert_rounding(p, index);
    if (rounding.steps)
        llmc_op_rounding_backward(ops, &rounding, llmc_parameter_values(p, index), NULL, p->table[index].rows,
                                  p->table[index].cols, gradient_at(model, g, index), g->dsteps + p->table[index].step);
}

/* A linear layer's backward, of the weights from parameter `index` on: dweight = dy^T . quantised(x), written, not added:
 * a weight has one product a pass. And *product = the gradient of x. */
static llmc_status linear_backward(struct llmc_bert *model, struct llmc_ops *ops, int32_t site,
                                   const struct llmc_matrix *x, const struct llmc_matrix *fake,
                                   const struct llmc_operand *weight, const struct llmc_matrix *dy,
                                   struct llmc_gradients *gradients, int32_t index, struct llmc_matrix *product)
{
    llmc_status status = LLMC_OK;
    float *dweight = gradient_at(model, gradients, index);
    struct llmc_matrix input = llmc_linear_input(model, ops, site, x, fake);
    struct llmc_operand left, right;
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, dy, &left));
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_B, &input, &right));
    LLMC_TRY(llmc_gemm_store(&ops->gemm, LLMC_GEMM_TN, &left, &right, dweight));
    for (int64_t rows = 0; rows < dy->cols; rows += model->parameters.table[index++].rows)
        rounding_backward(model, ops, index, gradients);
    gradients->squares += llmc_op_sum_squares(ops, dweight, dy->cols * x->cols);
    LLMC_TRY(llmc_gemm_run(&ops->gemm, LLMC_GEMM_NN, &left, weight, product));
    const struct llmc_quantizer *quantizer = llmc_bert_site_quantizer(model, site);
    if (quantizer)
        llmc_op_fake_input_backward(ops, quantizer, x, product, &gradients->dscales[site]);
exit:
    return status;
}

/* Adds the gradients of the taps at `place` and `layer` to those from above. */
static void add_taps(struct llmc_ops *ops, const struct llmc_pass *pass, enum llmc_tap_place place, int32_t layer,
                     const struct llmc_matrix *dx)
{
    for (int32_t i = 0; i < pass->tap_count; i++) {
        const struct llmc_tap *tap = &pass->taps[i];
        if (tap->gradient && tap->place == place && (place == LLMC_TAP_EMBEDDING || tap->layer == layer))
            llmc_op_add(ops, tap->gradient, dx);
    }
}

/* Leaves the gradient of the last layer's output in common->dinput: *dout, a view of it with as many rows. */
static llmc_status head_backward(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_pass *pass,
                                 const struct llmc_common_activations *common, const float *dlogits,
                                 struct llmc_gradients *gradients, const struct llmc_matrix *dout)
{
    const struct llmc_parameters *p = &model->parameters;
    const struct llmc_architecture *a = &p->architecture;
    int32_t sequences = pass->batch.sequences;
    struct llmc_matrix dy = llmc_matrix((void *)dlogits, LLMC_F32, sequences, a->labels);
    struct llmc_operand pooler = llmc_pooler_weight(model), classifier = llmc_classifier_weight(model), left, right;
    struct llmc_matrix product;
    llmc_status status = LLMC_OK;

    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, &dy, &left));
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_B, &common->pooled, &right));
    LLMC_TRY(llmc_gemm_store(&ops->gemm, LLMC_GEMM_TN, &left, &right,
                             gradient_at(model, gradients, llmc_head_parameter(a, LLMC_CLASSIFIER_WEIGHT))));
    llmc_op_sum_rows(ops, &dy, gradient_at(model, gradients, llmc_head_parameter(a, LLMC_CLASSIFIER_BIAS)));
    LLMC_TRY(llmc_gemm_run(&ops->gemm, LLMC_GEMM_NN, &left, &classifier, &product));
    struct llmc_dropout dropout = llmc_pass_dropout(pass, a->layers, LLMC_DROPOUT_POOLED);
    llmc_op_tanh_dropout_backward(ops, &product, &common->pooled_tanh, &dropout, &common->dpooled);
    llmc_op_sum_rows(ops, &common->dpooled, gradient_at(model, gradients, llmc_head_parameter(a, LLMC_POOLER_BIAS)));
    LLMC_TRY(linear_backward(model, ops, a->layers * LLMC_LAYER_SITES, &common->first, &common->first_fake, &pooler,
                             &common->dpooled, gradients, llmc_head_parameter(a, LLMC_POOLER_WEIGHT), &product));
    if (dout->rows == sequences)
        ops->kernels->widen(product.data, product.number, dout->data, (size_t)(product.rows * product.cols));
    else
        llmc_op_place_rows(ops, &product, pass->batch.offsets, sequences, dout);
exit:
    return status;
}

/* *dy_product and *dy_residual (NULL data: none), whose sum is the gradient of the layer's output, become
 * those of its input. */
static llmc_status layer_backward(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_pass *pass,
                                  int32_t layer, const struct llmc_matrix *x,
                                  const struct llmc_common_activations *common,
                                  const struct llmc_layer_activations *act, struct llmc_matrix *dy_product,
                                  struct llmc_matrix *dy_residual, struct llmc_gradients *gradients)
{
    const struct llmc_parameters *p = &model->parameters;
    const struct llmc_architecture *a = &p->architecture;
    struct llmc_layer_weights w = model->weights.layers[layer];
    struct llmc_sequences sequences = {pass->batch.sequences, pass->batch.offsets};
    int32_t first = llmc_layer_parameter(layer, 0), site = layer * LLMC_LAYER_SITES;
    bool drops = pass->dropout > 0;
    int64_t rows = act->out.rows;
    bool first_only = rows < x->rows;
    struct llmc_matrix dsum = llmc_matrix_within(&common->dsum, rows, a->hidden);
    struct llmc_matrix dmiddle_sum = llmc_matrix_within(&common->dmiddle_sum, rows, a->hidden);
    struct llmc_matrix dbefore = llmc_matrix_within(&common->dwide, rows, a->layer[layer].ffn);
    struct llmc_matrix dqkv = llmc_matrix_within(&common->dwide, x->rows, act->qkv.cols);
    struct llmc_matrix product, dbranch = llmc_matrix_within(&common->dbranch, rows, a->hidden);
    struct llmc_norm norm;
    struct llmc_dropout dropout;
    llmc_status status = LLMC_OK;
#define GRADIENT(which) gradient_at(model, gradients, first + (which))

    norm = llmc_norm_at(p, first + LLMC_OUTPUT_NORM_WEIGHT);
    dropout = llmc_pass_dropout(pass, layer, LLMC_DROPOUT_OUTPUT);
    llmc_op_residual_norm_backward(ops, dy_product, dy_residual->data ? dy_residual : NULL, &act->out_norm,
                                   act->out_rstd, &norm, &dropout, &dsum, &dbranch,
                                   GRADIENT(LLMC_OUTPUT_NORM_WEIGHT), GRADIENT(LLMC_OUTPUT_NORM_BIAS),
                                   GRADIENT(LLMC_OUTPUT_BIAS));
    LLMC_TRY(linear_backward(model, ops, site + LLMC_SITE_OUTPUT, &act->after, &common->fake, &w.output,
                             drops ? &dbranch : &dsum, gradients, first + LLMC_OUTPUT_WEIGHT, &product));
    llmc_op_activation_backward(ops, &product, &act->before, a->activation, &dbefore,
                                GRADIENT(LLMC_INTERMEDIATE_BIAS));
    LLMC_TRY(linear_backward(model, ops, site + LLMC_SITE_INTERMEDIATE, &act->middle, &common->fake, &w.intermediate,
                             &dbefore, gradients, first + LLMC_INTERMEDIATE_WEIGHT, &product));
    add_taps(ops, pass, LLMC_TAP_MIDDLE, layer, &product);

    norm = llmc_norm_at(p, first + LLMC_ATTENTION_NORM_WEIGHT);
    dropout = llmc_pass_dropout(pass, layer, LLMC_DROPOUT_ATTENTION_OUTPUT);
    llmc_op_residual_norm_backward(ops, &product, &dsum, &act->middle_norm, act->middle_rstd, &norm, &dropout,
                                   &dmiddle_sum, &dbranch, GRADIENT(LLMC_ATTENTION_NORM_WEIGHT),
                                   GRADIENT(LLMC_ATTENTION_NORM_BIAS), GRADIENT(LLMC_ATTENTION_OUTPUT_BIAS));
    LLMC_TRY(linear_backward(model, ops, site + LLMC_SITE_ATTENTION_OUTPUT,
                             first_only ? &common->first_context : &act->context, &common->fake, &w.attention_output,
                             drops ? &dbranch : &dmiddle_sum, gradients, first + LLMC_ATTENTION_OUTPUT_WEIGHT,
                             &product));
    *dy_residual = dmiddle_sum;
    if (first_only) {
        llmc_op_place_rows(ops, &product, sequences.offsets, sequences.count, &common->dcontext);
        llmc_op_place_rows(ops, &dmiddle_sum, sequences.offsets, sequences.count, &common->dinput);
        product = common->dcontext;
        *dy_residual = common->dinput;
    }
    dropout = llmc_pass_dropout(pass, layer, LLMC_DROPOUT_ATTENTION);
    double start = llmc_clock();
    llmc_op_attention_backward(ops, &act->qkv, &sequences, a->layer[layer].heads, &dropout, act->lse, &product, &dqkv);
    ops->attention_seconds += llmc_clock() - start;
    add_taps(ops, pass, LLMC_TAP_QKV, layer, &dqkv);
    llmc_op_sum_rows(ops, &dqkv, GRADIENT(LLMC_QUERY_BIAS));
    LLMC_TRY(linear_backward(model, ops, site + LLMC_SITE_QKV, x, &common->fake, &w.qkv, &dqkv, gradients,
                             first + LLMC_QUERY_WEIGHT, dy_product));
#undef GRADIENT
exit:
    return status;
}

static int by_key_then_place(const void *left, const void *right, void *context)
{
    const int32_t *keys = context;
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    if (keys[a] != keys[b])
        return keys[a] < keys[b] ? -1 : 1;
    return a < b ? -1 : 1;
}

/* Groups tokens with equal keys: fills order, starts and rows (the keys, rising); returns the number of groups. */
static int32_t group_tokens(struct llmc_gradients *g, int32_t tokens)
{
    int32_t groups = 0;
    for (int32_t t = 0; t < tokens; t++)
        g->order[t] = t;
    qsort_r(g->order, (size_t)tokens, sizeof *g->order, by_key_then_place, g->keys);
    for (int32_t i = 0; i < tokens; i++) {
        if (i == 0 || g->keys[g->order[i]] != g->keys[g->order[i - 1]]) {
            g->rows[groups] = g->keys[g->order[i]];
            g->starts[groups++] = i;
        }
    }
    g->starts[groups] = tokens;
    return groups;
}

/* Adds the groups' sums to the rows of a dense embedding gradient. */
static void add_groups(struct llmc_ops *ops, const struct llmc_matrix *dsum, struct llmc_gradients *g, float *dense)
{
    int32_t groups = group_tokens(g, (int32_t)dsum->rows);
    llmc_op_sum_groups(ops, dsum, g->order, g->starts, groups, g->row_values);
    for (int32_t i = 0; i < groups; i++)
        ops->kernels->add(dense + (int64_t)g->rows[i] * dsum->cols, g->row_values + (int64_t)i * dsum->cols,
                          (size_t)dsum->cols);
}

static llmc_status reserve_rows(struct llmc_gradients *g, int32_t tokens, int32_t hidden)
{
    llmc_status status = LLMC_OK;
    if (tokens <= g->capacity)
        return LLMC_OK;
    int32_t capacity = tokens + tokens / 4;
    free(g->rows), free(g->order), free(g->starts), free(g->keys), free(g->row_values), free(g->row_dsteps);
    g->rows = g->order = g->starts = g->keys = NULL;
    g->row_values = g->row_dsteps = NULL;
    g->capacity = 0;
    LLMC_TRY(llmc_alloc(&g->rows, (size_t)capacity, sizeof *g->rows));
    LLMC_TRY(llmc_alloc(&g->order, (size_t)capacity, sizeof *g->order));
    LLMC_TRY(llmc_alloc(&g->starts, (size_t)capacity + 1, sizeof *g->starts));
    LLMC_TRY(llmc_alloc(&g->keys, (size_t)capacity, sizeof *g->keys));
    LLMC_TRY(llmc_alloc(&g->row_dsteps, (size_t)capacity, sizeof *g->row_dsteps));
    LLMC_TRY(llmc_alloc(&g->row_values, (size_t)capacity * (size_t)hidden, sizeof *g->row_values));
    g->capacity = capacity;
exit:
    return status;
}

/* Of words in factors: the gradient of the projection, and *drows [T, rank] = that of the tokens' rows. */
static llmc_status projection_backward(struct llmc_bert *model, struct llmc_ops *ops,
                                       const struct llmc_common_activations *common, struct llmc_gradients *g,
                                       struct llmc_matrix *drows)
{
    llmc_status status = LLMC_OK;
    const struct llmc_parameters *p = &model->parameters;
    const struct llmc_matrix *dsum = &common->dsum;
    int32_t index = llmc_head_parameter(&p->architecture, LLMC_WORD_PROJECTION);
    float *dprojection = gradient_at(model, g, index);
    struct llmc_operand left, right, projection = llmc_projection_weight(model);
    ops->kernels->widen(dsum->data, dsum->number, common->projected.data, (size_t)(dsum->rows * dsum->cols));
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, &common->projected, &left));
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_B, &common->words, &right));
    LLMC_TRY(llmc_gemm_store(&ops->gemm, LLMC_GEMM_TN, &left, &right, dprojection));
    rounding_backward(model, ops, index, g);
    g->squares += llmc_op_sum_squares(ops, dprojection, p->table[index].rows * p->table[index].cols);
    LLMC_TRY(llmc_gemm_run(&ops->gemm, LLMC_GEMM_NN, &left, &projection, drows));
exit:
    return status;
}

static llmc_status embedding_backward(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_pass *pass,
                                      const struct llmc_common_activations *common, const struct llmc_matrix *dy_product,
                                      const struct llmc_matrix *dy_residual, struct llmc_gradients *g)
{
    llmc_status status = LLMC_OK;
    const struct llmc_tokens *batch = &pass->batch;
    struct llmc_matrix drows = common->dsum;
    struct llmc_norm norm = llmc_norm_at(&model->parameters, LLMC_EMBEDDING_NORM_WEIGHT);
    struct llmc_dropout dropout =
        llmc_pass_dropout(pass, model->parameters.architecture.layers, LLMC_DROPOUT_EMBEDDING);
    llmc_op_embed_backward(ops, dy_product, dy_residual, &common->embedded_norm, common->embedded_rstd, &norm, &dropout,
                           &common->dsum, gradient_at(model, g, LLMC_EMBEDDING_NORM_WEIGHT),
                           gradient_at(model, g, LLMC_EMBEDDING_NORM_BIAS));
    for (int32_t s = 0; s < batch->sequences; s++)
        for (int32_t t = batch->offsets[s]; t < batch->offsets[s + 1]; t++)
            g->keys[t] = t - batch->offsets[s];
    add_groups(ops, &common->dsum, g, gradient_at(model, g, LLMC_POSITIONS));
    rounding_backward(model, ops, LLMC_POSITIONS, g);
    for (int32_t t = 0; t < batch->tokens; t++)
        g->keys[t] = batch->types[t];
    add_groups(ops, &common->dsum, g, gradient_at(model, g, LLMC_TYPES));
    memcpy(g->keys, batch->ids, (size_t)batch->tokens * sizeof *g->keys);
    g->row_count = group_tokens(g, batch->tokens);
    if (model->parameters.architecture.embedding_rank)
        LLMC_TRY(projection_backward(model, ops, common, g, &drows));
    llmc_op_sum_groups(ops, &drows, g->order, g->starts, g->row_count, g->row_values);
    const struct llmc_rounding rounding = llmc_bert_rounding(&model->parameters, LLMC_WORDS);
    if (rounding.steps)
        llmc_op_rounding_backward(ops, &rounding, llmc_parameter_values(&model->parameters, LLMC_WORDS), g->rows, g->row_count,
                                  drows.cols, g->row_values, g->row_dsteps);
exit:
    return status;
}

/* Adds the squares of all but the linear layers' weights, which are there already. */
static void add_other_squares(const struct llmc_bert *model, struct llmc_ops *ops, struct llmc_gradients *g)
{
    const struct llmc_parameters *p = &model->parameters;
    g->squares += llmc_op_sum_squares(ops, g->row_values, g->row_count * p->table[LLMC_WORDS].cols);
    for (int32_t i = LLMC_WORDS + 1; i < p->count; i++)
        if (p->table[i].kind != LLMC_PARAMETER_LINEAR)
            g->squares += ops->kernels->sum_squares(gradient_at(model, g, i),
                                                    (size_t)(p->table[i].rows * p->table[i].cols));
}

llmc_status llmc_bert_backward(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_pass *pass,
                               struct llmc_activations *activations, const float *dlogits,
                               struct llmc_gradients *gradients)
{
    const struct llmc_parameters *p = &model->parameters;
    const struct llmc_architecture *a = &p->architecture;
    struct llmc_common_activations common = llmc_activations_common(activations, a, &pass->batch);
    llmc_status status = LLMC_OK;
    LLMC_TRY(reserve_rows(gradients, pass->batch.tokens, a->hidden));
    for (int32_t i = LLMC_WORDS + 1; i < p->count; i++) /* the others are written whole */
        if (p->table[i].kind != LLMC_PARAMETER_LINEAR && p->table[i].kind != LLMC_PARAMETER_CLASSIFIER)
            memset(gradient_at(model, gradients, i), 0, (size_t)(p->table[i].rows * p->table[i].cols) * sizeof(float));
    gradients->squares = 0;
    memset(gradients->dscales, 0, (size_t)llmc_site_count(a) * sizeof(double));
    struct llmc_layer_activations last = llmc_activations_layer(activations, a, &pass->batch, a->layers - 1);
    struct llmc_matrix dy_product = llmc_matrix_within(&common.dinput, last.out.rows, a->hidden), dy_residual = {0};
    LLMC_TRY(head_backward(model, ops, pass, &common, dlogits, gradients, &dy_product));
    for (int32_t layer = a->layers - 1; layer >= 0; layer--) {
        struct llmc_layer_activations act = llmc_activations_layer(activations, a, &pass->batch, layer);
        struct llmc_matrix x = common.embedded;
        if (layer > 0)
            x = llmc_activations_layer(activations, a, &pass->batch, layer - 1).out;
        add_taps(ops, pass, LLMC_TAP_HIDDEN, layer, &dy_product);
        LLMC_TRY(layer_backward(model, ops, pass, layer, &x, &common, &act, &dy_product, &dy_residual, gradients));
    }
    add_taps(ops, pass, LLMC_TAP_EMBEDDING, 0, &dy_product);
    LLMC_TRY(embedding_backward(model, ops, pass, &common, &dy_product, &dy_residual, gradients));
    add_other_squares(model, ops, gradients);
exit:
    return status;
}
