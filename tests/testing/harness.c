#include "tests/testing/harness.h"

#include "base/memory.h"
#include "distill/hidden.h"
#include "distill/loss.h"
#include "distill/principal.h"
#include "distill/projected_start.h"
#include "distill/factor.h"
#include "distill/relations.h"
#include "model/bert.h"
#include "prune/importance.h"
#include "prune/magnitude.h"
#include "prune/structure.h"
#include "quantize/pack.h"
#include "quantize/sensitivity.h"
#include "quantize/steps.h"
#include "architecture/task.h"
#include "train/optimizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SITES_MAX = 1024, LABELS_MAX = 64, TAPS_MAX = 8 };

struct harness {
    struct llmc_ops ops;
    struct llmc_bert model;
    struct llmc_activations activations;
    struct llmc_gradients gradients;
    struct llmc_optimizer optimizer;
    struct llmc_pass pass;
    struct llmc_tap taps[TAPS_MAX];
    int32_t tap_count;
    struct llmc_quantizer quantizers[SITES_MAX];
};

static int result(llmc_status status)
{
    return status == LLMC_OK ? 0 : -1;
}

const char *harness_error(void)
{
    return llmc_error_message();
}

int harness_create(struct harness **out, const int32_t a[9], const int32_t *layers, float norm_epsilon, int number, int threads)
{
    struct llmc_architecture architecture = {.vocabulary = a[0], .positions = a[1], .types = a[2], .hidden = a[3],
                                             .head_width = a[5], .labels = a[6],
                                             .activation = (enum llmc_activation)a[7], .norm_epsilon = norm_epsilon,
                                             .layers = a[4], .embedding_rank = a[8]};
    llmc_status status = LLMC_OK;
    struct harness *h = calloc(1, sizeof *h);
    for (int32_t i = 0; i < a[4] && i < LLMC_LAYERS_MAX; i++)
        architecture.layer[i] = (struct llmc_layer_shape){layers[2 * i], layers[2 * i + 1]};
    LLMC_TRY(llmc_ops_init(&h->ops, threads));
    LLMC_TRY(llmc_bert_init(&h->model, &architecture, (enum llmc_number)number));
    LLMC_TRY(llmc_gradients_init(&h->gradients, &h->model.parameters));
    *out = h;
exit:
    return result(status);
}

void harness_free(struct harness *h)
{
    llmc_ops_release(&h->ops);
    llmc_bert_release(&h->model);
    llmc_activations_release(&h->activations);
    llmc_gradients_release(&h->gradients);
    llmc_optimizer_release(&h->optimizer);
    free(h);
}

int harness_parameter(struct harness *h, int index, char name[96], int64_t *offset, int64_t *rows, int64_t *cols)
{
    if (index >= h->model.parameters.count)
        return -1;
    const struct llmc_parameter *p = &h->model.parameters.table[index];
    snprintf(name, 96, "%s", p->name);
    *offset = p->offset;
    *rows = p->rows;
    *cols = p->cols;
    return 0;
}

float *harness_values(struct harness *h, int64_t *total, int64_t *dense_begin)
{
    *total = h->model.parameters.total;
    *dense_begin = h->model.parameters.dense_begin;
    return h->model.parameters.values;
}

int harness_site_count(struct harness *h)
{
    return llmc_site_count(&h->model.parameters.architecture);
}

int harness_fake(struct harness *h, const int32_t *bits, const float *scales, const float *zero_points)
{
    for (int32_t i = 0; i < h->model.parameters.count; i++)
        h->model.parameters.table[i].bits = bits[i];
    h->model.inputs = scales ? h->quantizers : NULL;
    for (int i = 0; scales && i < harness_site_count(h); i++) {
        struct llmc_quantizer quantizer = {scales[i], 1.0f / scales[i], zero_points[i]};
        h->quantizers[i] = quantizer;
    }
    return 0;
}

