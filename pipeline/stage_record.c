#include "pipeline/stage_record.h"

#include "base/file.h"
#include "base/memory.h"
#include "report/row.h"
#include "pipeline/export.h"
#include "pipeline/measure.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void llmc_stage_record_release(struct llmc_stage_record *record)
{
    free(record->answers);
    memset(record, 0, sizeof *record);
}

/* The file without which a finished stage is not finished. */
static const char *product_of(const struct llmc_run *run, enum llmc_stage_kind kind)
{
    switch (kind) {
    case LLMC_STAGE_LOGITS: return NULL; /* the cache is checked when it is read */
    case LLMC_STAGE_EXPORT:
    case LLMC_STAGE_VERIFY: return run->model_path;
    default: return run->state_path;
    }
}

static llmc_status hash_product(const char *product, char out[LLMC_HASH_TEXT_NBYTES])
{
    struct llmc_hash hash;
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_hash_init(&hash));
    if (product)
        LLMC_TRY(llmc_hash_file(&hash, product));
    llmc_hash_finish(&hash, out);
exit:
    llmc_hash_release(&hash);
    return status;
}

static json_t *answers_json(const int32_t *answers, int64_t count)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(answers[i]));
    return list;
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

bool llmc_stage_record_fits(struct llmc_run *run, const struct llmc_stage_config *stage, const char *path,
                            struct llmc_stage_record *record)
{
    bool fits = false;
    const char *product = product_of(run, stage->kind);
    json_t *json = json_load_file(path, 0, NULL);
    const char *fingerprint = json_string_value(json_object_get(json, "fingerprint"));
    const char *product_hash = json_string_value(json_object_get(json, "product"));
    if (!fingerprint || !product_hash || strcmp(fingerprint, run->fingerprint) != 0 ||
        hash_product(product, record->product) != LLMC_OK || strcmp(product_hash, record->product) != 0)
        goto exit;
    fits = llmc_report_row_read(json_object_get(json, "row"), path, "row.", &record->row) == LLMC_OK &&
           read_answers(json_object_get(json, "answers"), run->dev_count, run->labels.count, &record->answers) == LLMC_OK;
exit:
    json_decref(json);
    if (!fits)
        llmc_stage_record_release(record);
    return fits;
}

/* The size of the model as one file: a student's in the form that export would give it now, a teacher's as its
 * checkpoint, which holds the FP32 numbers that it came with. */
static llmc_status measure_file(struct llmc_run *run, int64_t *nbytes)
{
    llmc_status status = LLMC_OK;
    char *path = NULL;
    if (!run->is_student && !run->state.ranges.count && !run->state.model.parameters.mask) {
        *nbytes = (int64_t)llmc_file_nbytes(run->state_path);
        return LLMC_OK;
    }
    LLMC_TRY(llmc_path_join(&path, run->folder, "size.llmc"));
    LLMC_TRY(llmc_export(run, path));
    *nbytes = (int64_t)llmc_file_nbytes(path);
exit:
    if (path)
        llmc_file_remove(path);
    free(path);
    return status;
}

static double agreement(const struct llmc_run *run, const int32_t *answers)
{
    int64_t equal = 0;
    if (!run->teacher_answers)
        return -1;
    for (int64_t i = 0; i < run->dev_count; i++)
        equal += answers[i] == run->teacher_answers[i];
    return (double)equal / (double)run->dev_count;
}

/* Moves the answers into the record and fills the row's figures. */
static void take_figures(const struct llmc_run *run, const struct llmc_stage_config *stage, const char *engine,
                         struct llmc_stage_figures *figures, struct llmc_stage_record *record)
{
    struct llmc_report_row *row = &record->row;
    const struct llmc_parameters *p = &run->state.model.parameters;
    row->dev_accuracy = figures->accuracy;
    row->teacher_agreement = stage->kind == LLMC_STAGE_TEACHER ? 1.0 : agreement(run, figures->answers);
    row->parameters = llmc_parameters_count(p, &row->nonzero_parameters);
    row->macs_per_example = llmc_bert_macs(&p->architecture, run->dev_tokens, run->dev_tokens_squared);
    row->memory_bytes = figures->memory_bytes;
    row->latency_ms_b1_p50 = figures->latency_ms;
    row->throughput_per_s_b32 = figures->throughput;
    snprintf(row->engine, sizeof row->engine, "%s", engine);
    record->answers = figures->answers;
    figures->answers = NULL;
}

