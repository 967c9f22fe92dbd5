/*
 * The stage logits: the teacher answers every training text once. The file, logits.h5: after the seal of
 * formats/hdf5/envelope.h (magic "LLMG\r\n\x1a\n", version 1)
 *     /         attributes "key" (hash of teacher weights, data and tokenizer)
 *     /logits   F32 [training texts, labels]
 */
#include "base/file.h"
#include "base/memory.h"
#include "distill/stage.h"
#include "formats/hdf5/envelope.h"
#include "formats/hdf5/file.h"
#include "train/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct llmc_envelope seal = {"LLMG", 1, "cache of teacher logits", 1};

/* The key is of what the logits are made from, not of how it came about: runs with other seeds share the answers of a
 * teacher that was given. */
static llmc_status hash_content(const struct llmc_stage_work *work, const struct llmc_parameters *teacher,
                                char key[LLMC_HASH_TEXT_NBYTES])
{
    struct llmc_hash hash;
    const struct llmc_dataset *train = &work->data->train;
    const int32_t settings[2] = {(int32_t)work->config->precision, (int32_t)train->count};
    int64_t tokens = train->offsets[train->count];
    llmc_status status = llmc_hash_init(&hash);
    if (status != LLMC_OK)
        return status;
    llmc_hash_text(&hash, "logits");
    llmc_hash_update(&hash, &teacher->architecture, sizeof teacher->architecture);
    llmc_hash_update(&hash, teacher->values, (size_t)teacher->total * sizeof *teacher->values);
    llmc_hash_update(&hash, settings, sizeof settings);
    /* The ids are what the tokenizer made of the data. */
    llmc_hash_update(&hash, train->offsets, (train->count + 1) * sizeof *train->offsets);
    llmc_hash_update(&hash, train->ids, (size_t)tokens * sizeof *train->ids);
    llmc_hash_update(&hash, train->types, (size_t)tokens * sizeof *train->types);
    llmc_hash_finish(&hash, key);
    return LLMC_OK;
}

static llmc_status make_key(const struct llmc_stage_work *work, char key[LLMC_HASH_TEXT_NBYTES])
{
    struct llmc_state teacher = {0};
    llmc_status status = llmc_stage_load_teacher(work, LLMC_F32, &teacher);
    if (status == LLMC_OK)
        status = hash_content(work, &teacher.model.parameters, key);
    llmc_state_release(&teacher);
    return status;
}

static llmc_status read_logits(const char *path, int64_t rows, int32_t labels, float *logits)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *file = NULL;
    int64_t shape[2] = {rows, labels};
    LLMC_TRY(llmc_envelope_verify_file(path, &seal));
    LLMC_TRY(llmc_h5_open(&file, path));
    LLMC_TRY(llmc_h5_read(file, "logits", LLMC_F32, 2, shape, logits));
    for (int64_t i = 0; i < rows * labels; i++)
        if (!isfinite(logits[i]))
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: logits of row %lld are not finite", path, (long long)(i / labels));
exit:
    llmc_h5_abandon(&file);
    return status;
}

static llmc_status write_logits(const char *path, const char *key, int64_t rows, int32_t labels, const float *logits)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *file = NULL;
    char *temporary = NULL;
    int64_t shape[2] = {rows, labels};
    LLMC_TRY(llmc_file_begin(path, &temporary));
    LLMC_TRY(llmc_h5_create(&file, temporary, LLMC_ENVELOPE_NBYTES));
    LLMC_TRY(llmc_h5_write_text(file, "", "key", key));
    LLMC_TRY(llmc_h5_write(file, "logits", LLMC_F32, 2, shape, logits, 0));
    LLMC_TRY(llmc_h5_close(&file));
    LLMC_TRY(llmc_envelope_seal(temporary, &seal));
    LLMC_TRY(llmc_file_commit(&temporary, path));
exit:
    llmc_h5_abandon(&file);
    llmc_file_abandon(&temporary);
    return status;
}

/* The logits in memory. */
struct answers {
    int32_t labels;
    float *logits; /* [texts, labels] */
};

static llmc_status fetch(void *context, const int64_t *rows, int32_t count, float *out)
{
    const struct answers *answers = context;
    for (int32_t i = 0; i < count; i++)
        memcpy(out + (int64_t)i * answers->labels, answers->logits + rows[i] * answers->labels,
               (size_t)answers->labels * sizeof *out);
    return LLMC_OK;
}

static void close_answers(void *context)
{
    struct answers *answers = context;
    free(answers->logits);
    free(answers);
}

/* Takes the logits from the product. */
static llmc_status adopt(struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    int64_t rows = work->chain->texts.count;
    struct answers *answers = NULL;
    LLMC_TRY(llmc_alloc(&answers, 1, sizeof *answers));
    answers->labels = work->data->labels.count;
    LLMC_TRY(llmc_alloc_unset(&answers->logits, (size_t)(rows * answers->labels), sizeof *answers->logits));
    LLMC_TRY(read_logits(work->product_path, rows, answers->labels, answers->logits));
    llmc_chain_set_logits(work->chain, &(struct llmc_teacher_logits){answers, fetch, close_answers});
    answers = NULL;
exit:
    if (answers)
        close_answers(answers);
    return status;
}

static llmc_status run(struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    const struct llmc_data *data = work->data;
    int64_t rows = work->chain->texts.count;
    struct llmc_state teacher = {0};
    float *logits = NULL;
    LLMC_TRY(llmc_stage_load_teacher(work, llmc_stage_number(work), &teacher));
    LLMC_TRY(llmc_alloc_unset(&logits, (size_t)rows * (size_t)data->labels.count, sizeof *logits));
    LLMC_TRY(llmc_bert_prepare(&teacher.model, work->ops));
    LLMC_TRY(llmc_evaluate(&teacher.model, work->ops, &work->chain->texts, logits, work->host->progress, work->host->context,
                           work->host->stop));
    LLMC_TRY(write_logits(work->product_path, work->key, rows, data->labels.count, logits));
exit:
    free(logits);
    llmc_state_release(&teacher);
    return status;
}

const struct llmc_stage_type llmc_logits_stage = {
    .kind = {.name = "logits", .does = "lets the teacher answer every training text once", .makes = LLMC_THING_LOGITS},
    .product = "logits.h5",
    .key = make_key,
    .run = run,
    .adopt = adopt,
};
