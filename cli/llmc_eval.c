#include "cli/command.h"
#include "cli/progress_line.h"

#include "architecture/task.h"
#include "base/file.h"
#include "base/median.h"
#include "base/memory.h"
#include "base/threads.h"
#include "report/measure.h"
#include "report/quality.h"
#include "include/llmc_runtime.h"
#include "text/dataset.h"
#include "text/labels.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: llmc eval FILE DATA.tsv [options]\n"
    "\n"
    "Answers the labelled texts of DATA.tsv with the compressed checkpoint FILE and\n"
    "prints accuracy, F1 (of label 1 where there are two labels, else the mean over the\n"
    "labels), the calibration error, the confusion matrix, the median latency of one\n"
    "text, the throughput at 32 texts a call, and the peak memory of this process.\n"
    "\n"
    "  --text COL        column of the texts (default: sentence)\n"
    "  --text-pair COL   column of the second texts (default: none)\n"
    "  --label COL       column of the labels (default: label)\n"
    "  --label-name L=N  the label L of DATA.tsv is called N in FILE; may stand often\n"
    "  --show N          also print N texts with their answers, wrong ones first\n"
    "  --threads N       0 (the default): OMP_NUM_THREADS, or all processors within the\n"
    "                    quota of the container\n"
    "  --json            one JSON object\n"
    "  --answers         with --json: also the label number of every answer, and the\n"
    "                    probabilities [texts * labels]\n"
    "  --help            this text\n";

struct settings {
    const char *model, *data;
    struct llmc_columns columns;
    char *names[LLMC_LABELS_MAX]; /* columns.label_names */
    int show, threads;
    bool json, answers;
};

struct evaluation {
    struct llmc_model *model;
    struct llmc_predictor *predictor;
    struct llmc_labels labels;
    struct llmc_rows rows;
    struct llmc_measurement measured; /* scores are probabilities */
    int64_t *confusion;               /* [labels, labels] */
    struct llmc_progress progress;
};

/* Answers the rows first..first+count-1. */
static llmc_status answer(void *context, size_t first, size_t count, float *out)
{
    const struct evaluation *evaluation = context;
    const struct llmc_rows *rows = &evaluation->rows;
    if (llmc_command_interrupted())
        return LLMC_ERR_INTERRUPTED;
    return llmc_predict(evaluation->predictor, (const char *const *)rows->texts + first,
                        rows->pairs ? (const char *const *)rows->pairs + first : NULL, count, out);
}

static void judge(struct evaluation *evaluation)
{
    for (size_t i = 0; i < evaluation->rows.count; i++) {
        int64_t row = (int64_t)evaluation->rows.label[i] * evaluation->labels.count;
        evaluation->confusion[row + evaluation->measured.answers[i]]++;
    }
}

/* The next row to show behind `row`: first all wrong ones, then the right ones; count at the end. */
static size_t next_shown(const struct evaluation *evaluation, size_t row, bool *wrong)
{
    size_t count = evaluation->rows.count;
    for (;;) {
        for (; row < count; row++)
            if ((evaluation->measured.answers[row] != evaluation->rows.label[row]) == *wrong)
                return row;
        if (!*wrong)
            return count;
        *wrong = false;
        row = 0;
    }
}

static double calibration_error(const struct evaluation *evaluation)
{
    const struct llmc_answers answers = {evaluation->measured.answers, evaluation->measured.scores};
    return llmc_quality_calibration_error(&answers, evaluation->rows.label, (int64_t)evaluation->rows.count,
                                          evaluation->labels.count);
}

static double probability_of(const struct evaluation *evaluation, size_t row)
{
    size_t at = row * (size_t)evaluation->labels.count + (size_t)evaluation->measured.answers[row];
    return (double)evaluation->measured.scores[at];
}

static json_t *shown_json(const struct evaluation *evaluation, int show)
{
    json_t *list = json_array();
    char **names = evaluation->labels.names;
    bool wrong = true;
    size_t row = next_shown(evaluation, 0, &wrong);
    for (int i = 0; i < show && row < evaluation->rows.count; i++) {
        json_t *json = json_pack("{s:o, s:o, s:o, s:f}", "text", llmc_command_json_text(evaluation->rows.texts[row]),
                                 "label", llmc_command_json_text(names[evaluation->rows.label[row]]), "predicted",
                                 llmc_command_json_text(names[evaluation->measured.answers[row]]), "probability",
                                 probability_of(evaluation, row));
        if (json && evaluation->rows.pairs)
            json_object_set_new(json, "text_pair", llmc_command_json_text(evaluation->rows.pairs[row]));
        json_array_append_new(list, json);
        row = next_shown(evaluation, row + 1, &wrong);
    }
    return list;
}

