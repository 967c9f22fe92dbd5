/* llmc bench FILE: how fast a compressed checkpoint answers. */
#include "cli/bench_infer_output.h"
#include "cli/command.h"
#include "cli/progress_line.h"

#include "base/median.h"
#include "base/threads.h"
#include "bench/first_answer.h"
#include "formats/checkpoint/compressed.h"
#include "include/llmc_runtime.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: llmc bench FILE [options]\n"
    "\n"
    "Times predictions of the compressed checkpoint FILE, from text to label: latency of\n"
    "one text (the median, and what 95 and 99 of 100 texts do not exceed), texts a second by\n"
    "texts a call and threads, the first answer of a new process, memory, the tokenizer's\n"
    "part, and how near the integer products come to what this machine can do at best.\n"
    "\n"
    "  --texts TSV      texts to answer (default: 512 made of the model's words)\n"
    "  --text COL       their column (default: sentence)\n"
    "  --threads N,...  (default: 1, 2, 4 and so on, and OMP_NUM_THREADS or all\n"
    "                   processors within the quota of the container)\n"
    "  --batches N,...  texts a call (default: 1,8,32,128)\n"
    "  --rounds N       times that everything is timed; medians count (default: 5)\n"
    "  --json           one JSON object\n"
    "  --worker         answer each line \"run\" of standard input with the JSON object of one\n"
    "                   pass, for scripts that take turns with other programs; with one\n"
    "                   number of --threads and of --batches\n"
    "  --help           this text\n"
    "\n"
    "experiments/bench/infer compares these figures with other programs' in one run.\n"
    "'llmc bench train' times training.\n";

enum { BATCH_MAX = 65536, FIRST_ANSWERS = 9 };

struct request {
    char *file, *texts, *column;
    struct llmc_infer_plan plan;
    bool json, worker, help;
};

/* "1,8,32" */
static llmc_status parse_list(const char *option, char *text, int max, struct llmc_infer_list *list)
{
    llmc_status status = LLMC_OK;
    list->count = 0;
    for (char *rest = text; rest;) {
        char *item = strsep(&rest, ",");
        if (list->count == LLMC_INFER_LIST_MAX)
            LLMC_FAIL(LLMC_ERR_ARGUMENT, "%s: more than %d numbers", option, LLMC_INFER_LIST_MAX);
        LLMC_TRY(llmc_command_number(option, item, 1, max, &list->values[list->count++]));
    }
exit:
    return status;
}

/* 1, 2, 4 and so on, and all. */
static struct llmc_infer_list all_threads(void)
{
    struct llmc_infer_list list = {0};
    int all = llmc_threads_all();
    for (int threads = 1; threads < all; threads *= 2)
        list.values[list.count++] = threads;
    list.values[list.count++] = all;
    return list;
}

static llmc_status parse(int argc, char **argv, struct request *request)
{
    enum { TEXTS = 1, TEXT, THREADS, BATCHES, ROUNDS, JSON, WORKER };
    static const struct option options[] = {
        {"texts", required_argument, NULL, TEXTS},     {"text", required_argument, NULL, TEXT},
        {"threads", required_argument, NULL, THREADS}, {"batches", required_argument, NULL, BATCHES},
        {"rounds", required_argument, NULL, ROUNDS},   {"json", no_argument, NULL, JSON},
        {"worker", no_argument, NULL, WORKER},         {"help", no_argument, NULL, 'h'},
        {0}};
    llmc_status status = LLMC_OK;
    struct llmc_infer_plan *plan = &request->plan;
    int option;
    *request = (struct request){
        .column = "sentence", .plan = {.threads = all_threads(), .batches = {{1, 8, 32, 128}, 4}, .rounds = 5}};
    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case TEXTS: request->texts = optarg; break;
        case TEXT: request->column = optarg; break;
        case THREADS: LLMC_TRY(parse_list("--threads", optarg, LLMC_THREADS_MAX, &plan->threads)); break;
        case BATCHES: LLMC_TRY(parse_list("--batches", optarg, BATCH_MAX, &plan->batches)); break;
        case ROUNDS: LLMC_TRY(llmc_command_number("--rounds", optarg, 1, 1000, &plan->rounds)); break;
        case JSON: request->json = true; break;
        case WORKER: request->worker = true; break;
        case 'h': request->help = true; return LLMC_OK;
        default: LLMC_FAIL(LLMC_ERR_ARGUMENT, "unknown option or missing value: %s", argv[optind - 1]);
        }
    }
    if (argc - optind != 1)
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "one FILE is needed");
    if (request->worker && (plan->threads.count != 1 || plan->batches.count != 1))
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "--worker needs --threads and --batches with one number each");
    request->file = argv[optind];
exit:
    return status;
}

static json_t *pass_json(struct llmc_infer_work *work, double seconds, double tokenizer_seconds)
{
    json_t *answers = json_array();
    for (size_t i = 0; i < work->count; i++)
        json_array_append_new(answers, json_integer(llmc_infer_answer(work, i)));
    return json_pack("{s:f, s:f, s:I, s:I, s:o}", "seconds", seconds, "tokenizer_seconds", tokenizer_seconds,
                     "examples", (json_int_t)work->count, "tokens", (json_int_t)work->tokens, "answers", answers);
}