float *harness_steps(struct harness *h, int index)
{
    return llmc_parameters_make_steps(&h->model.parameters) == LLMC_OK ? llmc_parameter_steps(&h->model.parameters, index)
                                                                      : NULL;
}

void harness_dsteps(struct harness *h, int index, float *dsteps)
{
    const struct llmc_parameter *parameter = &h->model.parameters.table[index];
    const struct llmc_gradients *g = &h->gradients;
    memcpy(dsteps, g->dsteps + parameter->step, (size_t)parameter->rows * sizeof *dsteps);
    if (index != LLMC_WORDS)
        return;
    memset(dsteps, 0, (size_t)parameter->rows * sizeof *dsteps);
    for (int32_t i = 0; i < g->row_count; i++)
        dsteps[g->rows[i]] = g->row_dsteps[i];
}

int harness_forward(struct harness *h, int32_t sequences, const int32_t *ids, const uint8_t *types,
                    const int32_t *offsets, float dropout, uint64_t key, int keep, float *logits)
{
    struct llmc_pass pass = {
        .batch = {sequences, offsets[sequences], ids, types, offsets},
        .dropout = dropout,
        .dropout_key = key,
        .keep = keep != 0,
        .taps = h->taps,
        .tap_count = h->tap_count,
    };
    h->pass = pass;
    if (llmc_bert_prepare(&h->model, &h->ops) != LLMC_OK)
        return -1;
    if (keep && h->optimizer.word_step)
        llmc_optimizer_catch_up(&h->optimizer, &h->ops, &h->model, &h->pass.batch);
    return result(llmc_bert_forward(&h->model, &h->ops, &h->pass, &h->activations, logits));
}

int harness_taps(struct harness *h, int32_t count, const int32_t *places, const int32_t *layers)
{
    if (count > TAPS_MAX)
        return -1;
    h->tap_count = count;
    for (int32_t i = 0; i < count; i++)
        h->taps[i] = (struct llmc_tap){.place = (enum llmc_tap_place)places[i], .layer = layers[i]};
    return 0;
}

int harness_tap_values(struct harness *h, int32_t tap, float *values)
{
    const struct llmc_matrix *x = &h->taps[tap].values;
    h->ops.kernels->widen(x->data, x->number, values, (size_t)(x->rows * x->cols));
    return 0;
}

void harness_tap_gradient(struct harness *h, int32_t tap, float *gradient)
{
    h->taps[tap].gradient = gradient;
}

int harness_backward(struct harness *h, const float *dlogits, float *gradients, double *dscales)
{
    const struct llmc_parameters *p = &h->model.parameters;
    struct llmc_gradients *g = &h->gradients;
    size_t width = (size_t)p->table[LLMC_WORDS].cols;
    if (llmc_bert_backward(&h->model, &h->ops, &h->pass, &h->activations, dlogits, g) != LLMC_OK)
        return -1;
    if (!gradients)
        return 0;
    memset(gradients, 0, (size_t)p->total * sizeof *gradients);
    memcpy(gradients + p->dense_begin, g->dense, (size_t)(p->total - p->dense_begin) * sizeof *gradients);
    for (int32_t i = 0; i < g->row_count; i++)
        memcpy(gradients + (size_t)g->rows[i] * width, g->row_values + (size_t)i * width, width * sizeof *gradients);
    memcpy(dscales, g->dscales, (size_t)harness_site_count(h) * sizeof *dscales);
    return 0;
}

double harness_loss(int loss_kind, const float *logits, const float *teacher, const int32_t *label, int32_t sequences,
                    int32_t labels, double temperature, double weight, double scale, float *dlogits)
{
    double work[2 * LABELS_MAX], loss = 0;
    memset(dlogits, 0, (size_t)sequences * (size_t)labels * sizeof *dlogits);
    if (weight > 0)
        loss += llmc_task_single_label.loss(logits, label, sequences, labels, weight, scale, dlogits, work);
    if (loss_kind == 0)
        loss += llmc_distill_kl(logits, teacher, sequences, labels, temperature, 1 - weight, scale, dlogits, work);
    if (loss_kind == 1)
        loss += llmc_distill_mse(logits, teacher, sequences, labels, 1 - weight, scale, dlogits);
    return loss;
}

