#include "pipeline/record.h"

#include "base/file.h"
#include "base/memory.h"
#include "pipeline/stages/compressed.h"
#include "report/quality.h"
#include "report/row.h"
#include "store/store.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void llmc_run_record_release(struct llmc_run_record *record)
{
    free(record->answers);
    free(record->probabilities);
    memset(record, 0, sizeof *record);
}

/* The file that the stage's row is about: its product, or what it measured. */
static const char *file_of(const struct llmc_stage_work *work)
{
    return work->product_path ? work->product_path : work->chain->file_path;
}

static llmc_status hash_product(const struct llmc_stage_work *work, char out[LLMC_HASH_TEXT_NBYTES])
{
    struct llmc_hash hash;
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_hash_init(&hash));
    LLMC_TRY(llmc_hash_file(&hash, file_of(work)));
    llmc_hash_finish(&hash, out);
exit:
    return status;
}

static json_t *answers_json(const int32_t *answers, int64_t count)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(answers[i]));
    return list;
}

static json_t *probabilities_json(const float *probabilities, int64_t count)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++)
        json_array_append_new(list, json_real((double)probabilities[i]));
    return list;
}

/* Of a teacher; other records have none, nor have those of older versions. */
static llmc_status read_probabilities(const json_t *list, int64_t count, float **probabilities)
{
    *probabilities = NULL;
    if (!list || json_is_null(list))
        return LLMC_OK;
    if (json_array_size(list) != (size_t)count)
        return llmc_error(LLMC_ERR_FORMAT, "probabilities: %zu in place of %lld", json_array_size(list), (long long)count);
    llmc_status status = llmc_alloc(probabilities, (size_t)count, sizeof **probabilities);
    for (int64_t i = 0; status == LLMC_OK && i < count; i++)
        (*probabilities)[i] = (float)json_number_value(json_array_get(list, (size_t)i));
    return status;
}

static llmc_status read_answers(const json_t *list, int64_t count, int32_t labels, int32_t **answers)
{
    *answers = NULL;
    if (json_is_null(list))
        return LLMC_OK;
    if (json_array_size(list) != (size_t)count)
        return llmc_error(LLMC_ERR_FORMAT, "answers: %zu for %lld dev texts", json_array_size(list), (long long)count);
    llmc_status status = llmc_alloc(answers, (size_t)count, sizeof **answers);
    for (int64_t i = 0; status == LLMC_OK && i < count; i++) {
        json_int_t answer = json_integer_value(json_array_get(list, (size_t)i));
        if (answer < 0 || answer >= labels)
            status = llmc_error(LLMC_ERR_FORMAT, "answers: label %lld", (long long)answer);
        (*answers)[i] = (int32_t)answer;
    }
    return status;
}

bool llmc_run_record_find(const struct llmc_stage_work *work, struct llmc_run_record *record)
{
    bool found = false;
    const struct llmc_data *data = work->data;
    char *path = NULL;
    json_t *json = NULL;
    if (llmc_stage_path(work, LLMC_STORE_RECORD, &path) != LLMC_OK)
        goto exit;
    json = json_load_file(path, 0, NULL);
    const char *stored = json_string_value(json_object_get(json, "key"));
    const char *product = json_string_value(json_object_get(json, "product"));
    if (!stored || !product || strcmp(stored, work->key) != 0 || hash_product(work, record->product) != LLMC_OK ||
        strcmp(product, record->product) != 0)
        goto exit;
    snprintf(record->key, sizeof record->key, "%s", work->key);
    found = llmc_report_row_read(json_object_get(json, "row"), path, "row.", &record->row) == LLMC_OK &&
            read_answers(json_object_get(json, "answers"), data->dev_count, data->labels.count, &record->answers) ==
                LLMC_OK &&
            read_probabilities(json_object_get(json, "probabilities"), data->dev_count * data->labels.count,
                               &record->probabilities) == LLMC_OK;
    snprintf(record->row.name, sizeof record->row.name, "%s", work->stage->name); /* another run may call it otherwise */
exit:
    json_decref(json);
    free(path);
    if (!found)
        llmc_run_record_release(record);
    return found;
}

/* Whether the stage's row is about the model of the chain. */
static bool is_about_model(const struct llmc_stage_work *work)
{
    return work->type->works_on_model || work->type->makes_model;
}

/* The size of the model as one file: a student's in the form that export would give it now, a teacher's as its
 * checkpoint, which holds the FP32 numbers that it came with. */
static llmc_status measure_size(struct llmc_stage_work *work, int64_t *nbytes)
{
    llmc_status status = LLMC_OK;
    const struct llmc_state *state = &work->chain->state;
    char *path = NULL;
    if (!work->type->makes_model || (!work->chain->is_student && !llmc_state_is_compressed(state))) {
        *nbytes = (int64_t)llmc_file_nbytes(file_of(work));
        return LLMC_OK;
    }
    LLMC_TRY(llmc_stage_path(work, "size.llmc", &path));
    LLMC_TRY(llmc_run_compress(state, "{}", path));
    *nbytes = (int64_t)llmc_file_nbytes(path);
exit:
    if (path)
        llmc_file_remove(path);
    free(path);
    return status;
}

static bool is_teacher(const struct llmc_stage_work *work)
{
    return work->type->makes_model && !(work->type->kind.makes & LLMC_THING_STUDENT);
}

