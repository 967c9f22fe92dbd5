#include "stage/data.h"

#include "base/memory.h"
#include "config/paths.h"
#include "formats/huggingface/folder.h"
#include "text/labels.h"
#include "text/unlabeled.h"

#include <stdlib.h>
#include <string.h>

void llmc_data_release(struct llmc_data *data)
{
    free(data->teacher_folder);
    free(data->train_path);
    free(data->dev_path);
    for (int32_t i = 0; i < data->teacher_count; i++)
        free(data->teachers[i].folder);
    free(data->teachers);
    llmc_tokenizer_free(data->tokenizer);
    llmc_labels_release(&data->labels);
    llmc_dataset_release(&data->train);
    llmc_spool_free(data->unlabeled);
    free(data->dev_label);
    memset(data, 0, sizeof *data);
}

/* The labels get the order of the outputs of the classifier that is used. */
static llmc_status take_teacher_labels(struct llmc_data *data, const struct llmc_config *config,
                                       const struct llmc_hf_folder *folder)
{
    llmc_status status = LLMC_OK;
    const struct llmc_labels outputs = {folder->label_names, folder->architecture.labels};
    const struct llmc_labels given = {config->teacher.labels.texts, config->teacher.labels.count};
    struct llmc_labels matched = {0};
    if (!data->teacher_answers && given.count > 0)
        return llmc_error(LLMC_ERR_CONFIG, "teacher.labels: %s has no classifier that is kept, so the labels need no order",
                          data->teacher_folder);
    if (!data->teacher_answers)
        return LLMC_OK;
    LLMC_TRY(llmc_hf_folder_check_head(folder));
    LLMC_TRY(llmc_labels_match(&matched, &data->labels, &outputs, &given, data->teacher_folder));
    llmc_labels_release(&data->labels);
    data->labels = matched;
exit:
    return status;
}

static llmc_status check_teacher(const struct llmc_data *data, const struct llmc_config *config)
{
    const struct llmc_architecture *teacher = &data->teacher;
    if (config->data.tokens_max > teacher->positions)
        return llmc_error(LLMC_ERR_CONFIG, "data.tokens_max is %d; the teacher in %s takes at most %d tokens",
                          config->data.tokens_max, data->teacher_folder, teacher->positions);
    if (llmc_tokenizer_size(data->tokenizer) > teacher->vocabulary)
        return llmc_error(LLMC_ERR_CONFIG, "%s: the tokenizer has %d word pieces, the model's embedding %d rows",
                          data->teacher_folder, llmc_tokenizer_size(data->tokenizer), teacher->vocabulary);
    return LLMC_OK;
}

/* A name that no text has is a mistake of writing. */
static llmc_status check_label_names(const struct llmc_data *data)
{
    for (int32_t i = 0; i < data->columns.label_name_count; i++) {
        const char *text = data->columns.label_names[i];
        if (llmc_labels_find(&data->labels, strchr(text, '=') + 1) < 0)
            return llmc_error(LLMC_ERR_CONFIG, "data.label_names: %s: %s has no such label", text, data->train_path);
    }
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
    LLMC_TRY(check_label_names(data));
    if (data->labels.count == 1)
        LLMC_FAIL(LLMC_ERR_DATA, "%s: all rows have the label \"%s\"; a classifier needs at least two", data->train_path,
                  data->labels.names[0]);
    LLMC_TRY(llmc_labels_copy(&sorted, &data->labels));
    LLMC_TRY(take_teacher_labels(data, config, &folder));
    LLMC_TRY(check_teacher(data, config));
    for (size_t i = 0; i < rows.count; i++)
        rows.label[i] = llmc_labels_find(&data->labels, sorted.names[rows.label[i]]);
    LLMC_TRY(llmc_dataset_encode(&data->train, &rows, data->tokenizer, config->data.tokens_max));
exit:
    llmc_rows_release(&rows);
    llmc_labels_release(&sorted);
    llmc_hf_folder_release(&folder);
    return status;
}

