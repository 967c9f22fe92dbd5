/* llmc-bench-train, started by `llmc bench train`: where the time of a training step goes. */
#include "cli/bench_train_output.h"
#include "cli/command.h"
#include "cli/progress_line.h"

#include "base/memory.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: llmc bench train --model FOLDER --texts FILE [options]\n"
    "\n"
    "Times training steps on the batches of FILE, a TSV with the columns sentence and label\n"
    "whose rows stand in the order of the batches, and shows where the time goes beside what\n"
    "this machine can do at best. One pass warms up; the median of the others counts.\n"
    "\n"
    "  --model FOLDER     a BERT in Hugging Face's layout\n"
    "  --texts FILE       the texts\n"
    "  --work KIND        distil, qat, finetune or logits (default: all)\n"
    "  --precision P      fp32, fp16 or bf16 (default: fp16)\n"
    "  --batch N          texts a batch (default: 32)\n"
    "  --rounds N         timed passes over the texts (default: 3)\n"
    "  --threads N        0 (the default): OMP_NUM_THREADS, or all processors within the\n"
    "                     quota of the container\n"
    "  --dropout P        (default: 0.1)\n"
    "  --seed N           (default: 1)\n"
    "  --json             a JSON object a kind of work instead of tables\n"
    "  --worker           answer each line \"run\" of standard input with the JSON object of one\n"
    "                     pass: for scripts that take turns with other programs\n"
    "  --help             this text\n"
    "\n"
    "experiments/bench/train compares these figures with PyTorch's in one run.\n";

struct request {
    struct llmc_bench_options options;
    bool kinds[LLMC_BENCH_KINDS];
    int rounds;
    bool json, worker, help;
};

static llmc_status parse_kind(const char *text, bool kinds[LLMC_BENCH_KINDS])
{
    bool found = false;
    for (int kind = 0; kind < LLMC_BENCH_KINDS; kind++) {
        kinds[kind] = strcmp(text, llmc_bench_kind_name((enum llmc_bench_kind)kind)) == 0;
        found = found || kinds[kind];
    }
    return found ? LLMC_OK
                 : llmc_error(LLMC_ERR_ARGUMENT, "--work is \"%s\"; allowed are distil, qat, finetune, logits", text);
}

static llmc_status parse_precision(const char *text, enum llmc_number *number)
{
    static const char *const names[] = {[LLMC_F32] = "fp32", [LLMC_F16] = "fp16", [LLMC_BF16] = "bf16"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *number = (enum llmc_number)i;
            return LLMC_OK;
        }
    }
    return llmc_error(LLMC_ERR_ARGUMENT, "--precision is \"%s\"; allowed are fp32, fp16, bf16", text);
}

static llmc_status parse_dropout(const char *text, float *dropout)
{
    char *end;
    *dropout = strtof(text, &end);
    if (end == text || *end || !(*dropout >= 0 && *dropout < 1))
        return llmc_error(LLMC_ERR_ARGUMENT, "--dropout is \"%s\"; allowed are 0 to below 1", text);
    return LLMC_OK;
}

static llmc_status parse(int argc, char **argv, struct request *request)
{
    enum { MODEL = 1, TEXTS, WORK, PRECISION, BATCH, ROUNDS, THREADS, DROPOUT, SEED, JSON, WORKER, HELP };
    static const struct option options[] = {
        {"model", required_argument, NULL, MODEL},       {"texts", required_argument, NULL, TEXTS},
        {"work", required_argument, NULL, WORK},         {"precision", required_argument, NULL, PRECISION},
        {"batch", required_argument, NULL, BATCH},       {"rounds", required_argument, NULL, ROUNDS},
        {"threads", required_argument, NULL, THREADS},   {"dropout", required_argument, NULL, DROPOUT},
        {"seed", required_argument, NULL, SEED},         {"json", no_argument, NULL, JSON},
        {"worker", no_argument, NULL, WORKER},           {"help", no_argument, NULL, HELP},
        {0},
    };
    llmc_status status = LLMC_OK;
    struct llmc_bench_options *o = &request->options;
    int option, number;
    *request = (struct request){.options = {.number = LLMC_F16, .batch_size = 32, .dropout = 0.1f, .seed = 1}, .rounds = 3};
    memset(request->kinds, 1, sizeof request->kinds);
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case MODEL: o->model_folder = optarg; break;
        case TEXTS: o->texts = optarg; break;
        case WORK: LLMC_TRY(parse_kind(optarg, request->kinds)); break;
        case PRECISION: LLMC_TRY(parse_precision(optarg, &o->number)); break;
        case BATCH: LLMC_TRY(llmc_command_number("--batch", optarg, 1, 4096, &o->batch_size)); break;
        case ROUNDS: LLMC_TRY(llmc_command_number("--rounds", optarg, 1, 1000, &request->rounds)); break;
        case THREADS: LLMC_TRY(llmc_command_number("--threads", optarg, 0, LLMC_THREADS_MAX, &o->threads)); break;
        case DROPOUT: LLMC_TRY(parse_dropout(optarg, &o->dropout)); break;
        case SEED:
            LLMC_TRY(llmc_command_number("--seed", optarg, 0, 1 << 30, &number));
            o->seed = (uint64_t)number;
            break;
        case JSON: request->json = true; break;
        case WORKER: request->worker = true; break;
        case HELP:
        case 'h': request->help = true; return LLMC_OK;
        default: return llmc_error(LLMC_ERR_ARGUMENT, "see 'llmc bench train --help'");
        }
    }
    if (optind < argc)
        return llmc_error(LLMC_ERR_ARGUMENT, "unexpected \"%s\"; see 'llmc bench train --help'", argv[optind]);
    if (!o->model_folder || !o->texts)
        return llmc_error(LLMC_ERR_ARGUMENT, "--model and --texts are needed; see 'llmc bench train --help'");
