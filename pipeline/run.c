#include "pipeline/run.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "pipeline/export.h"
#include "pipeline/stage_record.h"
#include "pipeline/student_init.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

static const llmc_stage_fn stage_functions[] = {
    [LLMC_STAGE_TEACHER] = llmc_stage_teacher, [LLMC_STAGE_LOGITS] = llmc_stage_logits,
    [LLMC_STAGE_DISTILL] = llmc_stage_distill, [LLMC_STAGE_QAT] = llmc_stage_qat,
    [LLMC_STAGE_PRUNE] = llmc_stage_prune,     [LLMC_STAGE_EXPORT] = llmc_stage_export,
    [LLMC_STAGE_VERIFY] = llmc_stage_verify,
};

enum llmc_number llmc_precision_number(enum llmc_precision precision)
{
    static const enum llmc_number numbers[] = {
        [LLMC_PRECISION_FP32] = LLMC_F32, [LLMC_PRECISION_FP16] = LLMC_F16, [LLMC_PRECISION_BF16] = LLMC_BF16};
    return numbers[precision];
}

void llmc_run_message(struct llmc_run *run, const char *format, ...)
{
    char text[1024], when[32];
    time_t now = time(NULL);
    struct tm local;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &local));
    if (run->log) {
        fprintf(run->log, "%s %s\n", when, text);
        fflush(run->log);
    }
    if (run->host->message)
        run->host->message(run->host->context, text);
}

llmc_status llmc_run_path(const struct llmc_run *run, const char *name, const char *suffix, char **out)
{
    return llmc_format(out, "%s/%s%s", run->folder, name, suffix);
}

static void run_release(struct llmc_run *run)
{
    if (run->log)
        fclose(run->log);
    free(run->folder);
    free(run->config_path);
    free(run->report_path);
    free(run->teacher_folder);
    free(run->train_path);
    free(run->dev_path);
    free(run->teacher_path);
    free(run->state_path);
    free(run->teacher_logits);
    free(run->teacher_answers);
    free(run->model_path);
    llmc_ops_release(&run->ops);
    llmc_report_release(&run->report);
    llmc_tokenizer_free(run->tokenizer);
    llmc_labels_release(&run->labels);
    llmc_dataset_release(&run->train);
    llmc_state_release(&run->state);
}

static llmc_status write_labels(struct llmc_run *run)
{
    llmc_status status = LLMC_OK;
    char *text = NULL, *path = NULL;
    LLMC_TRY(llmc_strdup(&text, ""));
    for (int32_t i = 0; i < run->labels.count; i++) {
        char *longer;
        LLMC_TRY(llmc_format(&longer, "%s%s\n", text, run->labels.names[i]));
        free(text);
        text = longer;
    }
    LLMC_TRY(llmc_path_join(&path, run->folder, "labels.txt"));
    LLMC_TRY(llmc_file_write(path, text, strlen(text)));
exit:
    free(text);
    free(path);
    return status;
}

