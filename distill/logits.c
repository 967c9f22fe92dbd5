/*
 * The stage logits: the teacher answers every text of the chain once (the training texts, and behind them unlabelled and
 * augmented ones), in flat memory for any number of them. Of several
 * teachers the mean of their logits is the answer (pipeline/teachers.h). A killed stage goes on where it last saved. The product is
 * logits.h5 (distill/logits_file.h).
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "distill/given_logits.h"
#include "distill/stage.h"
#include "stage/training.h"
#include "train/evaluate.h"

#include <stdlib.h>
#include <string.h>

enum holding { HOLDS_LOGITS, HOLDS_PROBABILITIES };
static const char *const holdings[] = {[HOLDS_LOGITS] = "logits", [HOLDS_PROBABILITIES] = "probabilities", NULL};

struct settings {
    char *from;
    enum holding holds;
};

static const struct llmc_config_key keys[] = {
    LLMC_KEY("from", struct settings, from, TEXT, "\"\"", 0, 4096,
             "answers made elsewhere, a TSV or HDF5 file; \"\": the teacher's")
    LLMC_KEY_ONE_OF("holds", struct settings, holds, holdings, "logits", "what the file of from holds")
};

static const struct settings *settings_of(const struct llmc_stage_work *work)
{
    return work->stage->settings;
}

bool llmc_logits_are_given(const struct llmc_stage_config *stage)
{
    return stage->kind == &llmc_logits_stage.kind && ((const struct settings *)stage->settings)->from[0];
}

static int32_t teacher_count(const struct llmc_stage_work *work)
{
    return work->chain->teacher_count > 0 ? work->chain->teacher_count : 1;
}

static llmc_status hash_teacher(const struct llmc_stage_work *work, int32_t index, struct llmc_hash *hash)
{
    struct llmc_state teacher = {0};
    llmc_status status = llmc_stage_load_teacher_of(work, index, LLMC_F32, &teacher);
    const struct llmc_parameters *parameters = &teacher.model.parameters;
    if (status == LLMC_OK) {
        llmc_hash_update(hash, &parameters->architecture, sizeof parameters->architecture);
        llmc_hash_update(hash, parameters->values, (size_t)parameters->total * sizeof *parameters->values);
    }
    llmc_state_release(&teacher);
    return status;
}

/* The key is of what the logits are made from, not of how it came about: runs with other seeds share the answers of a
 * teacher that was given. */
static llmc_status make_key(const struct llmc_stage_work *work, char key[LLMC_HASH_TEXT_NBYTES])
{
    llmc_status status = LLMC_OK;
    struct llmc_hash hash = {0};
    const struct llmc_data *data = work->data;
    const struct llmc_dataset *train = &data->train;
    const int32_t settings[2] = {(int32_t)work->config->precision, (int32_t)train->count};
    int64_t tokens = train->offsets[train->count];
    LLMC_TRY(llmc_hash_init(&hash));
    llmc_hash_text(&hash, "logits");
    if (settings_of(work)->from[0])
        LLMC_TRY(llmc_hash_file(&hash, settings_of(work)->from));
    llmc_hash_text(&hash, settings_of(work)->from[0] ? holdings[settings_of(work)->holds] : "");
    for (int32_t i = 0; !settings_of(work)->from[0] && i < teacher_count(work); i++)
        LLMC_TRY(hash_teacher(work, i, &hash));
    llmc_hash_update(&hash, settings, sizeof settings);
    for (int32_t i = 0; i < data->labels.count; i++)
        llmc_hash_text(&hash, data->labels.names[i]);
    /* The ids are what the tokenizer made of the data. */
    llmc_hash_update(&hash, train->offsets, (train->count + 1) * sizeof *train->offsets);
    llmc_hash_update(&hash, train->ids, (size_t)tokens * sizeof *train->ids);
    llmc_hash_update(&hash, train->types, (size_t)tokens * sizeof *train->types);
    llmc_hash_text(&hash, work->chain->more_texts);
    llmc_hash_finish(&hash, key);
exit:
    llmc_hash_release(&hash);
    return status;
}

/* What trains behind this stage depends on the texts too. */
static llmc_status identify(const struct llmc_stage_work *work, struct llmc_hash *hash)
{
    if (work->chain->more_texts[0])
        llmc_hash_text(hash, work->chain->more_texts);
    return settings_of(work)->from[0] ? llmc_hash_file(hash, settings_of(work)->from) : LLMC_OK;
}

/* The answering under way. */
struct answering {
    struct llmc_logits_file file;
    double saved, save_seconds;
};

static llmc_status take(void *context, int64_t first, int32_t count, const float *logits)
{
    struct answering *a = context;
    (void)first;
    llmc_status status = llmc_logits_file_add(&a->file, logits, count);
    if (status == LLMC_OK && llmc_clock() - a->saved >= a->save_seconds) {
        status = llmc_logits_file_save(&a->file);
        a->saved = llmc_clock();
    }
    return status;
}

static struct llmc_given_logits given_of(const struct llmc_stage_work *work)
{
    return (struct llmc_given_logits){settings_of(work)->from, settings_of(work)->holds == HOLDS_PROBABILITIES, work->data,
                                      work->config->data.tokens_max, &work->chain->texts};
}