static llmc_status hash_texts(const struct llmc_text_source *texts, char out[LLMC_HASH_TEXT_NBYTES])
{
    llmc_status status = LLMC_OK;
    struct llmc_batch batch = {0};
    struct llmc_hash hash = {0};
    LLMC_TRY(llmc_hash_init(&hash));
    for (int64_t row = 0; row < texts->count; row++) {
        LLMC_TRY(llmc_batch_gather(&batch, texts, &row, 1));
        llmc_hash_update(&hash, &batch.tokens, sizeof batch.tokens);
        llmc_hash_update(&hash, batch.ids, (size_t)batch.tokens * sizeof *batch.ids);
        llmc_hash_update(&hash, batch.types, (size_t)batch.tokens);
    }
    llmc_hash_finish(&hash, out);
exit:
    llmc_hash_release(&hash);
    llmc_batch_release(&batch);
    return status;
}

static llmc_status read_unlabeled(struct llmc_data *data, const struct llmc_config *config, const char *folder)
{
    llmc_status status = LLMC_OK;
    char *path = NULL;
    LLMC_TRY(llmc_spool_create(&data->unlabeled, folder));
    for (int32_t i = 0; i < config->data.unlabeled.count; i++) {
        free(path);
        path = NULL;
        LLMC_TRY(llmc_config_path(config, config->data.folder, config->data.unlabeled.texts[i], &path));
        LLMC_TRY(llmc_unlabeled_read(data->unlabeled, path, &data->columns, data->tokenizer, config->data.tokens_max));
    }
    const struct llmc_text_source texts = llmc_spool_source(data->unlabeled);
    LLMC_TRY(hash_texts(&texts, data->unlabeled_hash));
exit:
    free(path);
    return status;
}

static bool same_tokenizer(const struct llmc_tokenizer *a, const struct llmc_tokenizer *b)
{
    size_t a_nbytes, b_nbytes;
    const char *a_pieces = llmc_tokenizer_vocabulary(a, &a_nbytes), *b_pieces = llmc_tokenizer_vocabulary(b, &b_nbytes);
    struct llmc_tokenizer_rules x = llmc_tokenizer_get_rules(a), y = llmc_tokenizer_get_rules(b);
    return a_nbytes == b_nbytes && memcmp(a_pieces, b_pieces, a_nbytes) == 0 && x.lowercase == y.lowercase &&
           x.strip_accents == y.strip_accents && x.split_chinese == y.split_chinese && x.clean == y.clean;
}

/* Several teachers answer the same ids, and their logits stand for the same labels in one order. */
static llmc_status read_teacher(struct llmc_data *data, const struct llmc_config *config, int32_t index)
{
    llmc_status status = LLMC_OK;
    struct llmc_data_teacher *teacher = &data->teachers[index];
    struct llmc_hf_folder folder = {0};
    struct llmc_tokenizer *tokenizer = NULL;
    struct llmc_data alone = {.tokenizer = data->tokenizer};
    LLMC_TRY(llmc_config_path(config, config->teacher.folders.texts[index], NULL, &teacher->folder));
    LLMC_TRY(llmc_hf_folder_open(&folder, teacher->folder));
    LLMC_TRY(llmc_tokenizer_load(&tokenizer, teacher->folder));
    if (!same_tokenizer(data->tokenizer, tokenizer))
        LLMC_FAIL(LLMC_ERR_CONFIG, "teacher.folder: %s cuts texts into other word pieces than %s; allowed are teachers with "
                  "the same tokenizer (or their answers by a logits stage's key from)", teacher->folder,
                  data->teacher_folder);
    teacher->architecture = folder.architecture;
    teacher->answers = folder.has_classifier && config->teacher.head != LLMC_HEAD_NEW;
    alone.teacher_folder = teacher->folder;
    alone.teacher = teacher->architecture;
    alone.teacher_answers = teacher->answers;
    LLMC_TRY(check_teacher(&alone, config));
    LLMC_TRY(llmc_labels_copy(&alone.labels, &data->labels));
    if (teacher->answers)
        LLMC_TRY(take_teacher_labels(&alone, config, &folder));
    for (int32_t i = 0; i < data->labels.count; i++)
        if (alone.labels.count != data->labels.count || strcmp(alone.labels.names[i], data->labels.names[i]) != 0)
            LLMC_FAIL(LLMC_ERR_CONFIG, "teacher.folder: the classifiers of %s and %s have their labels in different orders; "
                      "allowed are equal ones, or teacher.head: new", teacher->folder, data->teacher_folder);
exit:
    llmc_labels_release(&alone.labels);
    llmc_tokenizer_free(tokenizer);
    llmc_hf_folder_release(&folder);
    return status;
}

