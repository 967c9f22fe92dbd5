#include "baseline/nbsvm.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SVM_C 1.0
#define INTERPOLATION 0.25
/* Passes over the texts; it ends earlier where no text's margin is off by more than the tolerance (liblinear's). */
enum { PASSES_MAX = 100 };
#define TOLERANCE 0.1

void llmc_nbsvm_release(struct llmc_nbsvm *model)
{
    free(model->ngrams);
    free(model->weights);
    free(model->bias);
    memset(model, 0, sizeof *model);
}

uint64_t llmc_nbsvm_ngram(int32_t first, int32_t second, uint8_t type)
{
    return (uint64_t)type << 62 | (uint64_t)(uint32_t)first << 31 | (uint64_t)(uint32_t)(second + 1);
}

/* ---- features: the sets of n-grams, as rows of a sparse matrix ---- */

struct features {
    int64_t *offsets; /* [count + 1] */
    int32_t *columns; /* rising inside a row */
};

static void features_release(struct features *features)
{
    free(features->offsets);
    free(features->columns);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int64_t drop_repeated(uint64_t *sorted, int64_t count)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++)
        if (i == 0 || sorted[i] != sorted[i - 1])
            sorted[kept++] = sorted[i];
    return kept;
}

/* The distinct n-grams of a row, sorted: out [2 * tokens]. Its first token is [CLS], and texts end with [SEP], which
 * stand in every text and tell nothing. */
static int64_t row_ngrams(const struct llmc_dataset *data, size_t row, uint64_t *out)
{
    int64_t count = 0, end = data->offsets[row + 1];
    int32_t separator = data->ids[end - 1];
    for (int64_t i = data->offsets[row] + 1; i < end; i++) {
        if (data->ids[i] == separator)
            continue;
        out[count++] = llmc_nbsvm_ngram(data->ids[i], -1, data->types[i]);
        if (data->ids[i + 1] != separator)
            out[count++] = llmc_nbsvm_ngram(data->ids[i], data->ids[i + 1], data->types[i]);
    }
    qsort(out, (size_t)count, sizeof *out, compare_u64);
    return drop_repeated(out, count);
}

static int64_t find(const uint64_t *ngrams, int64_t count, uint64_t ngram)
{
    const uint64_t *found = bsearch(&ngram, ngrams, (size_t)count, sizeof *ngrams, compare_u64);
    return found ? found - ngrams : -1;
}

/* *ngrams [*count] = all of the data set, rising. */
static llmc_status collect(const struct llmc_dataset *data, uint64_t **ngrams, int64_t *count)
{
    llmc_status status = LLMC_OK;
    uint64_t *all = NULL;
    int64_t used = 0;
    LLMC_TRY(llmc_alloc(&all, 2 * (size_t)data->offsets[data->count] + 1, sizeof *all));
    for (size_t row = 0; row < data->count; row++)
        used += row_ngrams(data, row, all + used);
    qsort(all, (size_t)used, sizeof *all, compare_u64);
    *count = drop_repeated(all, used);
    *ngrams = all;
    all = NULL;
exit:
    free(all);
    return status;
}

/* The rows as columns of `model->ngrams`; n-grams that are none of them are left out. */
static llmc_status make_features(const struct llmc_nbsvm *model, const struct llmc_dataset *data,
                                 struct features *features)
{
    llmc_status status = LLMC_OK;
    uint64_t *ngrams = NULL;
    LLMC_TRY(llmc_alloc(&features->offsets, data->count + 1, sizeof *features->offsets));
    LLMC_TRY(llmc_alloc(&features->columns, 2 * (size_t)data->offsets[data->count] + 1, sizeof *features->columns));
    LLMC_TRY(llmc_alloc(&ngrams, 2 * (size_t)data->tokens_max + 1, sizeof *ngrams));
    for (size_t row = 0; row < data->count; row++) {
        int64_t count = row_ngrams(data, row, ngrams), end = features->offsets[row];
        for (int64_t i = 0; i < count; i++) {
            int64_t column = find(model->ngrams, model->features, ngrams[i]);
            if (column >= 0)
                features->columns[end++] = (int32_t)column;
        }
        features->offsets[row + 1] = end;
    }
exit:
    free(ngrams);
    return status;
}

/* ---- training one label against the others ---- */

/* ratio [features]: the logarithms of how much more often a feature is in texts of the label. */
static void log_count_ratio(const struct features *features, const struct llmc_dataset *data, int32_t label,
                            int64_t count, double *ratio, double *others)
{
    double sum = 0, others_sum = 0;
    for (int64_t i = 0; i < count; i++)
        ratio[i] = others[i] = 1;
    for (size_t row = 0; row < data->count; row++)
        for (int64_t i = features->offsets[row]; i < features->offsets[row + 1]; i++)
            (data->label[row] == label ? ratio : others)[features->columns[i]] += data->label[row] >= 0;
    for (int64_t i = 0; i < count; i++) {
        sum += ratio[i];
        others_sum += others[i];
    }
    for (int64_t i = 0; i < count; i++)
        ratio[i] = log(ratio[i] / sum / (others[i] / others_sum));
}

struct svm {
    const struct features *features;
    const double *ratio; /* [features] by which features are scaled */
    double *weights;     /* [features] */
    double bias;
    double *dual;        /* [texts] */
};