/* Answers from a file, checked and in the form of the product. */
static llmc_status copy_given(struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    struct llmc_logits_file file = LLMC_LOGITS_FILE_INIT;
    const struct llmc_given_logits given = given_of(work);
    char *part = NULL;
    LLMC_TRY(llmc_stage_path(work, LLMC_PART_FILE, &part));
    LLMC_TRY(llmc_logits_file_begin(&file, part, work->key, work->chain->texts.count, &work->data->labels));
    LLMC_TRY(llmc_given_logits_read(&given, &file));
    LLMC_TRY(llmc_logits_file_finish(&file, work->product_path));
exit:
    llmc_logits_file_close(&file);
    free(part);
    return status;
}

/* Before the first stage: all that can be wrong with the file. Variants are made by this run, so that none answers them. */
static llmc_status prepare(const struct llmc_stage_work *work)
{
    const struct settings *settings = settings_of(work);
    if (!settings->from[0])
        return LLMC_OK;
    if (!llmc_file_exists(settings->from))
        return llmc_error(LLMC_ERR_IO, "%s: %s: from: %s: there is no such file", work->config->path, work->stage->name,
                          settings->from);
    for (int32_t i = 0; &work->config->stages[i] != work->stage; i++)
        if (work->config->stages[i].kind == &llmc_augment_stage.kind)
            return llmc_error(LLMC_ERR_CONFIG, "%s: %s: from: no file answers the variants that augment makes; allowed are "
                              "texts of data.unlabeled", work->config->path, work->stage->name);
    const struct llmc_given_logits given = given_of(work);
    llmc_status status = llmc_given_logits_read(&given, NULL);
    return status == LLMC_OK ? LLMC_OK : llmc_error_prefix(status, "%s: from", work->stage->name);
}

static llmc_status run(struct llmc_stage_work *work)
{
    if (settings_of(work)->from[0])
        return copy_given(work);
    llmc_status status = LLMC_OK;
    const struct llmc_text_source *texts = &work->chain->texts;
    struct answering a = {.file = LLMC_LOGITS_FILE_INIT, .saved = llmc_clock(),
                          .save_seconds = work->config->checkpoint_seconds};
    struct llmc_state *teachers = NULL;
    struct llmc_bert **models = NULL;
    int32_t count = teacher_count(work);
    char *part = NULL;
    LLMC_TRY(llmc_stage_path(work, LLMC_PART_FILE, &part));
    LLMC_TRY(llmc_logits_file_begin(&a.file, part, work->key, texts->count, &work->data->labels));
    if (a.file.done > 0)
        llmc_stage_message(work, "going on at text %lld of %lld", (long long)a.file.done, (long long)texts->count);
    else if (texts->count > (int64_t)work->data->train.count)
        llmc_stage_message(work, "%zu training texts and %lld more: epochs count passes over all of them",
                           work->data->train.count, (long long)texts->count - (long long)work->data->train.count);
    LLMC_TRY(llmc_alloc(&teachers, (size_t)count, sizeof *teachers));
    LLMC_TRY(llmc_alloc(&models, (size_t)count, sizeof *models));
    for (int32_t i = 0; i < count; i++) {
        LLMC_TRY(llmc_stage_load_teacher_of(work, i, llmc_stage_number(work), &teachers[i]));
        LLMC_TRY(llmc_bert_prepare(&teachers[i].model, work->ops));
        models[i] = &teachers[i].model;
    }
    const struct llmc_evaluation evaluation = {
        .models = models, .model_count = count, .texts = texts, .first = a.file.done, .take = take, .context = &a,
        .progress = work->host->progress, .progress_context = work->host->context, .stop = work->host->stop};
    status = llmc_evaluate(&evaluation, work->ops);
    if (status == LLMC_ERR_INTERRUPTED && llmc_logits_file_save(&a.file) != LLMC_OK)
        status = LLMC_ERR_IO;
    if (status != LLMC_OK)
        goto exit;
    LLMC_TRY(llmc_logits_file_finish(&a.file, work->product_path));
exit:
    llmc_logits_file_close(&a.file);
    for (int32_t i = 0; teachers && i < count; i++)
        llmc_state_release(&teachers[i]);
    free(teachers);
    free(models);
    free(part);
    return status;
}

static llmc_status fetch(void *context, const int64_t *rows, int32_t count, float *out)
{
    return llmc_logits_file_read(context, rows, count, out);
}

static void close_file(void *context)
{
    llmc_logits_file_close(context);
    free(context);
}

/* Hands the product on. */
static llmc_status adopt(struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    struct llmc_logits_file *file = NULL;
    LLMC_TRY(llmc_alloc(&file, 1, sizeof *file));
    LLMC_TRY(llmc_logits_file_open(file, work->product_path, work->chain->texts.count, work->data->labels.count));
    llmc_chain_set_logits(work->chain, &(struct llmc_teacher_logits){file, fetch, close_file});
    file = NULL;
exit:
    free(file);
    return status;
}

const struct llmc_stage_type llmc_logits_stage = {
    .kind = {.name = "logits", .does = "lets the teacher answer every training text once",
             .keys = keys, .key_count = sizeof keys / sizeof keys[0], .settings_nbytes = sizeof(struct settings),
             .makes = LLMC_THING_LOGITS},
    .product = "logits.h5",
    .prepare = prepare,
    .identify = identify,
    .key = make_key,
    .run = run,
    .adopt = adopt,
};
