#include "distill/projected_start.h"

#include "base/memory.h"
#include "base/random.h"
#include "distill/principal.h"
#include "distill/project.h"
#include "model/bert.h"
#include "train/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A number that hardly changes over the texts has no line. */
#define LEAST_VARIANCE 1e-10

struct work {
    const struct llmc_projected_start *start;
    struct llmc_bert model; /* one of the two */
    struct llmc_activations activations;
    struct llmc_tap *taps; /* one for each norm */
};

static int32_t norms_of(const struct llmc_parameters *p)
{
    return 2 * p->architecture.layers + 1;
}

/* Where the output of norm `norm` is tapped: that of the embeddings, then two of each layer. */
static struct llmc_tap tap_at(int32_t norm)
{
    if (norm == 0)
        return (struct llmc_tap){.place = LLMC_TAP_EMBEDDING};
    return (struct llmc_tap){.place = norm % 2 ? LLMC_TAP_MIDDLE : LLMC_TAP_HIDDEN, .layer = (norm - 1) / 2};
}

static int32_t parameter_at(int32_t norm)
{
    if (norm == 0)
        return LLMC_EMBEDDING_NORM_WEIGHT;
    return llmc_layer_parameter((norm - 1) / 2, norm % 2 ? LLMC_ATTENTION_NORM_WEIGHT : LLMC_OUTPUT_NORM_WEIGHT);
}

static void work_release(struct work *w)
{
    llmc_bert_release(&w->model);
    llmc_activations_release(&w->activations);
    free(w->taps);
}

static llmc_status work_init(struct work *w, const struct llmc_projected_start *start, const struct llmc_parameters *p)
{
    llmc_status status = LLMC_OK;
    w->start = start;
    LLMC_TRY(llmc_bert_init(&w->model, &p->architecture, LLMC_F32));
    memcpy(w->model.parameters.values, p->values, (size_t)p->total * sizeof *p->values);
    LLMC_TRY(llmc_bert_prepare(&w->model, start->ops));
    LLMC_TRY(llmc_alloc(&w->taps, (size_t)norms_of(p), sizeof *w->taps));
    for (int32_t i = 0; i < norms_of(p); i++)
        w->taps[i] = tap_at(i);
exit:
    return status;
}

/* Runs a batch with `count` taps from `first`. */
static llmc_status pass(struct work *w, const struct llmc_batch *batch, int32_t first, int32_t count)
{
    const struct llmc_pass p = {.batch = llmc_step_tokens(batch), .taps = w->taps + first, .tap_count = count};
    return llmc_bert_forward(&w->model, w->start->ops, &p, &w->activations, NULL);
}

/* The texts of batch `index`; none are left: batch->sequences 0. */
static llmc_status take_batch(const struct llmc_projected_start *start, int32_t index, int64_t *rows,
                              struct llmc_batch *batch)
{
    int64_t total = (int64_t)start->batch_size * start->batches, count = 0;
    total = total < start->texts->count ? total : start->texts->count;
    for (int64_t i = (int64_t)index * start->batch_size; i < total && count < start->batch_size; i++)
        rows[count++] = i * start->texts->count / total;
    batch->sequences = 0;
    return count ? llmc_batch_gather(batch, start->texts, rows, (int32_t)count) : LLMC_OK;
}

static llmc_status multiply(struct llmc_ops *ops, enum llmc_gemm_form form, const struct llmc_matrix *a,
                            const struct llmc_matrix *b, struct llmc_matrix *product)
{
    llmc_status status = LLMC_OK;
    struct llmc_operand left, right;
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, a, &left));
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_B, b, &right));
    LLMC_TRY(llmc_gemm_run(&ops->gemm, form, &left, &right, product));
exit:
    return status;
}