static llmc_status read_teachers(struct llmc_data *data, const struct llmc_config *config)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_alloc(&data->teachers, (size_t)config->teacher.folders.count, sizeof *data->teachers));
    data->teacher_count = config->teacher.folders.count;
    for (int32_t i = 0; i < data->teacher_count; i++)
        LLMC_TRY(read_teacher(data, config, i));
exit:
    return status;
}

static void count_tokens(const struct llmc_dataset *texts, struct llmc_text_lengths *lengths)
{
    *lengths = (struct llmc_text_lengths){0};
    for (size_t i = 0; i < texts->count; i++) {
        double tokens = (double)(texts->offsets[i + 1] - texts->offsets[i]);
        lengths->tokens += tokens / (double)texts->count;
        lengths->tokens_squared += tokens * tokens / (double)texts->count;
    }
}

llmc_status llmc_data_read_dev(const struct llmc_data *data, const struct llmc_tokenizer *tokenizer, int32_t tokens_max,
                               struct llmc_dataset *dev)
{
    llmc_status status = LLMC_OK;
    struct llmc_rows rows = {0};
    struct llmc_labels labels = data->labels; /* known ones: reading adds none */
    LLMC_TRY(llmc_rows_read(&rows, data->dev_path, &data->columns, &labels));
    LLMC_TRY(llmc_dataset_encode(dev, &rows, tokenizer, tokens_max));
exit:
    llmc_rows_release(&rows);
    return status;
}

llmc_status llmc_data_dev_lengths(const struct llmc_data *data, const struct llmc_tokenizer *tokenizer,
                                  int32_t tokens_max, struct llmc_text_lengths *lengths)
{
    struct llmc_dataset dev = {0};
    llmc_status status = llmc_data_read_dev(data, tokenizer, tokens_max, &dev);
    if (status == LLMC_OK)
        count_tokens(&dev, lengths);
    llmc_dataset_release(&dev);
    return status;
}

static llmc_status read_dev(struct llmc_data *data, const struct llmc_config *config)
{
    struct llmc_dataset dev = {0};
    llmc_status status = llmc_data_read_dev(data, data->tokenizer, config->data.tokens_max, &dev);
    if (status == LLMC_OK) {
        data->dev_count = (int64_t)dev.count;
        data->dev_label = dev.label;
        dev.label = NULL;
        count_tokens(&dev, &data->dev_lengths);
    }
    llmc_dataset_release(&dev);
    return status;
}

llmc_status llmc_data_open(struct llmc_data *data, const struct llmc_config *config, const char *folder)
{
    llmc_status status = LLMC_OK;
    memset(data, 0, sizeof *data);
    LLMC_TRY(llmc_config_path(config, config->data.folder, config->data.train, &data->train_path));
    LLMC_TRY(llmc_config_path(config, config->data.folder, config->data.dev, &data->dev_path));
    LLMC_TRY(llmc_config_path(config, config->teacher.folder, NULL, &data->teacher_folder));
    data->columns = (struct llmc_columns){config->data.text, config->data.text_pair, config->data.label,
                                          config->data.label_names.texts, config->data.label_names.count};
    LLMC_TRY(llmc_tokenizer_load(&data->tokenizer, data->teacher_folder));
    LLMC_TRY(read_train(data, config));
    if (config->teacher.folders.count > 1)
        LLMC_TRY(read_teachers(data, config));
    if (config->data.unlabeled.count > 0)
        LLMC_TRY(read_unlabeled(data, config, folder));
    LLMC_TRY(read_dev(data, config));
exit:
    if (status != LLMC_OK)
        llmc_data_release(data);
    return status;
}
