#include "stage/data.h"

#include "config/paths.h"
#include "formats/huggingface/folder.h"

#include <stdlib.h>
#include <string.h>

void llmc_data_release(struct llmc_data *data)
{
    free(data->teacher_folder);
    free(data->train_path);
    free(data->dev_path);
    llmc_tokenizer_free(data->tokenizer);
    llmc_labels_release(&data->labels);
    llmc_dataset_release(&data->train);
    memset(data, 0, sizeof *data);
}

/* A classifier's label names count where the data use them; the order of its outputs is theirs. */
static llmc_status take_teacher_labels(struct llmc_data *data, const struct llmc_hf_folder *folder)
{
    llmc_status status = LLMC_OK;
    if (data->teacher_answers && folder->label_names) {
        struct llmc_labels names = {folder->label_names, folder->architecture.labels};
        bool known = true;
        for (int32_t i = 0; i < data->labels.count; i++)
            known = known && llmc_labels_find(&names, data->labels.names[i]) >= 0;
        if (known) {
            llmc_labels_release(&data->labels);
            LLMC_TRY(llmc_labels_copy(&data->labels, &names));
        }
    }
exit:
    return status;
}

static llmc_status check_teacher(const struct llmc_data *data, const struct llmc_config *config,
                                 const struct llmc_hf_folder *folder)
{
    const struct llmc_architecture *teacher = &data->teacher;
    if (data->teacher_answers && teacher->labels != data->labels.count)
        return llmc_error(LLMC_ERR_CONFIG, "%s: the classifier has %d labels, %s has %d; teacher.head: new trains another "
                          "classifier", data->teacher_folder, teacher->labels, data->train_path, data->labels.count);
    if (data->teacher_answers && !folder->has_pooler)
        return llmc_error(LLMC_ERR_UNSUPPORTED, "%s: the classifier has no pooler (bert.pooler.dense.weight) in front of it",
                          data->teacher_folder);
    if (config->data.tokens_max > teacher->positions)
        return llmc_error(LLMC_ERR_CONFIG, "data.tokens_max is %d; the teacher in %s takes at most %d tokens",
                          config->data.tokens_max, data->teacher_folder, teacher->positions);
    if (llmc_tokenizer_size(data->tokenizer) > teacher->vocabulary)
        return llmc_error(LLMC_ERR_CONFIG, "%s: the tokenizer has %d word pieces, the model's embedding %d rows",
                          data->teacher_folder, llmc_tokenizer_size(data->tokenizer), teacher->vocabulary);
    return LLMC_OK;
}

static llmc_status read_train(struct llmc_data *data, const struct llmc_config *config)
{
    llmc_status status = LLMC_OK;
    struct llmc_rows rows = {0};
    struct llmc_labels sorted = {0};
    struct llmc_hf_folder folder = {0};
    LLMC_TRY(llmc_hf_folder_open(&folder, data->teacher_folder));
    data->teacher = folder.architecture;
    data->teacher_answers = folder.has_classifier && config->teacher.head != LLMC_HEAD_NEW;
    LLMC_TRY(llmc_rows_read(&rows, data->train_path, &data->columns, &data->labels));
    LLMC_TRY(llmc_labels_copy(&sorted, &data->labels));
    LLMC_TRY(take_teacher_labels(data, &folder));
    LLMC_TRY(check_teacher(data, config, &folder));
    for (size_t i = 0; i < rows.count; i++)
        rows.label[i] = llmc_labels_find(&data->labels, sorted.names[rows.label[i]]);
    LLMC_TRY(llmc_dataset_encode(&data->train, &rows, data->tokenizer, config->data.tokens_max));
exit:
    llmc_rows_release(&rows);
    llmc_labels_release(&sorted);
    llmc_hf_folder_release(&folder);
    return status;
}

static llmc_status read_dev(struct llmc_data *data, const struct llmc_config *config)
{
    llmc_status status = LLMC_OK;
    struct llmc_rows rows = {0};
    struct llmc_dataset dev = {0};
    LLMC_TRY(llmc_rows_read(&rows, data->dev_path, &data->columns, &data->labels));
    LLMC_TRY(llmc_dataset_encode(&dev, &rows, data->tokenizer, config->data.tokens_max));
    data->dev_count = (int64_t)dev.count;
    for (size_t i = 0; i < dev.count; i++) {
        double tokens = (double)(dev.offsets[i + 1] - dev.offsets[i]);
        data->dev_tokens += tokens / (double)dev.count;
        data->dev_tokens_squared += tokens * tokens / (double)dev.count;
    }
exit:
    llmc_rows_release(&rows);
    llmc_dataset_release(&dev);
    return status;
}

llmc_status llmc_data_open(struct llmc_data *data, const struct llmc_config *config)
{
    llmc_status status = LLMC_OK;
    memset(data, 0, sizeof *data);
    LLMC_TRY(llmc_data_path(config, config->data.folder, config->data.train, &data->train_path));
    LLMC_TRY(llmc_data_path(config, config->data.folder, config->data.dev, &data->dev_path));
    LLMC_TRY(llmc_data_path(config, config->teacher.folder, NULL, &data->teacher_folder));
    data->columns = (struct llmc_columns){config->data.text, config->data.text_pair, config->data.label};
    LLMC_TRY(llmc_tokenizer_load(&data->tokenizer, data->teacher_folder));
    LLMC_TRY(read_train(data, config));
    LLMC_TRY(read_dev(data, config));
exit:
    if (status != LLMC_OK)
        llmc_data_release(data);
    return status;
}