/* means [norms, H] of what the norms give, and covariance [H, H], the sum of those of all of them. */
static llmc_status measure(struct work *wide, double *means, double *covariance)
{
    llmc_status status = LLMC_OK;
    int32_t hidden = wide->model.parameters.architecture.hidden, norms = norms_of(&wide->model.parameters);
    struct llmc_batch batch = {0};
    int64_t *rows = NULL, tokens = 0;
    LLMC_TRY(llmc_alloc(&rows, (size_t)wide->start->batch_size, sizeof *rows));
    for (int32_t b = 0; b < wide->start->batches; b++) {
        LLMC_TRY(take_batch(wide->start, b, rows, &batch));
        if (!batch.sequences)
            break;
        LLMC_TRY(pass(wide, &batch, 0, norms));
        tokens += batch.tokens;
        for (int32_t norm = 0; norm < norms; norm++) {
            const struct llmc_matrix *x = &wide->taps[norm].values;
            struct llmc_matrix squares;
            double *mean = means + (int64_t)norm * hidden;
            for (int64_t t = 0; t < x->rows; t++)
                for (int32_t i = 0; i < hidden; i++)
                    mean[i] += (double)((const float *)x->data)[t * hidden + i];
            if (!covariance)
                continue;
            LLMC_TRY(multiply(wide->start->ops, LLMC_GEMM_TN, x, x, &squares));
            for (int64_t i = 0; i < (int64_t)hidden * hidden; i++)
                covariance[i] += (double)((const float *)squares.data)[i];
        }
    }
    for (int64_t i = 0; i < (int64_t)norms * hidden; i++)
        means[i] /= (double)tokens;
    for (int32_t norm = 0; norm < norms && covariance; norm++)
        for (int64_t i = 0; i < hidden; i++)
            for (int64_t j = 0; j < hidden; j++)
                covariance[i * hidden + j] -= (double)tokens * means[norm * hidden + i] * means[norm * hidden + j];
exit:
    llmc_batch_release(&batch);
    free(rows);
    return status;
}

/* Sums over tokens of the student's numbers n, of their squares, of the targets t, and of n t: [4, H']. */
static void add_sums(const float *n, const float *t, int64_t tokens, int32_t hidden, double *sums)
{
    for (int64_t row = 0; row < tokens; row++, n += hidden, t += hidden)
        for (int32_t i = 0; i < hidden; i++) {
            sums[i] += (double)n[i];
            sums[hidden + i] += (double)n[i] * (double)n[i];
            sums[2 * hidden + i] += (double)t[i];
            sums[3 * hidden + i] += (double)n[i] * (double)t[i];
        }
}

/* Gives norm `norm` of the student, whose weight is 1 and bias 0, the lines that come nearest. */
static llmc_status fit_norm(struct work *wide, struct work *narrow, const struct llmc_matrix *p, int32_t norm, double *sums)
{
    llmc_status status = LLMC_OK;
    int32_t hidden = (int32_t)p->cols;
    struct llmc_batch batch = {0};
    int64_t *rows = NULL, tokens = 0;
    float *weight = llmc_parameter_values(&narrow->model.parameters, parameter_at(norm)), *bias =
        llmc_parameter_values(&narrow->model.parameters, parameter_at(norm) + 1);
    memset(sums, 0, 4 * (size_t)hidden * sizeof *sums);
    LLMC_TRY(llmc_alloc(&rows, (size_t)wide->start->batch_size, sizeof *rows));
    for (int32_t b = 0; b < wide->start->batches; b++) {
        struct llmc_matrix target;
        LLMC_TRY(take_batch(wide->start, b, rows, &batch));
        if (!batch.sequences)
            break;
        LLMC_TRY(pass(narrow, &batch, norm, 1));
        LLMC_TRY(pass(wide, &batch, norm, 1));
        LLMC_TRY(multiply(wide->start->ops, LLMC_GEMM_NN, &wide->taps[norm].values, p, &target));
        add_sums(narrow->taps[norm].values.data, target.data, batch.tokens, hidden, sums);
        tokens += batch.tokens;
    }
    for (int32_t i = 0; i < hidden; i++) {
        double n = sums[i] / (double)tokens, t = sums[2 * hidden + i] / (double)tokens;
        double variance = sums[hidden + i] / (double)tokens - n * n;
        double slope = variance > LEAST_VARIANCE ? (sums[3 * hidden + i] / (double)tokens - n * t) / variance : 0;
        weight[i] = (float)slope;
        bias[i] = (float)(t - slope * n);
    }
exit:
    llmc_batch_release(&batch);
    free(rows);
    return status;
}