int harness_versions(void)
{
    const struct llmc_kernels *versions[4];
    return llmc_kernels_list(versions);
}

static void use_version(struct harness *h, int version)
{
    const struct llmc_kernels *versions[4];
    llmc_kernels_list(versions);
    h->ops.kernels = versions[version];
}

/* x [rows, cols] rounded; the caller frees its data. */
static struct llmc_matrix rounded(struct harness *h, int number, int64_t rows, int64_t cols, const float *x)
{
    struct llmc_matrix matrix = llmc_matrix(malloc((size_t)(rows * cols) * sizeof *x), (enum llmc_number)number, rows, cols);
    h->ops.kernels->narrow(x, matrix.number, matrix.data, (size_t)(rows * cols));
    return matrix;
}

int harness_hidden(struct harness *h, int version, int number, int64_t tokens, int64_t cols, int64_t teacher_cols,
                   const float *student, const float *teacher, const float *projection, double weight, double scale,
                   float *dstudent, float *dprojection, double *loss)
{
    use_version(h, version);
    struct llmc_hidden_memory memory = {0};
    struct llmc_hidden_pair pair = {rounded(h, number, tokens, cols, student),
                                    rounded(h, number, tokens, teacher_cols, teacher), projection, dstudent, dprojection};
    *loss = 0;
    llmc_status status = llmc_distill_hidden(&h->ops, &pair, weight, scale, &memory, loss);
    llmc_hidden_memory_release(&memory);
    free(pair.student.data);
    free(pair.teacher.data);
    return result(status);
}

int harness_relations(struct harness *h, int version, int number, int32_t sequences, const int32_t *offsets, int64_t cols,
                      int64_t teacher_cols, const float *student, const float *teacher, int32_t heads, double weight,
                      double scale, float *dstudent, double *loss)
{
    use_version(h, version);
    const struct llmc_sequences batch = {sequences, offsets};
    struct llmc_matrix ours = rounded(h, number, offsets[sequences], cols, student);
    struct llmc_matrix theirs = rounded(h, number, offsets[sequences], teacher_cols, teacher);
    *loss = 0;
    llmc_status status = llmc_distill_relations(&h->ops, &ours, &theirs, &batch, heads, weight, scale, dstudent, loss);
    free(ours.data);
    free(theirs.data);
    return result(status);
}

int harness_principal(const double *covariance, int32_t n, int32_t count, uint64_t key, double *directions)
{
    return result(llmc_principal_directions(covariance, n, count, key, directions));
}

int harness_project(struct harness *wide, struct harness *narrow, const float *p, int32_t texts, const int32_t *ids,
                    const uint8_t *types, const int64_t *offsets, uint64_t seed)
{
    const struct llmc_dataset data = {.count = (size_t)texts, .offsets = (int64_t *)offsets, .ids = (int32_t *)ids,
                                      .types = (uint8_t *)types, .label = calloc((size_t)texts, sizeof(int32_t))};
    const struct llmc_text_source source = llmc_dataset_source(&data);
    const struct llmc_projected_start start = {&wide->ops, &source, seed, 4, 64};
    llmc_status status =
        p ? llmc_projected_fit(&start, p, &wide->model.parameters, &narrow->model.parameters)
          : llmc_projected_start(&start, &wide->model.parameters, &narrow->model.parameters);
    free(data.label);
    return result(status);
}

int harness_optimizer(struct harness *h, float weight_decay, float clip_norm, int scaling, float scale)
{
    llmc_optimizer_release(&h->optimizer);
    if (llmc_optimizer_init(&h->optimizer, &h->model.parameters, weight_decay, clip_norm, scaling != 0) != LLMC_OK)
        return -1;
    if (scaling)
        h->optimizer.scale = scale;
    return 0;
}

