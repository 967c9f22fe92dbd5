#include "cli/bench_infer_output.h"

#include "cli/command.h"
#include "include/llmc_runtime.h"

#include <stdio.h>

static const char *const part_names[LLMC_PARTS] = {
    [LLMC_PART_TOKENS] = "tokenizer",    [LLMC_PART_EMBEDDING] = "embeddings", [LLMC_PART_INTEGERS] = "integer layers",
    [LLMC_PART_FLOATS] = "FP32 layers", [LLMC_PART_ATTENTION] = "attention",  [LLMC_PART_NORM] = "layer norms",
    [LLMC_PART_WAITING] = "waiting"};

static double tokens_per_text(const struct llmc_infer_rounds *rounds)
{
    return (double)rounds->work->tokens / (double)rounds->work->count;
}

/* With the last, which are the most by default, threads; 0 without batch 1. */
static double tokenizer_share(const struct llmc_infer_rounds *rounds, const struct llmc_infer_figures *figures)
{
    const struct llmc_infer_plan *plan = &rounds->plan;
    for (int b = 0; b < plan->batches.count; b++)
        if (plan->batches.values[b] == 1)
            return figures->texts_per_second[plan->threads.count - 1][b] / figures->tokenizer_texts_per_second;
    return 0;
}

/* Figures that are not known are 0 here and null in JSON. */
static json_t *known(double value)
{
    return value > 0 ? json_real(value) : json_null();
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

json_t *llmc_bench_infer_json(const struct llmc_infer_rounds *rounds, const struct llmc_infer_figures *figures,
                              const struct llmc_bench_infer_about *about)
{
    const struct llmc_infer_plan *plan = &rounds->plan;
    json_t *throughput = json_array(), *latency = json_array();
    json_t *parts = json_object();
    for (int part = 0; part < LLMC_PARTS; part++)
        json_object_set_new(parts, part_names[part], json_real(figures->part_shares[part]));
    for (int t = 0; t < plan->threads.count; t++) {
        const struct llmc_infer_latency *of = &figures->latency[t];
        json_array_append_new(latency, json_pack("{s:i, s:o, s:o, s:o}", "threads", plan->threads.values[t], "p50_ms",
                                                 known(of->p50), "p95_ms", known(of->p95), "p99_ms", known(of->p99)));
        for (int b = 0; b < plan->batches.count; b++)
            json_array_append_new(throughput,
                                  json_pack("{s:i, s:i, s:f}", "threads", plan->threads.values[t], "batch",
                                            plan->batches.values[b], "texts_per_s", figures->texts_per_second[t][b]));
    }
    return json_pack("{s:o, s:I, s:f, s:i, s:s, s:o, s:o, s:I, s:I, s:f, s:I, s:f, s:o, s:o, s:o, s:o, s:o}", "file",
                     llmc_command_json_text(about->file), "texts", (json_int_t)rounds->work->count, "tokens_per_text",
                     tokens_per_text(rounds), "rounds", plan->rounds, "kernels",
                     llmc_model_kernels(rounds->work->model), "latency_b1", latency, "throughput", throughput,
                     "resident_bytes", (json_int_t)figures->resident_nbytes, "unpacked_integer_bytes",
                     (json_int_t)about->unpacked_integers_nbytes, "first_answer_ms", 1e3 * about->first_answer_seconds,
                     "first_answer_peak_bytes", (json_int_t)about->first_answer_nbytes, "tokenizer_texts_per_s",
                     figures->tokenizer_texts_per_second, "tokenizer_share_b1", known(tokenizer_share(rounds, figures)),
                     "int8_peak_ops_per_s", known(figures->peak.product), "time_shares_b32", parts,
                     "int8_peak_share_b32", known(share(figures->integer_rate, figures->peak.product)),
                     "int8_instruction_share_b32", known(share(figures->integer_rate, figures->peak.instruction)));
}

static void print_speeds(const struct llmc_infer_plan *plan, const struct llmc_infer_figures *figures)
{
    printf("\n%-8s %8s %8s %8s   texts a second by texts a call\n%-8s %8s %8s %8s", "", "p50", "p95", "p99", "threads",
           "ms", "ms", "ms");
    for (int b = 0; b < plan->batches.count; b++)
        printf(" %8d", plan->batches.values[b]);
    printf("\n");
    for (int t = 0; t < plan->threads.count; t++) {
        const struct llmc_infer_latency *of = &figures->latency[t];
        printf("%-8d", plan->threads.values[t]);
        if (of->p50 > 0)
            printf(" %8.3f %8.3f %8.3f", of->p50, of->p95, of->p99);
        else
            printf(" %8s %8s %8s", "-", "-", "-");
        for (int b = 0; b < plan->batches.count; b++)
            printf(" %8.0f", figures->texts_per_second[t][b]);
        printf("\n");
    }
}

void llmc_bench_infer_print(const struct llmc_infer_rounds *rounds, const struct llmc_infer_figures *figures,
                            const struct llmc_bench_infer_about *about)
{
    double tokenizing = tokenizer_share(rounds, figures);
    printf("%s with kernels %s\n%zu texts (%s), %.1f tokens each; medians of %d rounds, from text to label\n",
           about->file, llmc_model_kernels(rounds->work->model), rounds->work->count,
           about->texts ? about->texts : "made of the model's words", tokens_per_text(rounds), rounds->plan.rounds);
    print_speeds(&rounds->plan, figures);
    printf("\nfirst answer     %.1f ms from the start of a new process, with %.1f MB at its peak\n",
           1e3 * about->first_answer_seconds, 1e-6 * (double)about->first_answer_nbytes);
    printf("memory           %.1f MB resident after all texts; the file's integers are %.1f MB unpacked\n",
           1e-6 * (double)figures->resident_nbytes, 1e-6 * (double)about->unpacked_integers_nbytes);
    printf("tokenizer        %.0f texts a second on one thread", figures->tokenizer_texts_per_second);
    printf(tokenizing > 0 ? ": %.1f %% of a prediction of one text\n" : "\n", 100 * tokenizing);
    printf("time by %d      ", LLMC_INFER_PROFILED_BATCH);
    for (int part = 0; part < LLMC_PARTS; part++)
        printf("%s%s %.1f %%", part == 0 ? " " : part % 4 ? ", " : ",\n                 ", part_names[part],
               100 * figures->part_shares[part]);
    printf("\ninteger layers   ");
    if (figures->integer_rate > 0)
        printf("%.0f billion operations a second", 1e-9 * figures->integer_rate);
    else
        printf("none: the model runs in floating point");
    if (figures->integer_rate > 0)
        printf(":\n                 %.1f %% of the fastest product of these kernels (%.0f), %.1f %% of their\n"
               "                 instruction between registers (%.0f)",
               100 * share(figures->integer_rate, figures->peak.product), 1e-9 * figures->peak.product,
               100 * share(figures->integer_rate, figures->peak.instruction), 1e-9 * figures->peak.instruction);
    printf("\n");
}