/* With the means of the wide model measured. */
static llmc_status fit(struct work *wide, const float *p, const double *means, struct llmc_parameters *to)
{
    llmc_status status = LLMC_OK;
    const struct llmc_parameters *from = &wide->model.parameters;
    const struct llmc_projection projection = {from->architecture.hidden, to->architecture.hidden, p, means};
    const struct llmc_matrix matrix = llmc_matrix((void *)p, LLMC_F32, projection.from, projection.to);
    struct work narrow = {0};
    double *sums = NULL;
    LLMC_TRY(llmc_alloc(&sums, 4 * (size_t)projection.to, sizeof *sums));
    LLMC_TRY(llmc_project_parameters(wide->start->ops, &projection, from, to));
    LLMC_TRY(work_init(&narrow, wide->start, to));
    for (int32_t norm = 0; norm < norms_of(from); norm++)
        LLMC_TRY(fit_norm(wide, &narrow, &matrix, norm, sums));
    memcpy(to->values, narrow.model.parameters.values, (size_t)to->total * sizeof *to->values);
exit:
    free(sums);
    work_release(&narrow);
    return status;
}

/* p [H, H'] = the directions [H' - 1, H], spread over rows that sum to zero. */
static void spread(const double *directions, int32_t from, int32_t to, float *p)
{
    const double pi = 3.14159265358979323846;
    for (int32_t col = 0; col < to; col++)
        for (int32_t i = 0; i < from; i++) {
            double sum = 0;
            for (int32_t k = 1; k < to; k++)
                sum += directions[(int64_t)(k - 1) * from + i] * cos(pi * ((double)col + 0.5) * k / to);
            p[(int64_t)i * to + col] = (float)(sqrt(2.0 / to) * sum);
        }
}

llmc_status llmc_projected_fit(const struct llmc_projected_start *start, const float *p,
                               const struct llmc_parameters *wide, struct llmc_parameters *narrow)
{
    llmc_status status = LLMC_OK;
    struct work w = {0};
    double *means = NULL;
    LLMC_TRY(llmc_alloc(&means, (size_t)norms_of(wide) * (size_t)wide->architecture.hidden, sizeof *means));
    LLMC_TRY(work_init(&w, start, wide));
    LLMC_TRY(measure(&w, means, NULL));
    LLMC_TRY(fit(&w, p, means, narrow));
exit:
    free(means);
    work_release(&w);
    return status;
}

llmc_status llmc_projected_start(const struct llmc_projected_start *start, const struct llmc_parameters *wide,
                                 struct llmc_parameters *narrow)
{
    llmc_status status = LLMC_OK;
    int32_t from = wide->architecture.hidden, to = narrow->architecture.hidden;
    struct work w = {0};
    double *means = NULL, *covariance = NULL, *directions = NULL;
    float *p = NULL;
    LLMC_TRY(llmc_alloc(&means, (size_t)norms_of(wide) * (size_t)from, sizeof *means));
    LLMC_TRY(llmc_alloc(&covariance, (size_t)from * (size_t)from, sizeof *covariance));
    LLMC_TRY(llmc_alloc(&directions, (size_t)to * (size_t)from, sizeof *directions));
    LLMC_TRY(llmc_alloc(&p, (size_t)to * (size_t)from, sizeof *p));
    LLMC_TRY(work_init(&w, start, wide));
    LLMC_TRY(measure(&w, means, covariance));
    LLMC_TRY(llmc_principal_directions(covariance, from, to - 1, llmc_random_key(start->seed, LLMC_STREAM_PROJECTION, 0),
                                       directions));
    spread(directions, from, to, p);
    LLMC_TRY(fit(&w, p, means, narrow));
exit:
    free(means);
    free(covariance);
    free(directions);
    free(p);
    work_release(&w);
    return status;
}
