#include "bench/infer_rounds.h"

#include "base/median.h"
#include "base/memory.h"
#include "include/llmc_runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Passes of a round: the thread counts with all batches each, then the profiled pass, then the tokenizer. */
static int cells(const struct llmc_infer_plan *plan)
{
    return plan->threads.count * plan->batches.count;
}

static int threads_max(const struct llmc_infer_plan *plan)
{
    int most = 1;
    for (int i = 0; i < plan->threads.count; i++)
        most = plan->threads.values[i] > most ? plan->threads.values[i] : most;
    return most;
}

llmc_status llmc_infer_rounds_init(struct llmc_infer_rounds *rounds, const struct llmc_infer_plan *plan,
                                   struct llmc_infer_work *work)
{
    llmc_status status = LLMC_OK;
    size_t count = (size_t)plan->rounds;
    rounds->plan = *plan;
    rounds->work = work;
    LLMC_TRY(llmc_alloc(&rounds->seconds, (size_t)(cells(plan) + 2) * count, sizeof(double)));
    LLMC_TRY(llmc_alloc(&rounds->latencies, (size_t)plan->threads.count * count * work->count, sizeof(double)));
    LLMC_TRY(llmc_alloc(&rounds->part_shares, LLMC_PARTS * count, sizeof(double)));
    LLMC_TRY(llmc_alloc(&rounds->integer_rates, count, sizeof(double)));
exit:
    return status;
}

void llmc_infer_rounds_release(struct llmc_infer_rounds *rounds)
{
    llmc_predictor_free(rounds->predictor);
    free(rounds->seconds);
    free(rounds->latencies);
    free(rounds->part_shares);
    free(rounds->integer_rates);
    memset(rounds, 0, sizeof *rounds);
}

int llmc_infer_rounds_passes(const struct llmc_infer_rounds *rounds)
{
    return (cells(&rounds->plan) + 2) * rounds->plan.rounds;
}

static llmc_status use_threads(struct llmc_infer_rounds *rounds, int threads)
{
    if (rounds->predictor && llmc_predictor_threads(rounds->predictor) == threads)
        return LLMC_OK;
    llmc_predictor_free(rounds->predictor);
    return llmc_predictor_create(&rounds->predictor, rounds->work->model, threads);
}

static double *seconds_of(const struct llmc_infer_rounds *rounds, int pass, int round)
{
    return &rounds->seconds[pass * rounds->plan.rounds + round];
}

static double *latencies_of(const struct llmc_infer_rounds *rounds, int threads_at, int round)
{
    return rounds->latencies + ((size_t)threads_at * (size_t)rounds->plan.rounds + (size_t)round) * rounds->work->count;
}

static int64_t resident_nbytes(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*d %lld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static llmc_status profile(struct llmc_infer_rounds *rounds, int round, double *seconds)
{
    llmc_status status = LLMC_OK;
    struct llmc_rt_profile sums;
    int threads = threads_max(&rounds->plan);
    LLMC_TRY(use_threads(rounds, threads));
    LLMC_TRY(llmc_int8_peak(llmc_rt_kernels_choose(llmc_cpu_features()), threads, &rounds->peak));
    LLMC_TRY(llmc_infer_profile(rounds->work, rounds->predictor, LLMC_INFER_PROFILED_BATCH, seconds, &sums));
    for (int part = 0; part < LLMC_PARTS; part++)
        rounds->part_shares[part * rounds->plan.rounds + round] = sums.seconds[part] / (threads * *seconds);
    if (sums.integer_operations > 0)
        rounds->integer_rates[round] = sums.integer_operations * threads / sums.seconds[LLMC_PART_INTEGERS];
    rounds->resident_nbytes = resident_nbytes();
exit:
    return status;
}

llmc_status llmc_infer_rounds_run(struct llmc_infer_rounds *rounds, int pass)
{
    llmc_status status = LLMC_OK;
    const struct llmc_infer_plan *plan = &rounds->plan;
    int round = pass / (cells(plan) + 2), at = pass % (cells(plan) + 2);
    double *seconds = seconds_of(rounds, at, round);
    if (at == cells(plan) + 1)
        return llmc_infer_tokenize(rounds->work, seconds);
    if (at == cells(plan))
        return profile(rounds, round, seconds);
    int threads_at = at / plan->batches.count, batch = plan->batches.values[at % plan->batches.count];
    LLMC_TRY(use_threads(rounds, plan->threads.values[threads_at]));
    status = llmc_infer_predict(rounds->work, rounds->predictor, batch, seconds,
                                batch == 1 ? latencies_of(rounds, threads_at, round) : NULL);
exit:
    return status;
}

static struct llmc_infer_latency latency(double *values, size_t count)
{
    double median = llmc_median(values, count);
    return (struct llmc_infer_latency){1e3 * median, 1e3 * values[(count - 1) * 95 / 100],
                                       1e3 * values[(count - 1) * 99 / 100]};
}

void llmc_infer_rounds_figures(struct llmc_infer_rounds *rounds, struct llmc_infer_figures *out)
{
    const struct llmc_infer_plan *plan = &rounds->plan;
    size_t count = (size_t)plan->rounds;
    double texts = (double)rounds->work->count;
    for (int t = 0; t < plan->threads.count; t++) {
        out->latency[t] = latency(latencies_of(rounds, t, 0), count * rounds->work->count);
        for (int b = 0; b < plan->batches.count; b++)
            out->texts_per_second[t][b] =
                texts / llmc_median(seconds_of(rounds, t * plan->batches.count + b, 0), count);
    }
    out->tokenizer_texts_per_second = texts / llmc_median(seconds_of(rounds, cells(plan) + 1, 0), count);
    out->peak = rounds->peak;
    out->integer_rate = llmc_median(rounds->integer_rates, count);
    for (int part = 0; part < LLMC_PARTS; part++)
        out->part_shares[part] = llmc_median(rounds->part_shares + part * plan->rounds, count);
    out->resident_nbytes = rounds->resident_nbytes;
}
