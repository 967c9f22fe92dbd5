#include "report/measure.h"

#include "architecture/task.h"
#include "base/clock.h"
#include "base/median.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_TEXTS = 32, LATENCY_TEXTS_MAX = 1000 };

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

llmc_status llmc_measure(struct llmc_measurement *out, llmc_answer_fn answer, void *context, size_t count,
                         int32_t labels, llmc_progress_fn progress, void *progress_context)
{
    llmc_status status = LLMC_OK;
    double *spent = NULL;
    float *one = NULL;
    size_t singles = least(count, LATENCY_TEXTS_MAX);
    memset(out, 0, sizeof *out);
    LLMC_TRY(llmc_alloc(&out->scores, count * (size_t)labels, sizeof *out->scores));
    LLMC_TRY(llmc_alloc(&out->answers, count, sizeof *out->answers));
    LLMC_TRY(llmc_alloc(&spent, singles, sizeof *spent));
    LLMC_TRY(llmc_alloc(&one, (size_t)labels, sizeof *one));

    /* Once unmeasured: the first call makes work memory and packs weights. */
    LLMC_TRY(answer(context, 0, least(count, CALL_TEXTS), out->scores));
    reset_peak();
    double start = llmc_clock();
    for (size_t first = 0; first < count; first += CALL_TEXTS) {
        size_t now = least(count - first, CALL_TEXTS);
        LLMC_TRY(answer(context, first, now, out->scores + first * (size_t)labels));
        if (progress)
            progress(progress_context, "32 texts a call", (int64_t)(first + now), (int64_t)count, NULL);
    }
    out->throughput = (double)count / (llmc_clock() - start);
    for (size_t i = 0; i < singles; i++) {
        start = llmc_clock();
        LLMC_TRY(answer(context, i, 1, one));
        spent[i] = 1e3 * (llmc_clock() - start);
        if (progress)
            progress(progress_context, "one text a call", (int64_t)i + 1, (int64_t)singles, NULL);
    }
    out->latency_ms = llmc_median(spent, singles);
    out->memory_bytes = peak_memory();
    for (size_t i = 0; i < count; i++)
        out->answers[i] = llmc_task_single_label.answer(out->scores + i * (size_t)labels, labels);
exit:
    free(spent);
    free(one);
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
