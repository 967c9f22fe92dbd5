/* What a run reads before its first stage: paths, labels, texts, tokenizer, teacher folder. */
#include "base/file.h"
#include "base/memory.h"
#include "formats/huggingface/folder.h"
#include "formats/huggingface/model.h"
#include "config/paths.h"
#include "pipeline/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A classifier's label names count where the data use them; the order of its outputs is theirs. */
static llmc_status labels_from_teacher(struct llmc_run *run)
{
    llmc_status status = LLMC_OK;
    struct llmc_hf_folder folder = {0};
    LLMC_TRY(llmc_hf_folder_open(&folder, run->teacher_folder));
    if (folder.has_classifier && folder.label_names) {
        struct llmc_labels names = {folder.label_names, folder.architecture.labels};
        bool known = true;
        for (int32_t i = 0; i < run->labels.count; i++)
            known = known && llmc_labels_find(&names, run->labels.names[i]) >= 0;
        if (known) {
            llmc_labels_release(&run->labels);
            LLMC_TRY(llmc_labels_copy(&run->labels, &names));
        }
    }
exit:
    llmc_hf_folder_release(&folder);
    return status;
}

static llmc_status read_train(struct llmc_run *run)
{
    llmc_status status = LLMC_OK;
    struct llmc_rows rows = {0};
    int32_t tokens_max = run->config->data.tokens_max;
    LLMC_TRY(llmc_rows_read(&rows, run->train_path, &run->columns, &run->labels));
    struct llmc_labels sorted = {0};
    LLMC_TRY(llmc_labels_copy(&sorted, &run->labels));
    status = labels_from_teacher(run);
    for (size_t i = 0; status == LLMC_OK && i < rows.count; i++)
        rows.label[i] = llmc_labels_find(&run->labels, sorted.names[rows.label[i]]);
    llmc_labels_release(&sorted);
    if (status != LLMC_OK)
        goto exit;
    LLMC_TRY(llmc_dataset_encode(&run->train, &rows, run->tokenizer, tokens_max));
exit:
    llmc_rows_release(&rows);
    return status;
}

static llmc_status read_dev(struct llmc_run *run)
{
    llmc_status status = LLMC_OK;
    struct llmc_rows rows = {0};
    struct llmc_dataset dev = {0};
    LLMC_TRY(llmc_rows_read(&rows, run->dev_path, &run->columns, &run->labels));
    LLMC_TRY(llmc_dataset_encode(&dev, &rows, run->tokenizer, run->config->data.tokens_max));
    run->dev_count = (int64_t)dev.count;
    for (size_t i = 0; i < dev.count; i++) {
        double tokens = (double)(dev.offsets[i + 1] - dev.offsets[i]);
        run->dev_tokens += tokens / (double)dev.count;
        run->dev_tokens_squared += tokens * tokens / (double)dev.count;
    }
exit:
    llmc_rows_release(&rows);
    llmc_dataset_release(&dev);
    return status;
}

llmc_status llmc_run_open_data(struct llmc_run *run)
{
    const struct llmc_config *config = run->config;
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_data_path(config, config->data.folder, config->data.train, &run->train_path));
    LLMC_TRY(llmc_data_path(config, config->data.folder, config->data.dev, &run->dev_path));
    LLMC_TRY(llmc_data_path(config, config->teacher.folder, NULL, &run->teacher_folder));
    run->columns = (struct llmc_columns){config->data.text, config->data.text_pair, config->data.label};
    LLMC_TRY(llmc_tokenizer_load(&run->tokenizer, run->teacher_folder));
    LLMC_TRY(read_train(run));
    LLMC_TRY(read_dev(run));
    llmc_run_message(run, "data: %zu training texts, %lld dev texts, %d labels, %.1f tokens a dev text", run->train.count,
                     (long long)run->dev_count, run->labels.count, run->dev_tokens);
exit:
    return status;
}

llmc_status llmc_run_load_folder(struct llmc_run *run, enum llmc_number number, struct llmc_state *state,
                                 bool *has_classifier)
{
    llmc_status status = LLMC_OK;
    const struct llmc_config *config = run->config;
    struct llmc_hf_folder folder = {0};
    LLMC_TRY(llmc_hf_folder_open(&folder, run->teacher_folder));
    struct llmc_architecture architecture = folder.architecture;
    *has_classifier = folder.has_classifier;
    if (folder.has_classifier && architecture.labels != run->labels.count)
        LLMC_FAIL(LLMC_ERR_CONFIG, "%s: the classifier has %d labels, %s has %d", run->teacher_folder,
                  architecture.labels, run->train_path, run->labels.count);
    if (folder.has_classifier && !folder.has_pooler)
        LLMC_FAIL(LLMC_ERR_UNSUPPORTED, "%s: the classifier has no pooler (bert.pooler.dense.weight) in front of it",
                  run->teacher_folder);
    if (config->data.tokens_max > architecture.positions)
        LLMC_FAIL(LLMC_ERR_CONFIG, "data.tokens_max is %d; the teacher in %s takes at most %d tokens",
                  config->data.tokens_max, run->teacher_folder, architecture.positions);
    if (llmc_tokenizer_size(run->tokenizer) > architecture.vocabulary)
        LLMC_FAIL(LLMC_ERR_CONFIG, "%s: the tokenizer has %d word pieces, the model's embedding %d rows",
                  run->teacher_folder, llmc_tokenizer_size(run->tokenizer), architecture.vocabulary);
    architecture.labels = run->labels.count;
    LLMC_TRY(llmc_bert_init(&state->model, &architecture, number));
    LLMC_TRY(llmc_hf_parameters_read(&state->model.parameters, &folder, config->seed));
exit:
    llmc_hf_folder_release(&folder);
    if (status != LLMC_OK)
        llmc_state_release(state);
    return status;
}