/* The folder with its log and effective configuration. */
static llmc_status open_folder(struct llmc_run *run)
{
    llmc_status status = LLMC_OK;
    char *yaml = NULL, *log_path = NULL;
    LLMC_TRY(llmc_path_join(&run->folder, run->host->runs_folder, run->config->name));
    LLMC_TRY(llmc_folder_make(run->folder));
    LLMC_TRY(llmc_path_join(&run->config_path, run->folder, "config.yaml"));
    LLMC_TRY(llmc_path_join(&run->report_path, run->folder, "report.json"));
    LLMC_TRY(llmc_path_join(&log_path, run->folder, "log.txt"));
    run->log = fopen(log_path, "ae"); /* the lock must not live on in a measuring process */
    if (!run->log)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot open: %s", log_path, strerror(errno));
    if (flock(fileno(run->log), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        LLMC_FAIL(LLMC_ERR_IO, "%s: another llmc-distill works in this folder", run->folder);
    LLMC_TRY(llmc_config_write(run->config, &yaml));
    LLMC_TRY(llmc_file_write(run->config_path, yaml, strlen(yaml)));
    fprintf(run->log, "\n# %s, effective configuration:\n%s\n", run->config->path, yaml);
exit:
    free(yaml);
    free(log_path);
    return status;
}

static llmc_status open_report(struct llmc_run *run)
{
    llmc_status status = LLMC_OK;
    char version[16];
    llmc_torch_version(version);
    LLMC_TRY(llmc_report_init(&run->report, run->config->name, version));
    LLMC_TRY(llmc_format(&run->report.data, "%s, %lld texts", run->config->data.dev, (long long)run->dev_count));
    run->report.seed = run->config->seed;
    run->report.threads = run->ops.threads;
    snprintf(run->report.precision, sizeof run->report.precision, "%s", llmc_precision_name(run->config->precision));
exit:
    return status;
}

/* The fingerprint before any stage: all inputs, and the settings that all stages share. */
static llmc_status hash_inputs(struct llmc_run *run)
{
    static const char *const teacher_files[] = {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt",
                                                "tokenizer_config.json"};
    llmc_status status = LLMC_OK;
    const struct llmc_config *config = run->config;
    struct llmc_hash hash = {0};
    const int64_t numbers[] = {(int64_t)config->seed, config->precision, config->data.tokens_max, run->ops.threads};
    LLMC_TRY(llmc_hash_init(&hash));
    llmc_hash_text(&hash, "llmc " LLMC_VERSION);
    llmc_hash_update(&hash, numbers, sizeof numbers);
    llmc_hash_text(&hash, config->data.text);
    llmc_hash_text(&hash, config->data.text_pair);
    llmc_hash_text(&hash, config->data.label);
    LLMC_TRY(llmc_hash_file(&hash, run->train_path));
    LLMC_TRY(llmc_hash_file(&hash, run->dev_path));
    for (size_t i = 0; i < sizeof teacher_files / sizeof *teacher_files; i++) {
        char *path;
        LLMC_TRY(llmc_path_join(&path, run->teacher_folder, teacher_files[i]));
        if (llmc_file_exists(path))
            status = llmc_hash_file(&hash, path);
        free(path);
        if (status != LLMC_OK)
            goto exit;
    }
    llmc_hash_finish(&hash, run->fingerprint);
exit:
    llmc_hash_release(&hash);
    return status;
}

/* Continues run->fingerprint with one stage. */
static llmc_status hash_stage(struct llmc_run *run, const struct llmc_stage_config *stage)
{
    llmc_status status = LLMC_OK;
    struct llmc_hash hash = {0};
    char *yaml = NULL;
    LLMC_TRY(llmc_config_write_stage(stage, &yaml));
    LLMC_TRY(llmc_hash_init(&hash));
    llmc_hash_text(&hash, run->fingerprint);
    llmc_hash_text(&hash, yaml);
    if (stage->kind == LLMC_STAGE_DISTILL) {
        llmc_hash_update(&hash, &run->config->student, sizeof run->config->student);
        if (run->config->student_init[0])
            LLMC_TRY(llmc_hash_file(&hash, run->config->student_init));
    }
    llmc_hash_finish(&hash, run->fingerprint);
exit:
    free(yaml);
    llmc_hash_release(&hash);
    return status;
}

/* Continues run->fingerprint with the content of a stage's product. */
static llmc_status hash_product(struct llmc_run *run, const char *product)
{
    struct llmc_hash hash;
    llmc_status status = llmc_hash_init(&hash);
    if (status != LLMC_OK)
        return status;
    llmc_hash_text(&hash, run->fingerprint);
    llmc_hash_text(&hash, product);
    llmc_hash_finish(&hash, run->fingerprint);
    return LLMC_OK;
}

static bool makes_state(enum llmc_stage_kind kind)
{
    return kind == LLMC_STAGE_TEACHER || kind == LLMC_STAGE_DISTILL || kind == LLMC_STAGE_QAT || kind == LLMC_STAGE_PRUNE;
}

/* Takes over what a finished stage made. */
static llmc_status adopt(struct llmc_run *run, const struct llmc_stage_config *stage, struct llmc_stage_record *record)
{
    llmc_status status = LLMC_OK;
    if (stage->kind == LLMC_STAGE_TEACHER) {
        free(run->teacher_path);
        LLMC_TRY(llmc_strdup(&run->teacher_path, run->state_path));
        free(run->teacher_answers);
        run->teacher_answers = record->answers;
        record->answers = NULL;
    }
    if (makes_state(stage->kind)) /* what follows depends on the very numbers that this stage made */
        LLMC_TRY(hash_product(run, record->product));
    run->is_student = stage->kind == LLMC_STAGE_DISTILL || (run->is_student && stage->kind != LLMC_STAGE_TEACHER);
    if (stage->kind == LLMC_STAGE_EXPORT)
        LLMC_TRY(llmc_publish_export(run));
    LLMC_TRY(llmc_report_put(&run->report, &record->row));
exit:
    return status;
}

/* The model that the stage starts from, when the stages before were skipped. */
static llmc_status load_state(struct llmc_run *run, const char *path)
{
    if (run->state.model.parameters.values || !path)
        return LLMC_OK;
    return llmc_state_load(path, llmc_precision_number(run->config->precision), &run->state);
}

static llmc_status run_stage(struct llmc_run *run, const struct llmc_stage_config *stage)
{
    llmc_status status = LLMC_OK;
    struct llmc_stage_record record = {0};
    char *record_path = NULL, *part_path = NULL, *earlier_path = NULL;
    if (run->host->stop && *run->host->stop)
        return llmc_error(LLMC_ERR_INTERRUPTED, "stopped before it began; run the same command again to go on");

    LLMC_TRY(hash_stage(run, stage));
    LLMC_TRY(llmc_run_path(run, stage->name, ".json", &record_path));
    LLMC_TRY(llmc_run_path(run, stage->name, ".part.h5", &part_path));
    if (makes_state(stage->kind)) {
        earlier_path = run->state_path;
        run->state_path = NULL;
        LLMC_TRY(llmc_run_path(run, stage->name, ".h5", &run->state_path));
    }
    if (stage->kind == LLMC_STAGE_EXPORT) {
        free(run->model_path);
        run->model_path = NULL;
        LLMC_TRY(llmc_run_path(run, stage->name, ".llmc", &run->model_path));
    }
    if (llmc_stage_record_fits(run, stage, record_path, &record)) {
        llmc_state_release(&run->state);
        llmc_run_message(run, "%s: finished before", stage->name);
        llmc_file_remove(part_path);
        if (stage->kind == LLMC_STAGE_LOGITS)
            LLMC_TRY(llmc_stage_logits(run, stage)); /* from the cache */
        LLMC_TRY(adopt(run, stage, &record));
        LLMC_TRY(llmc_stage_check(run, stage, &record));
        goto exit;
    }
    llmc_run_message(run, "%s: starts", stage->name);
    double start = llmc_clock();
    run->stage_seconds = 0;
    if (stage->kind != LLMC_STAGE_TEACHER && stage->kind != LLMC_STAGE_LOGITS)
        LLMC_TRY(load_state(run, makes_state(stage->kind) ? earlier_path : run->state_path));
    LLMC_TRY(stage_functions[stage->kind](run, stage));
    double seconds = run->stage_seconds > 0 ? run->stage_seconds : llmc_clock() - start;
    LLMC_TRY(llmc_stage_record_make(run, stage, seconds, &record));
    LLMC_TRY(llmc_stage_record_write(run, &record, record_path));
    llmc_file_remove(part_path);
    LLMC_TRY(adopt(run, stage, &record));
    LLMC_TRY(llmc_report_write(&run->report, run->report_path));
    llmc_stage_record_tell(run, &record);
    LLMC_TRY(llmc_stage_check(run, stage, &record));
exit:
    llmc_stage_record_release(&record);
    free(record_path);
    free(part_path);
    free(earlier_path);
    return status;
}

/* Without a teacher stage the teacher folder is measured all the same: the report compares with it. */
static llmc_status measure_given_teacher(struct llmc_run *run)
{
    const struct llmc_stage_config stage = {.kind = LLMC_STAGE_TEACHER, .name = "00-teacher"};
    for (int32_t i = 0; i < run->config->stage_count; i++)
        if (run->config->stages[i].kind == LLMC_STAGE_TEACHER)
            return LLMC_OK;
    return run_stage(run, &stage);
}

static llmc_status check_stop_after(const struct llmc_config *config, const char *stop_after)
{
    char names[LLMC_STAGES_MAX * 20] = "";
    for (int32_t i = 0; i < config->stage_count; i++) {
        const char *name = config->stages[i].name;
        if (!stop_after || strcmp(stop_after, name) == 0 ||
            strcmp(stop_after, llmc_stage_kind_name(config->stages[i].kind)) == 0)
            return LLMC_OK;
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", name);
    }
    return llmc_error(LLMC_ERR_ARGUMENT, "--stop-after %s: no such stage; the stages are %s", stop_after, names);
}

llmc_status llmc_run_pipeline(const struct llmc_config *config, const struct llmc_run_host *host,
                              const char *stop_after)
{
    llmc_status status = LLMC_OK;
    struct llmc_run run = {.config = config, .host = host};
    LLMC_TRY(check_stop_after(config, stop_after));
    LLMC_TRY(llmc_ops_init(&run.ops, config->threads));
    LLMC_TRY(open_folder(&run));
    LLMC_TRY(llmc_run_open_data(&run));
    if (config->student_init[0])
        LLMC_TRY(llmc_run_check_init(&run));
    LLMC_TRY(write_labels(&run));
    LLMC_TRY(open_report(&run));
    LLMC_TRY(hash_inputs(&run));
    LLMC_TRY(measure_given_teacher(&run));
    for (int32_t i = 0; i < config->stage_count; i++) {
        const struct llmc_stage_config *stage = &config->stages[i];
        status = run_stage(&run, stage);
        if (status != LLMC_OK) {
            status = llmc_error_prefix(status, "stage %s", stage->name);
            llmc_run_message(&run, "%s", llmc_error_message());
            goto exit;
        }
        if (stop_after && (strcmp(stop_after, stage->name) == 0 ||
                           strcmp(stop_after, llmc_stage_kind_name(stage->kind)) == 0))
            break;
    }
    if (!llmc_file_exists(run.report_path))
        LLMC_TRY(llmc_report_write(&run.report, run.report_path));
exit:
    run_release(&run);
    return status;
}
