/*
 * The stage baseline. Its file, baseline.h5: after the seal of formats/hdf5/envelope.h (magic "LLMB\r\n\x1a\n", version 1)
 *     /          attributes "labels", "key"
 *     /ngrams    I64 [features]; /weights F16 [features, columns]; /bias F32 [columns] (baseline/nbsvm.h)
 */
#include "baseline/stage.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "baseline/nbsvm.h"
#include "formats/hdf5/envelope.h"
#include "formats/hdf5/file.h"

#include <math.h>
#include <stdlib.h>

enum { DEFLATE = 9 };

static const struct llmc_envelope seal = {"LLMB", 1, "baseline", 1};

/* Of the texts and labels, and of the answers with which its row compares it. */
static llmc_status make_key(const struct llmc_stage_work *work, char key[LLMC_HASH_TEXT_NBYTES])
{
    struct llmc_hash hash = {0};
    const struct llmc_dataset *train = &work->data->train;
    size_t tokens = (size_t)train->offsets[train->count];
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_hash_init(&hash));
    llmc_hash_text(&hash, "baseline");
    LLMC_TRY(llmc_hash_file(&hash, work->data->dev_path));
    llmc_hash_update(&hash, &work->config->seed, sizeof work->config->seed);
    llmc_hash_update(&hash, train->offsets, (train->count + 1) * sizeof *train->offsets);
    llmc_hash_update(&hash, train->ids, tokens * sizeof *train->ids);
    llmc_hash_update(&hash, train->types, tokens * sizeof *train->types);
    llmc_hash_update(&hash, train->label, train->count * sizeof *train->label);
    if (work->chain->teacher_answers)
        llmc_hash_update(&hash, work->chain->teacher_answers, work->data->dev_count * sizeof *work->chain->teacher_answers);
    llmc_hash_finish(&hash, key);
exit:
    llmc_hash_release(&hash);
    return status;
}

static llmc_status write_model(const char *path, const char *key, const struct llmc_nbsvm *model)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *file = NULL;
    char *temporary = NULL;
    uint16_t *halves = NULL;
    const int64_t shape[2] = {model->features, model->columns}, columns = model->columns;
    LLMC_TRY(llmc_alloc(&halves, (size_t)(shape[0] * shape[1]) + 1, sizeof *halves));
    for (int64_t i = 0; i < shape[0] * shape[1]; i++)
        halves[i] = llmc_f16_from_f32(model->weights[i]);
    LLMC_TRY(llmc_file_begin(path, &temporary));
    LLMC_TRY(llmc_h5_create(&file, temporary, LLMC_ENVELOPE_NBYTES));
    LLMC_TRY(llmc_h5_write_text(file, "", "key", key));
    LLMC_TRY(llmc_h5_write_int(file, "", "labels", model->labels));
    LLMC_TRY(llmc_h5_write(file, "ngrams", LLMC_I64, 1, shape, model->ngrams, DEFLATE));
    LLMC_TRY(llmc_h5_write(file, "weights", LLMC_F16, 2, shape, halves, DEFLATE));
    LLMC_TRY(llmc_h5_write(file, "bias", LLMC_F32, 1, &columns, model->bias, 0));
    LLMC_TRY(llmc_h5_close(&file));
    LLMC_TRY(llmc_envelope_seal(temporary, &seal));
    LLMC_TRY(llmc_file_commit(&temporary, path));
exit:
    llmc_h5_abandon(&file);
    llmc_file_abandon(&temporary);
    free(halves);
    return status;
}

static llmc_status read_arrays(struct llmc_h5 *file, const char *path, struct llmc_nbsvm *model)
{
    llmc_status status = LLMC_OK;
    enum llmc_number number;
    int rank;
    int64_t shape[LLMC_H5_RANK_MAX], columns;
    uint16_t *halves = NULL;
    LLMC_TRY(llmc_h5_describe(file, "weights", &number, &rank, shape));
    if (number != LLMC_F16 || rank != 2 || shape[1] != (model->labels == 2 ? 1 : model->labels))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: weights: not of %d labels", path, model->labels);
    model->features = shape[0];
    model->columns = (int32_t)shape[1];
    columns = shape[1];
    LLMC_TRY(llmc_alloc(&halves, (size_t)(shape[0] * shape[1]) + 1, sizeof *halves));
    LLMC_TRY(llmc_alloc(&model->weights, (size_t)(shape[0] * shape[1]) + 1, sizeof *model->weights));
    LLMC_TRY(llmc_alloc(&model->ngrams, (size_t)shape[0] + 1, sizeof *model->ngrams));
    LLMC_TRY(llmc_alloc(&model->bias, (size_t)columns, sizeof *model->bias));
    LLMC_TRY(llmc_h5_read(file, "weights", LLMC_F16, 2, shape, halves));
    LLMC_TRY(llmc_h5_read(file, "ngrams", LLMC_I64, 1, shape, model->ngrams));
    LLMC_TRY(llmc_h5_read(file, "bias", LLMC_F32, 1, &columns, model->bias));
    for (int64_t i = 0; i < shape[0] * shape[1]; i++)
        model->weights[i] = llmc_f32_from_f16(halves[i]);
exit:
    free(halves);
    return status;
}

static llmc_status read_model(const char *path, int32_t labels, struct llmc_nbsvm *model)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *file = NULL;
    *model = (struct llmc_nbsvm){.labels = labels};
    LLMC_TRY(llmc_envelope_verify_file(path, &seal));
    LLMC_TRY(llmc_h5_open(&file, path));
    LLMC_TRY(read_arrays(file, path, model));
exit:
    llmc_h5_abandon(&file);
    if (status != LLMC_OK)
        llmc_nbsvm_release(model);
    return status;
}

static llmc_status run(struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    struct llmc_nbsvm model = {0};
    LLMC_TRY(llmc_nbsvm_train(&model, &work->data->train, work->data->labels.count, work->config->seed));
    LLMC_TRY(write_model(work->product_path, work->key, &model));
exit:
    llmc_nbsvm_release(&model);
    return status;
}

/* From the file, as any model is measured. */
static llmc_status measure(struct llmc_stage_work *work, struct llmc_stage_figures *figures)
{
    llmc_status status = LLMC_OK;
    const struct llmc_data *data = work->data;
    struct llmc_nbsvm model = {0};
    struct llmc_dataset dev = {0};
    LLMC_TRY(read_model(work->product_path, data->labels.count, &model));
    LLMC_TRY(llmc_data_read_dev(data, data->tokenizer, work->config->data.tokens_max, &dev));
    LLMC_TRY(llmc_alloc(&figures->answers, dev.count, sizeof *figures->answers));
    LLMC_TRY(llmc_nbsvm_predict(&model, &dev, figures->answers));
    figures->row.parameters = figures->row.nonzero_parameters = model.features * model.columns + model.columns;
    figures->row.file_bytes = (int64_t)llmc_file_nbytes(work->product_path);
exit:
    llmc_nbsvm_release(&model);
    llmc_dataset_release(&dev);
    return status;
}

const struct llmc_stage_type llmc_baseline_stage = {
    .kind = {.name = "baseline",
             .does = "word counts and a linear model (NBSVM) on the same texts, to see when no network is needed"},
    .product = "baseline.h5",
    .suffix = ".h5",
    .engine = "nbsvm",
    .key = make_key,
    .run = run,
    .measure = measure,
};