static llmc_status print_json(const struct evaluation *evaluation, const struct settings *settings)
{
    const struct llmc_task_measure *measures = llmc_task_single_label.measures;
    int32_t count = evaluation->labels.count;
    const struct llmc_measurement *measured = &evaluation->measured;
    json_t *labels = json_array(), *confusion = json_array();
    for (int32_t row = 0; row < count; row++) {
        json_array_append_new(labels, llmc_command_json_text(evaluation->labels.names[row]));
        json_t *line = json_array();
        for (int32_t col = 0; col < count; col++)
            json_array_append_new(line, json_integer(evaluation->confusion[(int64_t)row * count + col]));
        json_array_append_new(confusion, line);
    }
    json_t *json = json_pack(
        "{s:o, s:o, s:I, s:I, s:f, s:f, s:f, s:o, s:o, s:f, s:f, s:f, s:f, s:I, s:s, s:i}", "file",
        llmc_command_json_text(settings->model), "data", llmc_command_json_text(settings->data), "file_bytes",
        (json_int_t)llmc_file_nbytes(settings->model), "texts", (json_int_t)evaluation->rows.count, measures[0].name,
        measures[0].of(evaluation->confusion, count), measures[1].name, measures[1].of(evaluation->confusion, count),
        "calibration_error", calibration_error(evaluation), "labels", labels, "confusion", confusion, "latency_ms_b1_p50", measured->latency_ms,
        "latency_ms_b1_p50_spread", measured->latency_spread, "throughput_per_s_b32", measured->throughput,
        "throughput_per_s_b32_spread", measured->throughput_spread, "memory_bytes", (json_int_t)measured->memory_bytes,
        "kernels", llmc_model_kernels(evaluation->model), "threads",
        llmc_predictor_threads(evaluation->predictor));
    if (json && settings->answers) {
        json_t *answers = json_array();
        for (size_t i = 0; i < evaluation->rows.count; i++)
            json_array_append_new(answers, json_integer(evaluation->measured.answers[i]));
        json_object_set_new(json, "answers", answers);
        json_t *probabilities = json_array();
        for (size_t i = 0; i < evaluation->rows.count * (size_t)count; i++)
            json_array_append_new(probabilities, json_real((double)evaluation->measured.scores[i]));
        json_object_set_new(json, "probabilities", probabilities);
    }
    if (json && settings->show)
        json_object_set_new(json, "shown", shown_json(evaluation, settings->show));
    return llmc_command_print_json(json, false);
}

static void print_confusion(const struct evaluation *evaluation)
{
    int32_t count = evaluation->labels.count;
    printf("\n%-20s", "true \\ predicted");
    for (int32_t col = 0; col < count; col++)
        printf(" %10.10s", evaluation->labels.names[col]);
    putchar('\n');
    for (int32_t row = 0; row < count; row++) {
        printf("%-20.20s", evaluation->labels.names[row]);
        for (int32_t col = 0; col < count; col++)
            printf(" %10lld", (long long)evaluation->confusion[(int64_t)row * count + col]);
        putchar('\n');
    }
}

static llmc_status print_text(const struct evaluation *evaluation, const struct settings *settings)
{
    int32_t count = evaluation->labels.count;
    int64_t right = 0;
    for (int32_t label = 0; label < count; label++)
        right += evaluation->confusion[(int64_t)label * count + label];
    double accuracy = llmc_task_single_label.measures[0].of(evaluation->confusion, count);
    printf("accuracy        %.4f (%lld of %zu; one standard deviation %.4f)\n", accuracy, (long long)right,
           evaluation->rows.count, llmc_quality_deviation(accuracy, (int64_t)evaluation->rows.count));
    printf("F1              %.4f (%s)\n", llmc_task_single_label.measures[1].of(evaluation->confusion, count),
           count == 2 ? evaluation->labels.names[1] : "mean over labels");
    printf("calibration     %.4f (by how much the probabilities miss the share of right answers)\n",
           calibration_error(evaluation));
    const struct llmc_measurement *measured = &evaluation->measured;
    bool latency_disturbed = measured->latency_spread > LLMC_SPREAD_MAX;
    bool throughput_disturbed = measured->throughput_spread > LLMC_SPREAD_MAX;
    printf("latency         %s%.3f ms (median, one text a call)\n", latency_disturbed ? "~" : "", measured->latency_ms);
    printf("throughput      %s%.0f texts a second (32 a call)\n", throughput_disturbed ? "~" : "", measured->throughput);
    if (latency_disturbed || throughput_disturbed)
        printf("                ~: the rounds differ by more than %.0f %%; other work ran beside them\n",
               100 * LLMC_SPREAD_MAX);
    printf("peak memory     %.1f MB\n", (double)measured->memory_bytes * 1e-6);
    printf("file            %.2f MB, kernels %s\n", (double)llmc_file_nbytes(settings->model) * 1e-6,
           llmc_model_kernels(evaluation->model));
    print_confusion(evaluation);
    bool wrong = true;
    size_t row = settings->show ? next_shown(evaluation, 0, &wrong) : evaluation->rows.count;
    for (int i = 0; i < settings->show && row < evaluation->rows.count; i++) {
        printf("%s%s predicted %s %.4f, true %s: %s", i ? "" : "\n", wrong ? "WRONG" : "right",
               evaluation->labels.names[evaluation->measured.answers[row]], probability_of(evaluation, row),
               evaluation->labels.names[evaluation->rows.label[row]], evaluation->rows.texts[row]);
        printf(evaluation->rows.pairs ? " | %s\n" : "\n", evaluation->rows.pairs ? evaluation->rows.pairs[row] : "");
        row = next_shown(evaluation, row + 1, &wrong);
    }
    return llmc_command_flush();
}