/* What the stage's answers say beside those of the teacher, or of itself. */
static llmc_status judge(const struct llmc_stage_work *work, const struct llmc_stage_figures *figures,
                         struct llmc_report_row *row)
{
    const struct llmc_data *data = work->data;
    const struct llmc_answers model = {figures->answers, figures->probabilities};
    const struct llmc_answers teacher = {work->chain->teacher_answers, work->chain->teacher_probabilities};
    bool compared = teacher.answers && !is_teacher(work);
    llmc_status status = llmc_quality_fill(row, &model, compared ? &teacher : NULL, data->dev_label, data->dev_count,
                                           data->labels.count);
    if (is_teacher(work))
        row->teacher_agreement = 1;
    return status;
}

/* Measures, and adds what is known of the model itself. Moves the answers into the record. */
static llmc_status measure(struct llmc_stage_work *work, struct llmc_run_record *record)
{
    llmc_status status = LLMC_OK;
    const struct llmc_parameters *p = &work->chain->state.model.parameters;
    const struct llmc_data *data = work->data;
    struct llmc_stage_figures figures = {.row = record->row};
    struct llmc_report_row *row = &figures.row;
    LLMC_TRY(work->type->measure(work, &figures));
    LLMC_TRY(judge(work, &figures, row));
    if (is_about_model(work)) {
        const struct llmc_state *state = &work->chain->state; /* its texts are longer in fewer word pieces */
        struct llmc_text_lengths lengths;
        LLMC_TRY(llmc_data_dev_lengths(data, state->tokenizer, state->tokens_max, &lengths));
        row->parameters = llmc_parameters_count(p, &row->nonzero_parameters);
        row->macs_per_example = llmc_bert_macs(&p->architecture, lengths.tokens, lengths.tokens_squared,
                                               strcmp(work->type->engine, "runtime") == 0);
    }
    snprintf(row->engine, sizeof row->engine, "%s", work->type->engine);
    record->row = *row;
    record->answers = figures.answers;
    figures.answers = NULL;
    if (is_teacher(work)) {
        record->probabilities = figures.probabilities;
        figures.probabilities = NULL;
    }
exit:
    llmc_stage_figures_release(&figures);
    return status;
}

llmc_status llmc_run_record_make(struct llmc_stage_work *work, double seconds,
                                   struct llmc_run_record *record)
{
    llmc_status status = LLMC_OK;
    llmc_report_row_clear(&record->row);
    record->row.seconds = seconds;
    snprintf(record->row.name, sizeof record->row.name, "%s", work->stage->name);
    snprintf(record->key, sizeof record->key, "%s", work->key);
    LLMC_TRY(hash_product(work, record->product));
    if (work->type->measure)
        LLMC_TRY(measure(work, record));
    if (is_about_model(work))
        LLMC_TRY(measure_size(work, &record->row.file_bytes));
exit:
    return status;
}

llmc_status llmc_run_record_write(const struct llmc_stage_work *work, const struct llmc_run_record *record,
                                    const char *path)
{
    llmc_status status = LLMC_OK;
    char *text = NULL;
    const struct llmc_data *data = work->data;
    json_t *json = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "key", record->key, "kind", work->type->kind.name, "product",
                             record->product, "row", llmc_report_row_json(&record->row), "answers",
                             record->answers ? answers_json(record->answers, data->dev_count) : json_null(), "probabilities",
                             record->probabilities
                                 ? probabilities_json(record->probabilities, data->dev_count * data->labels.count)
                                 : json_null());
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        LLMC_FAIL(LLMC_ERR_MEMORY, "cannot write JSON");
    LLMC_TRY(llmc_file_write(path, text, strlen(text)));
exit:
    free(text);
    return status;
}

void llmc_run_record_tell(const struct llmc_stage_work *work, const struct llmc_run_record *record)
{
    const struct llmc_report_row *row = &record->row;
    double chance = 1.0 / work->data->labels.count;
    double spread = sqrt(chance * (1 - chance) / (double)work->data->dev_count); /* of the accuracy of guesses */
    char agreement[40] = "";
    if (row->teacher_agreement >= 0)
        snprintf(agreement, sizeof agreement, ", agreement %.2f %%", 100 * row->teacher_agreement);
    if (row->dev_accuracy >= 0)
        llmc_stage_message(work, "%.0f s, dev accuracy %.2f %%%s, %.2f MB", row->seconds, 100 * row->dev_accuracy, agreement,
                           (double)row->file_bytes * 1e-6);
    else if (row->file_bytes >= 0)
        llmc_stage_message(work, "%.0f s, %.2f MB", row->seconds, (double)row->file_bytes * 1e-6);
    else
        llmc_stage_message(work, "%.0f s", row->seconds);
    if (row->dev_accuracy >= 0 && row->dev_accuracy < chance - 3 * spread)
        llmc_stage_message(work, "warning: an accuracy of %.2f %% is worse than guessing among %d labels%s",
                           100 * row->dev_accuracy, work->data->labels.count,
                           work->data->teacher_answers && work->config->teacher.head == LLMC_HEAD_KEEP
                               ? "; does the classifier in the teacher's folder mean other labels, or the same in another "
                                 "order? teacher.labels says which"
                               : "");
}
