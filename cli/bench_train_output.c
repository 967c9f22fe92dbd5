#include "cli/bench_train_output.h"

#include <stdio.h>
#include <sys/resource.h>

static const char *precision_name(enum llmc_number number)
{
    return number == LLMC_F32 ? "fp32" : number == LLMC_F16 ? "fp16" : "bf16";
}

/* What no other part has: norms, activation functions, residuals, dropout, casts, sums, the loss. */
static double elementwise_seconds(const struct llmc_bench_pass *pass)
{
    return pass->seconds - pass->gemm_seconds - pass->attention_seconds - pass->optimizer_seconds - pass->data_seconds;
}

static int64_t peak_rss_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : -1;
}

json_t *llmc_bench_pass_json(const struct llmc_bench_work *work, const struct llmc_bench_pass *pass,
                             const struct llmc_bench_peaks *peaks, const double *losses)
{
    json_t *json = json_pack("{s:s, s:s, s:i, s:f, s:I, s:I, s:I}", "work", llmc_bench_kind_name(work->options.kind),
                             "precision", precision_name(work->options.number), "threads", work->ops.threads, "seconds",
                             pass->seconds, "steps", (json_int_t)pass->steps, "examples", (json_int_t)pass->examples,
                             "tokens", (json_int_t)pass->tokens);
    json_t *parts = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "gemm_seconds", pass->gemm_seconds,
                              "gemm_flops", pass->gemm_flops, "gemm_peak_flops_per_second",
                              peaks->gemm_flops_per_second, "attention_seconds", pass->attention_seconds,
                              "elementwise_seconds", elementwise_seconds(pass), "optimizer_seconds",
                              pass->optimizer_seconds, "optimizer_bytes", pass->optimizer_bytes, "data_seconds",
                              pass->data_seconds, "memory_peak_bytes_per_second", peaks->bytes_per_second,
                              "peak_rss_bytes", (json_int_t)peak_rss_bytes());
    json_object_update(json, parts);
    json_decref(parts);
    if (losses && pass->examples && work->options.kind != LLMC_BENCH_LOGITS) {
        json_t *list = json_array();
        for (int64_t i = 0; i < pass->steps; i++)
            json_array_append_new(list, json_real(losses[i]));
        json_object_set_new(json, "losses", list);
    }
    return json;
}

static void print_part(const char *name, double seconds, const struct llmc_bench_pass *pass)
{
    printf("  %-13s %8.2f ms %5.1f %%", name, 1e3 * seconds / (double)pass->steps, 100 * seconds / pass->seconds);
}

void llmc_bench_print_pass(const struct llmc_bench_work *work, const struct llmc_bench_pass *pass,
                           const struct llmc_bench_peaks *peaks)
{
    double gemm_rate = pass->gemm_flops / pass->gemm_seconds;
    printf("%s, %s, %d threads: %lld batches of %d texts, %.0f tokens each\n",
           llmc_bench_kind_name(work->options.kind), precision_name(work->options.number), work->ops.threads,
           (long long)pass->steps, work->options.batch_size, (double)pass->tokens / (double)pass->steps);
    print_part("GEMM", pass->gemm_seconds, pass);
    printf("   %7.0f GFLOP/s, %3.0f %% of the peak of %.0f\n", 1e-9 * gemm_rate,
           100 * gemm_rate / peaks->gemm_flops_per_second, 1e-9 * peaks->gemm_flops_per_second);
    print_part("attention", pass->attention_seconds, pass);
    printf("\n");
    print_part("element-wise", elementwise_seconds(pass), pass);
    printf("\n");
    if (work->options.kind != LLMC_BENCH_LOGITS) {
        double rate = pass->optimizer_bytes / pass->optimizer_seconds;
        print_part("optimiser", pass->optimizer_seconds, pass);
        printf("   %7.1f GB/s, %3.0f %% of the peak of %.1f\n", 1e-9 * rate, 100 * rate / peaks->bytes_per_second,
               1e-9 * peaks->bytes_per_second);
    }
    print_part("data", pass->data_seconds, pass);
    printf("\n");
    print_part("step", pass->seconds, pass);
    printf("   %7.0f texts/s, %.0f tokens/s; peak memory %.0f MB\n\n", (double)pass->examples / pass->seconds,
           (double)pass->tokens / pass->seconds, 1e-6 * (double)peak_rss_bytes());
}
