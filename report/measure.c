#include "report/measure.h"

#include "architecture/task.h"
#include "base/clock.h"
#include "base/median.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_TEXTS = 32, ROUNDS = 5, ROUND_CALLS_MAX = 32, ROUND_SINGLES_MAX = 200 };

/* What is measured, and with what. */
struct measuring {
    llmc_answer_fn answer;
    void *context;
    size_t count, calls, singles; /* all texts; in a round: calls of CALL_TEXTS texts, and of one */
    float *scores;                /* [CALL_TEXTS, labels] that nobody reads */
    double *spent;                /* [singles] */
    llmc_progress_fn progress;
    void *progress_context;
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int64_t peak_memory(void)
{
    char line[256];
    long long kilobytes = -1;
    FILE *file = fopen("/proc/self/status", "r");
    if (!file)
        return -1;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %lld kB", &kilobytes) == 1)
            break;
    fclose(file);
    return kilobytes < 0 ? -1 : kilobytes * 1024;
}

/* From now on the peak counts from what is resident now: without the passing needs of loading. */
static void reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return;
    fputs("5", file);
    fclose(file);
}

/* All rounds together then take as long as one over everything. */
static size_t fifth(size_t count)
{
    return (count + ROUNDS - 1) / ROUNDS;
}

/* Number `i` of `count` places spread evenly over `all`: files may be sorted. */
static size_t spread_over(size_t i, size_t count, size_t all)
{
    return i * all / count;
}

/* Texts a second of a round, 32 a call. */
static llmc_status time_calls(const struct measuring *m, double *throughput)
{
    size_t whole = m->count / CALL_TEXTS, texts = 0;
    double start = llmc_clock();
    for (size_t i = 0; i < m->calls; i++) {
        size_t first = CALL_TEXTS * spread_over(i, m->calls, whole), now = least(m->count - first, CALL_TEXTS);
        llmc_status status = m->answer(m->context, first, now, m->scores);
        if (status != LLMC_OK)
            return status;
        texts += now;
    }
    *throughput = (double)texts / (llmc_clock() - start);
    return LLMC_OK;
}

/* The median of a round, in milliseconds. */
static llmc_status time_singles(const struct measuring *m, size_t round, double *latency_ms)
{
    for (size_t i = 0; i < m->singles; i++) {
        double start = llmc_clock();
        llmc_status status = m->answer(m->context, spread_over(i, m->singles, m->count), 1, m->scores);
        if (status != LLMC_OK)
            return status;
        m->spent[i] = 1e3 * (llmc_clock() - start);
        if (m->progress)
            m->progress(m->progress_context, "one text a call", (int64_t)(round * m->singles + i + 1),
                        (int64_t)(ROUNDS * m->singles), NULL);
    }
    *latency_ms = llmc_median(m->spent, m->singles);
    return LLMC_OK;
}

/* All texts, in calls of CALL_TEXTS. */
static llmc_status answer_all(const struct measuring *m, int32_t labels, float *scores)
{
    for (size_t first = 0; first < m->count; first += CALL_TEXTS) {
        size_t now = least(m->count - first, CALL_TEXTS);
        llmc_status status = m->answer(m->context, first, now, scores + first * (size_t)labels);
        if (status != LLMC_OK)
            return status;
        if (m->progress)
            m->progress(m->progress_context, "32 texts a call", (int64_t)(first + now), (int64_t)m->count, NULL);
    }
    return LLMC_OK;
}

llmc_status llmc_measure(struct llmc_measurement *out, llmc_answer_fn answer, void *context, size_t count,
                         int32_t labels, llmc_progress_fn progress, void *progress_context)
{
    llmc_status status = LLMC_OK;
    double throughputs[ROUNDS], latencies[ROUNDS];
    struct measuring m = {.answer = answer, .context = context, .count = count,
                          .calls = count < CALL_TEXTS ? 1 : least(fifth(count / CALL_TEXTS), ROUND_CALLS_MAX),
                          .singles = least(fifth(count), ROUND_SINGLES_MAX),
                          .progress = progress, .progress_context = progress_context};
    memset(out, 0, sizeof *out);
    LLMC_TRY(llmc_alloc(&out->scores, count * (size_t)labels, sizeof *out->scores));
    LLMC_TRY(llmc_alloc(&out->answers, count, sizeof *out->answers));
    LLMC_TRY(llmc_alloc(&m.scores, CALL_TEXTS * (size_t)labels, sizeof *m.scores));
    LLMC_TRY(llmc_alloc(&m.spent, m.singles, sizeof *m.spent));

    /* Once before the peak counts: the first call makes work memory and packs weights. */
    LLMC_TRY(answer(context, 0, least(count, CALL_TEXTS), out->scores));
    reset_peak();
    LLMC_TRY(answer_all(&m, labels, out->scores));
    for (size_t round = 0; round < ROUNDS; round++) {
        LLMC_TRY(time_calls(&m, &throughputs[round]));
        LLMC_TRY(time_singles(&m, round, &latencies[round]));
    }
    out->throughput = llmc_median(throughputs, ROUNDS);
    out->throughput_spread = llmc_spread(throughputs, ROUNDS);
    out->latency_ms = llmc_median(latencies, ROUNDS);
    out->latency_spread = llmc_spread(latencies, ROUNDS);
    out->memory_bytes = peak_memory();
    for (size_t i = 0; i < count; i++)
        out->answers[i] = llmc_task_single_label.answer(out->scores + i * (size_t)labels, labels);
exit:
    free(m.spent);
    free(m.scores);
    return status;
}

void llmc_measurement_release(struct llmc_measurement *measurement)
{
    free(measurement->scores);
    free(measurement->answers);
    memset(measurement, 0, sizeof *measurement);
}

int64_t llmc_measurement_correct(const struct llmc_measurement *measurement, const int32_t *label, size_t count)
{
    int64_t correct = 0;
    for (size_t i = 0; i < count; i++)
        correct += measurement->answers[i] == label[i];
    return correct;
}