/* Answers lines of standard input until it ends. */
static llmc_status serve(struct llmc_infer_work *work, const struct llmc_infer_plan *plan)
{
    llmc_status status = LLMC_OK;
    struct llmc_predictor *predictor = NULL;
    double seconds, tokenizer_seconds;
    char line[64];
    LLMC_TRY(llmc_predictor_create(&predictor, work->model, plan->threads.values[0]));
    LLMC_TRY(llmc_command_print_json(
        json_pack("{s:b, s:s}", "ready", 1, "kernels", llmc_model_kernels(work->model)), true));
    while (!llmc_command_interrupted() && fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "run\n") != 0)
            LLMC_FAIL(LLMC_ERR_ARGUMENT, "standard input: a line is not \"run\"");
        LLMC_TRY(llmc_infer_tokenize(work, &tokenizer_seconds));
        LLMC_TRY(llmc_infer_predict(work, predictor, plan->batches.values[0], &seconds, NULL));
        LLMC_TRY(llmc_command_print_json(pass_json(work, seconds, tokenizer_seconds), true));
    }
exit:
    llmc_predictor_free(predictor);
    return status;
}

/* Of `llmc predict` in new processes; this one must still be small. The first of them reads the file from the disk. */
static llmc_status time_first_answer(const struct request *request, struct llmc_bench_infer_about *about)
{
    llmc_status status = LLMC_OK;
    double seconds[FIRST_ANSWERS + 1];
    char *argv[] = {"/proc/self/exe", "predict", request->file, "--", "a gripping film that nobody should miss", NULL};
    for (int i = 0; i <= FIRST_ANSWERS; i++)
        LLMC_TRY(llmc_first_answer(argv, &seconds[i], &about->first_answer_nbytes));
    about->first_answer_seconds = llmc_median(seconds + 1, FIRST_ANSWERS);
exit:
    return status;
}

static llmc_status count_integers(const char *file, int64_t *nbytes)
{
    struct llmc_compressed content = {0};
    llmc_status status = llmc_compressed_read(file, &content);
    for (int32_t i = 0; i < content.tensor_count; i++)
        if (content.tensors[i].number == LLMC_I8)
            *nbytes += content.tensors[i].rows * content.tensors[i].cols;
    llmc_compressed_release(&content);
    return status;
}

static llmc_status measure(const struct request *request, struct llmc_infer_work *work,
                           struct llmc_bench_infer_about *about)
{
    llmc_status status = LLMC_OK;
    struct llmc_infer_rounds rounds = {0};
    struct llmc_infer_figures figures = {0};
    struct llmc_progress progress;
    llmc_progress_init(&progress, stderr);
    LLMC_TRY(llmc_infer_rounds_init(&rounds, &request->plan, work));
    int passes = llmc_infer_rounds_passes(&rounds);
    for (int pass = 0; pass < passes; pass++) {
        if (llmc_command_interrupted())
            LLMC_FAIL(LLMC_ERR_INTERRUPTED, "stopped");
        llmc_progress_update(&progress, "passes over the texts", pass, passes, NULL);
        LLMC_TRY(llmc_infer_rounds_run(&rounds, pass));
    }
    llmc_progress_finish(&progress);
    llmc_infer_rounds_figures(&rounds, &figures);
    LLMC_TRY(count_integers(request->file, &about->unpacked_integers_nbytes));
    if (request->json) {
        LLMC_TRY(llmc_command_print_json(llmc_bench_infer_json(&rounds, &figures, about), true));
    } else {
        llmc_bench_infer_print(&rounds, &figures, about);
        LLMC_TRY(llmc_command_flush());
    }
exit:
    llmc_progress_finish(&progress);
    llmc_infer_rounds_release(&rounds);
    return status;
}

static llmc_status bench(const struct request *request)
{
    llmc_status status = LLMC_OK;
    struct llmc_infer_work work = {0};
    struct llmc_bench_infer_about about = {.file = request->file, .texts = request->texts};
    llmc_status answered = request->worker ? LLMC_OK : time_first_answer(request, &about);
    /* What is wrong with a file is said here. */
    LLMC_TRY(llmc_infer_work_init(&work, request->file, request->texts, request->column));
    LLMC_TRY(answered);
    LLMC_TRY(request->worker ? serve(&work, &request->plan) : measure(request, &work, &about));
exit:
    llmc_infer_work_release(&work);
    return status;
}

int llmc_command_bench_infer(int argc, char **argv)
{
    struct request request;
    if (parse(argc, argv, &request) != LLMC_OK)
        return llmc_command_usage_error("bench", "%s", llmc_error_message());
    if (request.help) {
        fputs(usage, stdout);
        return llmc_command_end(llmc_command_flush());
    }
    llmc_command_catch_signals();
    return llmc_command_end(bench(&request));
}