llmc_status llmc_stage_record_make(struct llmc_run *run, const struct llmc_stage_config *stage, double seconds,
                                   struct llmc_stage_record *record)
{
    llmc_status status = LLMC_OK;
    struct llmc_stage_figures figures = {0};
    struct llmc_report_row row = {.seconds = seconds, .dev_accuracy = -1, .teacher_agreement = -1, .parameters = -1,
                                  .nonzero_parameters = -1, .file_bytes = -1, .macs_per_example = -1,
                                  .memory_bytes = -1, .latency_ms_b1_p50 = -1, .throughput_per_s_b32 = -1};
    snprintf(row.name, sizeof row.name, "%s", stage->name);
    record->row = row;
    LLMC_TRY(hash_product(product_of(run, stage->kind), record->product));
    switch (stage->kind) {
    case LLMC_STAGE_LOGITS:
        break;
    case LLMC_STAGE_EXPORT:
        record->row.file_bytes = (int64_t)llmc_file_nbytes(run->model_path);
        break;
    case LLMC_STAGE_VERIFY:
        LLMC_TRY(llmc_measure_compressed(run, &figures));
        take_figures(run, stage, "runtime", &figures, record);
        record->row.file_bytes = (int64_t)llmc_file_nbytes(run->model_path);
        break;
    default:
        run->is_student = run->is_student || stage->kind == LLMC_STAGE_DISTILL;
        LLMC_TRY(llmc_measure_stage(run, &figures));
        take_figures(run, stage, "libtorch", &figures, record);
        LLMC_TRY(measure_file(run, &record->row.file_bytes));
    }
exit:
    llmc_stage_figures_release(&figures);
    return status;
}

llmc_status llmc_stage_record_write(const struct llmc_run *run, const struct llmc_stage_record *record, const char *path)
{
    llmc_status status = LLMC_OK;
    char *text = NULL;
    json_t *json = json_pack("{s:s, s:s, s:o, s:o}", "fingerprint", run->fingerprint, "product", record->product, "row",
                             llmc_report_row_json(&record->row), "answers",
                             record->answers ? answers_json(record->answers, run->dev_count) : json_null());
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        LLMC_FAIL(LLMC_ERR_MEMORY, "cannot write JSON");
    LLMC_TRY(llmc_file_write(path, text, strlen(text)));
exit:
    free(text);
    return status;
}

void llmc_stage_record_tell(struct llmc_run *run, const struct llmc_stage_record *record)
{
    const struct llmc_report_row *row = &record->row;
    if (row->dev_accuracy >= 0)
        llmc_run_message(run, "%s: %.0f s, dev accuracy %.2f %%, agreement %.2f %%, %.2f MB", row->name, row->seconds,
                         100 * row->dev_accuracy, 100 * row->teacher_agreement, (double)row->file_bytes * 1e-6);
    else if (row->file_bytes >= 0)
        llmc_run_message(run, "%s: %.0f s, %.2f MB", row->name, row->seconds, (double)row->file_bytes * 1e-6);
    else
        llmc_run_message(run, "%s: %.0f s", row->name, row->seconds);
}

/* The runtime works on real files alone: measuring it is all that the stage does. */
llmc_status llmc_stage_verify(struct llmc_run *run, const struct llmc_stage_config *stage)
{
    (void)run, (void)stage;
    return LLMC_OK;
}

llmc_status llmc_stage_check(struct llmc_run *run, const struct llmc_stage_config *stage,
                             const struct llmc_stage_record *record)
{
    if (stage->kind == LLMC_STAGE_VERIFY && record->row.dev_accuracy < stage->accuracy_min)
        return llmc_error(LLMC_ERR_DATA, "%s has dev accuracy %.4f, below accuracy_min %.4f", run->model_path,
                          record->row.dev_accuracy, stage->accuracy_min);
    return LLMC_OK;
}