int harness_step(struct harness *h, float learning_rate, int *skipped, double *norm, float *scale)
{
    struct llmc_step_result step;
    if (llmc_optimizer_step(&h->optimizer, &h->ops, &h->model, &h->gradients, learning_rate, &step) != LLMC_OK)
        return -1;
    *skipped = step.skipped;
    *norm = step.gradient_norm;
    *scale = h->optimizer.scale;
    return 0;
}

void harness_catch_up(struct harness *h)
{
    llmc_optimizer_catch_up(&h->optimizer, &h->ops, &h->model, NULL);
}

void harness_growth_interval(struct harness *h, int32_t steps)
{
    h->optimizer.growth_interval = steps;
}

float *harness_moments(struct harness *h, int second)
{
    return second ? h->optimizer.v : h->optimizer.m;
}

double harness_learning_rate(double peak, double warmup, int64_t step, int64_t steps)
{
    return llmc_learning_rate(peak, warmup, step, steps);
}

int harness_factor_words(const float *words, int32_t vocabulary, int32_t hidden, int32_t rank, const int64_t *counts,
                         float *rows, float *projection)
{
    const struct llmc_architecture shape = {.vocabulary = vocabulary, .positions = 4, .types = 1, .hidden = hidden,
                                            .head_width = hidden, .labels = 2, .norm_epsilon = 1e-12f, .layers = 1,
                                            .layer = {{1, 8}}};
    llmc_status status = LLMC_OK;
    struct llmc_parameters whole = {0}, factored = {0};
    LLMC_TRY(llmc_parameters_init(&whole, &shape));
    memcpy(whole.values, words, (size_t)vocabulary * (size_t)hidden * sizeof *words);
    LLMC_TRY(llmc_student_factor_words(&factored, &whole, rank, counts));
    memcpy(rows, factored.values, (size_t)vocabulary * (size_t)rank * sizeof *rows);
    memcpy(projection, llmc_parameter_values(&factored, factored.count - 1),
           (size_t)hidden * (size_t)rank * sizeof *projection);
exit:
    llmc_parameters_release(&whole);
    llmc_parameters_release(&factored);
    return result(status);
}

uint8_t *harness_mask(struct harness *h)
{
    return llmc_parameters_make_mask(&h->model.parameters) == LLMC_OK ? h->model.parameters.mask : NULL;
}

int harness_prune(struct harness *h, double sparsity)
{
    return result(llmc_prune_to(&h->model.parameters, sparsity));
}

int64_t harness_importance_count(struct harness *h)
{
    return llmc_importance_count(&h->model.parameters.architecture);
}

void harness_importance(struct harness *h, double scale, int kind, float *importance)
{
    llmc_importance_add(importance, &h->model.parameters, &h->gradients, scale, (enum llmc_importance_kind)kind);
}

static int32_t *put_places(int32_t *out, const int32_t *places, int32_t count)
{
    *out++ = count;
    memcpy(out, places, (size_t)count * sizeof *places);
    return out + count;
}

int harness_keep(struct harness *h, const float *importance, double keep, int32_t *kept)
{
    llmc_status status = LLMC_OK;
    const struct llmc_architecture *a = &h->model.parameters.architecture;
    struct llmc_costs costs = {0};
    struct llmc_structure structure = {0};
    struct llmc_parameters selected = {0};
    LLMC_TRY(llmc_costs_init(&costs, a));
    llmc_costs_of_weights(&costs, a);
    LLMC_TRY(llmc_structure_choose(&structure, a, importance, &costs, keep * llmc_cost_of(&costs, a)));
    *kept++ = structure.selection.layer_count;
    for (int32_t i = 0; i < structure.selection.layer_count; i++) {
        const struct llmc_layer_selection *layer = &structure.selection.layers[i];
        *kept++ = layer->from;
        kept = put_places(kept, layer->heads, layer->head_count);
        kept = put_places(kept, layer->neurons, layer->neuron_count);
    }
    LLMC_TRY(llmc_parameters_select(&selected, &h->model.parameters, &structure.selection));
    LLMC_TRY(llmc_bert_take(&h->model, &selected));
exit:
    llmc_parameters_release(&selected);
    llmc_structure_release(&structure);
    llmc_costs_release(&costs);
    return result(status);
}

