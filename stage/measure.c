#include "stage/measure.h"

#include "architecture/task.h"
#include "base/file.h"
#include "base/memory.h"
#include "report/measure.h"
#include "config/paths.h"
#include "stage/state_file.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Runs a program and parses what it prints. */
static llmc_status run_program(const struct llmc_run_host *host, char *const argv[], json_t **json)
{
    llmc_status status = LLMC_OK;
    posix_spawn_file_actions_t actions;
    int ends[2], exit_status = 0;
    pid_t child;
    json_error_t error;
    *json = NULL;
    if (pipe(ends) != 0)
        return llmc_error(LLMC_ERR_IO, "cannot make a pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    int failed = posix_spawn(&child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    if (failed) {
        status = llmc_error(LLMC_ERR_IO, "cannot start %s: %s", argv[0], strerror(failed));
        goto exit;
    }
    *json = json_loadf(output, JSON_DISABLE_EOF_CHECK, &error);
    fclose(output); /* before waiting: a program that writes on must not wait for us */
    output = NULL;
    while (waitpid(child, &exit_status, 0) < 0 && errno == EINTR)
        continue;
    if (host->stop && *host->stop)
        LLMC_FAIL(LLMC_ERR_INTERRUPTED, "stopped while measuring");
    if (exit_status != 0 || !*json)
        LLMC_FAIL(LLMC_ERR_IO, "measuring by %s %s %s failed (wait status %d)", argv[0], argv[1], argv[2], exit_status);
exit:
    if (output)
        fclose(output);
    if (status != LLMC_OK) {
        json_decref(*json);
        *json = NULL;
    }
    return status;
}

static llmc_status read_scores(const json_t *list, int64_t count, int32_t labels, float *scores)
{
    if (json_array_size(list) != (size_t)(count * labels))
        return llmc_error(LLMC_ERR_FORMAT, "%zu scores for %lld dev texts of %d labels", json_array_size(list),
                          (long long)count, labels);
    for (int64_t i = 0; i < count * labels; i++)
        scores[i] = (float)json_number_value(json_array_get(list, (size_t)i));
    return LLMC_OK;
}

/* The probabilities, or what logits give. */
static llmc_status read_probabilities(const json_t *json, int64_t count, int32_t labels, float *probabilities)
{
    llmc_status status = LLMC_OK;
    const json_t *logits = json_object_get(json, "logits");
    double *logs = NULL;
    if (!logits)
        return read_scores(json_object_get(json, "probabilities"), count, labels, probabilities);
    LLMC_TRY(read_scores(logits, count, labels, probabilities));
    LLMC_TRY(llmc_alloc(&logs, (size_t)labels, sizeof *logs));
    for (float *row = probabilities; row < probabilities + count * labels; row += labels) {
        llmc_task_log_softmax(row, labels, 1, logs);
        for (int32_t i = 0; i < labels; i++)
            row[i] = (float)exp(logs[i]);
    }
exit:
    free(logs);
    return status;
}

static llmc_status read_figures(const json_t *json, int64_t count, int32_t labels, struct llmc_stage_figures *figures)
{
    llmc_status status = LLMC_OK;
    const json_t *answers = json_object_get(json, "answers");
    if (json_array_size(answers) != (size_t)count)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%zu answers for %lld dev texts", json_array_size(answers), (long long)count);
    LLMC_TRY(llmc_alloc(&figures->answers, (size_t)count, sizeof *figures->answers));
    for (int64_t i = 0; i < count; i++)
        figures->answers[i] = (int32_t)json_integer_value(json_array_get(answers, (size_t)i));
    LLMC_TRY(llmc_alloc(&figures->probabilities, (size_t)count * (size_t)labels, sizeof *figures->probabilities));
    LLMC_TRY(read_probabilities(json, count, labels, figures->probabilities));
    figures->row.latency_ms_b1_p50 = json_number_value(json_object_get(json, "latency_ms_b1_p50"));
    figures->row.latency_ms_b1_p50_spread = json_number_value(json_object_get(json, "latency_ms_b1_p50_spread"));
    figures->row.throughput_per_s_b32 = json_number_value(json_object_get(json, "throughput_per_s_b32"));
    figures->row.throughput_per_s_b32_spread = json_number_value(json_object_get(json, "throughput_per_s_b32_spread"));
    figures->row.memory_bytes = json_integer_value(json_object_get(json, "memory_bytes"));
exit:
    return status;
}

static llmc_status measure_with(struct llmc_stage_work *work, char *const argv[], struct llmc_stage_figures *figures)
{
    json_t *json = NULL;
    llmc_status status = run_program(work->host, argv, &json);
    if (status == LLMC_OK)
        status = read_figures(json, work->data->dev_count, work->data->labels.count, figures);
    json_decref(json);
    return status;
}

llmc_status llmc_stage_measure_model(struct llmc_stage_work *work, struct llmc_stage_figures *figures)
{
    char *argv[] = {(char *)work->host->measure_program, "--measure", (char *)work->product_path,
                    (char *)work->config_path, NULL};
    return measure_with(work, argv, figures);
}