static llmc_status copy_labels(struct evaluation *evaluation)
{
    llmc_status status = LLMC_OK;
    int32_t count = llmc_model_label_count(evaluation->model);
    LLMC_TRY(llmc_alloc(&evaluation->labels.names, (size_t)count, sizeof *evaluation->labels.names));
    evaluation->labels.count = count;
    for (int32_t i = 0; i < count; i++)
        LLMC_TRY(llmc_strdup(&evaluation->labels.names[i], llmc_model_label(evaluation->model, i)));
exit:
    return status;
}

static llmc_status evaluate(const struct settings *settings)
{
    llmc_status status = LLMC_OK;
    struct evaluation evaluation = {0};
    llmc_progress_init(&evaluation.progress, stderr);
    LLMC_TRY(llmc_model_open(&evaluation.model, settings->model));
    LLMC_TRY(copy_labels(&evaluation));
    LLMC_TRY(llmc_rows_read(&evaluation.rows, settings->data, &settings->columns, &evaluation.labels));
    LLMC_TRY(llmc_predictor_create(&evaluation.predictor, evaluation.model, settings->threads));
    size_t labels = (size_t)evaluation.labels.count;
    LLMC_TRY(llmc_alloc(&evaluation.confusion, labels * labels, sizeof(int64_t)));
    LLMC_TRY(llmc_measure(&evaluation.measured, answer, &evaluation, evaluation.rows.count, evaluation.labels.count,
                          llmc_progress_update, &evaluation.progress));
    judge(&evaluation);
    llmc_progress_finish(&evaluation.progress);
    LLMC_TRY(settings->json ? print_json(&evaluation, settings) : print_text(&evaluation, settings));
exit:
    llmc_progress_finish(&evaluation.progress);
    llmc_measurement_release(&evaluation.measured);
    free(evaluation.confusion);
    llmc_rows_release(&evaluation.rows);
    llmc_labels_release(&evaluation.labels);
    llmc_predictor_free(evaluation.predictor);
    llmc_model_free(evaluation.model);
    return status;
}

int llmc_command_eval(int argc, char **argv)
{
    static const struct option options[] = {
        {"text", required_argument, NULL, 'x'},    {"text-pair", required_argument, NULL, 'p'},
        {"label", required_argument, NULL, 'l'},   {"show", required_argument, NULL, 's'},
        {"label-name", required_argument, NULL, 'n'},
        {"threads", required_argument, NULL, 't'}, {"json", no_argument, NULL, 'j'},
        {"answers", no_argument, NULL, 'a'},       {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    struct settings settings = {.columns = {.text = "sentence", .label = "label"}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        llmc_status status = LLMC_OK;
        switch (option) {
        case 'x':
            settings.columns.text = optarg;
            break;
        case 'p':
            settings.columns.text_pair = optarg;
            break;
        case 'l':
            settings.columns.label = optarg;
            break;
        case 'n':
            if (settings.columns.label_name_count == LLMC_LABELS_MAX)
                return llmc_command_usage_error("eval", "--label-name: more than %d", LLMC_LABELS_MAX);
            settings.names[settings.columns.label_name_count++] = optarg;
            break;
        case 's':
            status = llmc_command_number("--show", optarg, 0, INT_MAX, &settings.show);
            break;
        case 't':
            status = llmc_command_number("--threads", optarg, 0, LLMC_THREADS_MAX, &settings.threads);
            break;
        case 'j':
            settings.json = true;
            break;
        case 'a':
            settings.answers = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return llmc_command_end(llmc_command_flush());
        default:
            return llmc_command_usage_error("eval", "unknown option or missing value: %s", argv[optind - 1]);
        }
        if (status != LLMC_OK)
            return llmc_command_usage_error("eval", "%s", llmc_error_message());
    }
    if (argc - optind != 2)
        return llmc_command_usage_error("eval", "FILE and DATA.tsv are needed");
    if (!*settings.columns.label)
        return llmc_command_usage_error("eval", "--label must name a column");
    settings.columns.label_names = settings.names;
    settings.model = argv[optind];
    settings.data = argv[optind + 1];
    llmc_command_catch_signals();
    return llmc_command_end(evaluate(&settings));
}