void harness_pack_rows(const float *weights, int64_t rows, int64_t cols, int bits, const float *steps,
                       int8_t *integers, float *scales)
{
    llmc_pack_rows(weights, rows, cols, bits, steps, integers, scales);
}

int harness_sensitivity(struct harness *h, int32_t texts, const int32_t *ids, const uint8_t *types, const int32_t *offsets,
                        int32_t batch_size, float *squares)
{
    llmc_status status = LLMC_OK;
    int64_t *wide = NULL;
    int32_t *label = NULL;
    LLMC_TRY(llmc_alloc(&wide, (size_t)texts + 1, sizeof *wide));
    LLMC_TRY(llmc_alloc(&label, (size_t)texts, sizeof *label));
    for (int32_t i = 0; i <= texts; i++)
        wide[i] = offsets[i];
    const struct llmc_dataset data = {(size_t)texts, wide, (int32_t *)ids, (uint8_t *)types, label, 512};
    const struct llmc_text_source source = llmc_dataset_source(&data);
    LLMC_TRY(llmc_quantize_sensitivity(&h->model, &h->ops, &(struct llmc_calibration){&source, 1, batch_size, texts},
                                       squares));
exit:
    free(wide);
    free(label);
    return result(status);
}

void harness_best_steps(const float *weights, int64_t rows, int64_t cols, int bits, float *steps)
{
    llmc_quantize_best_steps(weights, rows, cols, bits, steps);
}

int harness_cast_weight(struct harness *h, const float *weight, float limit, const float *steps, int64_t rows,
                        int64_t cols, float *out)
{
    struct llmc_weight_copy copy = {llmc_operand(out, LLMC_OPERAND_F32, LLMC_F32, rows, cols), 0, {limit, steps}};
    if (llmc_ops_reserve(&h->ops, cols, 1, 1) != LLMC_OK)
        return -1;
    llmc_op_cast_weight(&h->ops, weight, rows, &copy);
    return 0;
}

int harness_fake_input(struct harness *h, float scale, float zero_point, int64_t rows, int64_t cols, const float *x,
                       float *y)
{
    struct llmc_quantizer quantizer = {scale, 1.0f / scale, zero_point};
    struct llmc_matrix in = llmc_matrix((void *)x, LLMC_F32, rows, cols), out = llmc_matrix(y, LLMC_F32, rows, cols);
    if (llmc_ops_reserve(&h->ops, cols, 1, 1) != LLMC_OK)
        return -1;
    llmc_op_fake_input(&h->ops, &quantizer, &in, &out);
    return 0;
}

int harness_fake_input_backward(struct harness *h, float scale, float zero_point, int64_t rows, int64_t cols,
                                const float *x, const float *dy, float *dx, double *dscale)
{
    struct llmc_quantizer quantizer = {scale, 1.0f / scale, zero_point};
    struct llmc_matrix in = llmc_matrix((void *)x, LLMC_F32, rows, cols), out = llmc_matrix(dx, LLMC_F32, rows, cols);
    if (llmc_ops_reserve(&h->ops, cols, 1, 1) != LLMC_OK)
        return -1;
    memcpy(dx, dy, (size_t)(rows * cols) * sizeof *dx);
    *dscale = 0;
    llmc_op_fake_input_backward(&h->ops, &quantizer, &in, &out, dscale);
    return 0;
}