llmc_status llmc_stage_measure_file(struct llmc_stage_work *work, struct llmc_stage_figures *figures)
{
    const struct llmc_columns *columns = &work->data->columns;
    char threads[16];
    snprintf(threads, sizeof threads, "%d", work->ops->threads);
    char *fixed[] = {(char *)work->host->answer_program, "eval", work->chain->file_path, work->data->dev_path,
                    "--json", "--answers", "--threads", threads,
                    "--text", (char *)columns->text, "--label", (char *)columns->label,
                    "--text-pair", (char *)(columns->text_pair ? columns->text_pair : "")};
    size_t used = 0, room = 2 * (size_t)columns->label_name_count;
    char **argv = NULL;
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_alloc(&argv, sizeof fixed / sizeof *fixed + room + 1, sizeof *argv));
    for (; used < sizeof fixed / sizeof *fixed; used++)
        argv[used] = fixed[used];
    for (int32_t i = 0; i < columns->label_name_count; i++) {
        argv[used++] = "--label-name";
        argv[used++] = columns->label_names[i];
    }
    LLMC_TRY(measure_with(work, argv, figures));
exit:
    free(argv);
    return status;
}

/* One process's model and texts. */
struct answering {
    struct llmc_state state;
    struct llmc_ops ops;
    struct llmc_rows rows;
    struct llmc_batch batch;
    struct llmc_activations activations;
};

static llmc_status answer(void *context, size_t first, size_t count, float *out)
{
    struct answering *a = context;
    llmc_status status = LLMC_OK;
    struct llmc_dataset texts = {0};
    int64_t order[64];
    struct llmc_rows rows = a->rows;
    rows.count = count;
    rows.texts += first;
    rows.pairs = rows.pairs ? rows.pairs + first : NULL;
    rows.label += first;
    for (size_t i = 0; i < count; i++)
        order[i] = (int64_t)i;
    LLMC_TRY(llmc_dataset_encode(&texts, &rows, a->state.tokenizer, a->state.tokens_max));
    const struct llmc_text_source source = llmc_dataset_source(&texts);
    LLMC_TRY(llmc_batch_gather(&a->batch, &source, order, (int32_t)count));
    struct llmc_pass pass = {.batch = llmc_step_tokens(&a->batch)};
    LLMC_TRY(llmc_bert_forward(&a->state.model, &a->ops, &pass, &a->activations, out));
exit:
    llmc_dataset_release(&texts);
    return status;
}

llmc_status llmc_stage_measure_checkpoint(const struct llmc_config *config, const char *checkpoint, char **json)
{
    llmc_status status = LLMC_OK;
    struct answering a = {0};
    struct llmc_measurement measurement = {0};
    struct llmc_columns columns = {config->data.text, config->data.text_pair, config->data.label,
                                    config->data.label_names.texts, config->data.label_names.count};
    char *dev_path = NULL;
    LLMC_TRY(llmc_config_path(config, config->data.folder, config->data.dev, &dev_path));
    LLMC_TRY(llmc_state_load(checkpoint, LLMC_F32, &a.state));
    LLMC_TRY(llmc_ops_init(&a.ops, config->threads));
    LLMC_TRY(llmc_rows_read(&a.rows, dev_path, &columns, &a.state.labels));
    LLMC_TRY(llmc_bert_prepare(&a.state.model, &a.ops));
    LLMC_TRY(llmc_measure(&measurement, answer, &a, a.rows.count, a.state.labels.count, NULL, NULL));
    json_t *answers = json_array(), *logits = json_array();
    for (size_t i = 0; i < a.rows.count; i++)
        json_array_append_new(answers, json_integer(measurement.answers[i]));
    for (size_t i = 0; i < a.rows.count * (size_t)a.state.labels.count; i++)
        json_array_append_new(logits, json_real((double)measurement.scores[i]));
    int64_t correct = llmc_measurement_correct(&measurement, a.rows.label, a.rows.count);
    json_t *object = json_pack("{s:f, s:o, s:o, s:f, s:f, s:f, s:f, s:I}", "accuracy", (double)correct / (double)a.rows.count,
                               "answers", answers, "logits", logits, "latency_ms_b1_p50", measurement.latency_ms,
                               "latency_ms_b1_p50_spread", measurement.latency_spread, "throughput_per_s_b32",
                               measurement.throughput, "throughput_per_s_b32_spread", measurement.throughput_spread,
                               "memory_bytes", (json_int_t)measurement.memory_bytes);
    *json = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!*json)
        LLMC_FAIL(LLMC_ERR_MEMORY, "cannot write JSON");
exit:
    llmc_measurement_release(&measurement);
    llmc_state_release(&a.state);
    llmc_activations_release(&a.activations);
    llmc_batch_release(&a.batch);
    llmc_rows_release(&a.rows);
    llmc_ops_release(&a.ops);
    free(dev_path);
    return status;
}
