/*
 * Teacher logits, cached in runs/logits/KEY.h5: behind the seal of formats/hdf5/envelope.h (magic "LLMG\r\n\x1a\n",
 * version 1)
 *     /         attributes "key" (hash of teacher weights, data and tokenizer)
 *     /logits   F32 [training texts, labels]
 */
#include "base/file.h"
#include "base/memory.h"
#include "formats/hdf5/envelope.h"
#include "formats/hdf5/file.h"
#include "pipeline/run.h"
#include "train/evaluate.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const struct llmc_envelope seal = {"LLMG", 1, "cache of teacher logits", 1};

static llmc_status make_key(const struct llmc_run *run, const struct llmc_parameters *teacher,
                            char key[LLMC_HASH_TEXT_NBYTES])
{
    struct llmc_hash hash;
    llmc_status status = llmc_hash_init(&hash);
    if (status != LLMC_OK)
        return status;
    int64_t tokens = run->train.offsets[run->train.count];
    const int32_t settings[2] = {(int32_t)run->config->precision, (int32_t)run->train.count};
    llmc_hash_update(&hash, &teacher->architecture, sizeof teacher->architecture);
    llmc_hash_update(&hash, teacher->values, (size_t)teacher->total * sizeof *teacher->values);
    llmc_hash_update(&hash, settings, sizeof settings);
    /* The ids are what the tokenizer made of the data. */
    llmc_hash_update(&hash, run->train.offsets, (run->train.count + 1) * sizeof *run->train.offsets);
    llmc_hash_update(&hash, run->train.ids, (size_t)tokens * sizeof *run->train.ids);
    llmc_hash_update(&hash, run->train.types, (size_t)tokens * sizeof *run->train.types);
    llmc_hash_finish(&hash, key);
    return LLMC_OK;
}

static llmc_status read_cache(const char *path, const char *key, int64_t rows, int32_t labels, float *logits)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *file = NULL;
    char *stored = NULL;
    int64_t shape[2] = {rows, labels};
    LLMC_TRY(llmc_envelope_verify_file(path, &seal));
    LLMC_TRY(llmc_h5_open(&file, path));
    LLMC_TRY(llmc_h5_read_text(file, "", "key", &stored));
    if (strcmp(stored, key) != 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: key is %s, its name says %s", path, stored, key);
    LLMC_TRY(llmc_h5_read(file, "logits", LLMC_F32, 2, shape, logits));
    for (int64_t i = 0; i < rows * labels; i++)
        if (!isfinite(logits[i]))
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: logits of row %lld are not finite", path, (long long)(i / labels));
exit:
    free(stored);
    llmc_h5_abandon(&file);
    return status;
}

static llmc_status write_cache(const char *path, const char *key, int64_t rows, int32_t labels, const float *logits)
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

llmc_status llmc_stage_logits(struct llmc_run *run, const struct llmc_stage_config *stage)
{
    llmc_status status = LLMC_OK;
    struct llmc_state teacher = {0};
    char key[LLMC_HASH_TEXT_NBYTES];
    char *folder = NULL, *path = NULL;
    int lock = -1;
    int64_t rows = (int64_t)run->train.count;
    int32_t labels = run->labels.count;

    LLMC_TRY(llmc_state_load(run->teacher_path, llmc_precision_number(run->config->precision), &teacher));
    LLMC_TRY(make_key(run, &teacher.model.parameters, key));
    LLMC_TRY(llmc_path_join(&folder, run->host->runs_folder, "logits"));
    LLMC_TRY(llmc_folder_make(folder));
    /* Runs with the same teacher write the same file: one after the other. The lock goes with the descriptor. */
    lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot lock: %s", folder, strerror(errno));
    LLMC_TRY(llmc_format(&path, "%s/%s.h5", folder, key));
    free(run->teacher_logits);
    LLMC_TRY(llmc_alloc(&run->teacher_logits, (size_t)(rows * labels), sizeof *run->teacher_logits));
    if (llmc_file_exists(path)) {
        if (read_cache(path, key, rows, labels, run->teacher_logits) == LLMC_OK) {
            llmc_run_message(run, "%s: %lld logits from the cache %s", stage->name, (long long)rows, path);
            goto exit;
        }
        llmc_run_message(run, "%s: made anew, the cache is damaged: %s", stage->name, llmc_error_message());
    }
    LLMC_TRY(llmc_bert_prepare(&teacher.model, &run->ops));
    LLMC_TRY(llmc_evaluate(&teacher.model, &run->ops, &run->train, run->teacher_logits, run->host->progress,
                           run->host->context, run->host->stop));
    LLMC_TRY(write_cache(path, key, rows, labels, run->teacher_logits));
exit:
    if (lock >= 0)
        close(lock);
    free(folder);
    free(path);
    llmc_state_release(&teacher);
    return status;
}