/* One coordinate: text `row` of side y, 1 or -1. Returns how far its projected gradient is from 0. */
static double step(struct svm *svm, size_t row, double y)
{
    const int64_t begin = svm->features->offsets[row], end = svm->features->offsets[row + 1];
    const int32_t *columns = svm->features->columns;
    double margin = svm->bias, squares = 1, diagonal = 1 / (2 * SVM_C);
    for (int64_t i = begin; i < end; i++) {
        double scale = svm->ratio[columns[i]];
        margin += svm->weights[columns[i]] * scale;
        squares += scale * scale;
    }
    double gradient = y * margin - 1 + diagonal * svm->dual[row];
    double projected = svm->dual[row] == 0 ? fmin(gradient, 0) : gradient;
    if (projected == 0)
        return 0;
    double dual = fmax(svm->dual[row] - gradient / (squares + diagonal), 0);
    double change = (dual - svm->dual[row]) * y;
    svm->dual[row] = dual;
    svm->bias += change;
    for (int64_t i = begin; i < end; i++)
        svm->weights[columns[i]] += change * svm->ratio[columns[i]];
    return fabs(projected);
}

static void train_svm(struct svm *svm, const struct llmc_dataset *data, int32_t label, uint64_t seed, int64_t *order)
{
    for (size_t i = 0; i < data->count; i++)
        order[i] = (int64_t)i;
    for (int pass = 0; pass < PASSES_MAX; pass++) {
        double worst = 0;
        llmc_random_shuffle(llmc_random_key(seed, LLMC_STREAM_BASELINE, (uint64_t)pass), data->count, order);
        for (size_t i = 0; i < data->count; i++)
            if (data->label[order[i]] >= 0)
                worst = fmax(worst, step(svm, (size_t)order[i], data->label[order[i]] == label ? 1 : -1));
        if (worst < TOLERANCE)
            break;
    }
}

static llmc_status train_label(struct llmc_nbsvm *model, const struct features *features,
                               const struct llmc_dataset *data, int32_t column, uint64_t seed)
{
    llmc_status status = LLMC_OK;
    int32_t label = model->columns == 1 ? 1 : column;
    double *ratio = NULL, mean = 0;
    int64_t *order = NULL;
    struct svm svm = {.features = features};
    LLMC_TRY(llmc_alloc(&ratio, (size_t)model->features + 1, sizeof *ratio));
    LLMC_TRY(llmc_alloc(&svm.weights, (size_t)model->features + 1, sizeof *svm.weights));
    LLMC_TRY(llmc_alloc(&svm.dual, data->count, sizeof *svm.dual));
    LLMC_TRY(llmc_alloc(&order, data->count, sizeof *order));
    log_count_ratio(features, data, label, model->features, ratio, svm.weights);
    memset(svm.weights, 0, (size_t)model->features * sizeof *svm.weights);
    svm.ratio = ratio;
    train_svm(&svm, data, label, seed, order);
    for (int64_t i = 0; i < model->features; i++)
        mean += fabs(svm.weights[i]) / (double)model->features;
    for (int64_t i = 0; i < model->features; i++)
        model->weights[i * model->columns + column] =
            (float)(ratio[i] * ((1 - INTERPOLATION) * mean + INTERPOLATION * svm.weights[i]));
    /* The bias counts as the weights do that it was learned with. */
    model->bias[column] = (float)(INTERPOLATION * svm.bias);
exit:
    free(ratio);
    free(order);
    free(svm.weights);
    free(svm.dual);
    return status;
}

llmc_status llmc_nbsvm_train(struct llmc_nbsvm *model, const struct llmc_dataset *data, int32_t labels, uint64_t seed)
{
    llmc_status status = LLMC_OK, failed = LLMC_OK;
    struct features features = {0};
    *model = (struct llmc_nbsvm){.labels = labels, .columns = labels == 2 ? 1 : labels};
    LLMC_TRY(collect(data, &model->ngrams, &model->features));
    LLMC_TRY(make_features(model, data, &features));
    LLMC_TRY(llmc_alloc(&model->weights, (size_t)model->features * (size_t)model->columns + 1, sizeof *model->weights));
    LLMC_TRY(llmc_alloc(&model->bias, (size_t)model->columns, sizeof *model->bias));
#pragma omp parallel for schedule(dynamic)
    for (int32_t column = 0; column < model->columns; column++) {
        llmc_status result = train_label(model, &features, data, column, seed);
        if (result != LLMC_OK) {
#pragma omp atomic write
            failed = result;
        }
    }
    /* The message stayed in the thread that failed; memory is all that can fail there. */
    if (failed != LLMC_OK)
        LLMC_FAIL(failed, "cannot train on %zu texts: out of memory", data->count);
exit:
    features_release(&features);
    if (status != LLMC_OK)
        llmc_nbsvm_release(model);
    return status;
}

llmc_status llmc_nbsvm_predict(const struct llmc_nbsvm *model, const struct llmc_dataset *data, int32_t *answers)
{
    llmc_status status = LLMC_OK;
    struct features features = {0};
    LLMC_TRY(make_features(model, data, &features));
    for (size_t row = 0; row < data->count; row++) {
        double best = model->columns == 1 ? 0 : -INFINITY;
        answers[row] = 0;
        for (int32_t column = 0; column < model->columns; column++) {
            double score = (double)model->bias[column];
            for (int64_t i = features.offsets[row]; i < features.offsets[row + 1]; i++)
                score += (double)model->weights[features.columns[i] * (int64_t)model->columns + column];
            if (score > best) {
                best = score;
                answers[row] = model->columns == 1 ? 1 : column;
            }
        }
    }
exit:
    features_release(&features);
    return status;
}