exit:
    return status;
}

/* Answers lines of standard input until it ends. */
static llmc_status serve(struct llmc_bench_work *work, const struct llmc_bench_peaks *peaks)
{
    llmc_status status = LLMC_OK;
    struct llmc_bench_pass pass;
    char line[64];
    double *losses = NULL;
    LLMC_TRY(llmc_alloc(&losses, (size_t)llmc_bench_steps(work), sizeof *losses));
    LLMC_TRY(llmc_command_print_json(json_pack("{s:b}", "ready", 1), true));
    LLMC_TRY(llmc_command_flush());
    while (!llmc_command_interrupted() && fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "run\n") != 0)
            LLMC_FAIL(LLMC_ERR_ARGUMENT, "standard input: a line is not \"run\"");
        LLMC_TRY(llmc_bench_run(work, &pass, losses));
        LLMC_TRY(llmc_command_print_json(llmc_bench_pass_json(work, &pass, peaks, losses), true));
        LLMC_TRY(llmc_command_flush());
    }
exit:
    free(losses);
    return status;
}

static int by_seconds(const void *a, const void *b)
{
    const struct llmc_bench_pass *left = a, *right = b;
    return (left->seconds > right->seconds) - (left->seconds < right->seconds);
}

/* The median of the rounds, behind one that warms up. */
static llmc_status time_work(struct llmc_bench_work *work, const struct request *request,
                             const struct llmc_bench_peaks *peaks, struct llmc_progress *progress)
{
    llmc_status status = LLMC_OK;
    struct llmc_bench_pass *passes = NULL;
    LLMC_TRY(llmc_alloc(&passes, (size_t)request->rounds + 1, sizeof *passes));
    for (int round = 0; round <= request->rounds; round++) {
        if (llmc_command_interrupted())
            LLMC_FAIL(LLMC_ERR_INTERRUPTED, "stopped");
        llmc_progress_update(progress, llmc_bench_kind_name(work->options.kind), round, request->rounds + 1, NULL);
        LLMC_TRY(llmc_bench_run(work, &passes[round], NULL));
    }
    llmc_progress_finish(progress);
    qsort(passes + 1, (size_t)request->rounds, sizeof *passes, by_seconds);
    const struct llmc_bench_pass *median = &passes[1 + (request->rounds - 1) / 2];
    if (request->json)
        LLMC_TRY(llmc_command_print_json(llmc_bench_pass_json(work, median, peaks, NULL), true));
    else
        llmc_bench_print_pass(work, median, peaks);
    LLMC_TRY(llmc_command_flush());
exit:
    free(passes);
    return status;
}

static llmc_status run_kind(struct request *request, enum llmc_bench_kind kind, struct llmc_progress *progress)
{
    llmc_status status = LLMC_OK;
    struct llmc_bench_work work = {0};
    struct llmc_bench_peaks peaks;
    request->options.kind = kind;
    LLMC_TRY(llmc_bench_work_init(&work, &request->options));
    LLMC_TRY(llmc_peak_gemm(&work.ops, request->options.number, &peaks.gemm_flops_per_second));
    LLMC_TRY(llmc_peak_memory(&work.ops, &peaks.bytes_per_second));
    if (request->worker)
        LLMC_TRY(serve(&work, &peaks));
    else
        LLMC_TRY(time_work(&work, request, &peaks, progress));
exit:
    llmc_bench_work_release(&work);
    return status;
}

int main(int argc, char **argv)
{
    llmc_status status = LLMC_OK;
    struct request request;
    struct llmc_progress progress;
    llmc_command_spin_briefly(argv);
    llmc_command_limit_threads();
    llmc_command_catch_signals();
    llmc_progress_init(&progress, stderr);
    LLMC_TRY(parse(argc, argv, &request));
    if (request.help) {
        fputs(usage, stdout);
        status = llmc_command_flush();
        goto exit;
    }
    for (int kind = 0; kind < LLMC_BENCH_KINDS; kind++)
        if (request.kinds[kind])
            LLMC_TRY(run_kind(&request, (enum llmc_bench_kind)kind, &progress));
exit:
    llmc_progress_finish(&progress);
    return llmc_command_end(status);
}
