/*
 * How good and how fast something answers texts: one way of measuring for all
 * engines. Latency is the median of single texts, throughput that of 32 texts a
 * call, both from text to label: the medians of five rounds over the same texts,
 * in which the two take turns.
 */
#ifndef LLMC_REPORT_MEASURE_H
#define LLMC_REPORT_MEASURE_H

#include "base/progress.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Answers texts first .. first + count - 1 with one score per label: out [count, labels]. */
typedef llmc_status (*llmc_answer_fn)(void *context, size_t first, size_t count, float *out);

struct llmc_measurement {
    float *scores;      /* [count, labels]; freed by release */
    int32_t *answers;   /* [count] the label with the highest score (the first of equals) */
    double latency_ms;  /* median of the rounds' medians, each of a fifth of the texts, at most 200 */
    double throughput;  /* texts a second; median of the rounds, each of a fifth of the texts */
    double latency_spread, throughput_spread; /* of the rounds: llmc_spread */
    int64_t memory_bytes; /* peak resident set of this process while answering; -1 where the system does not tell */
};

/* Measures `count` texts. progress may be NULL. Errors: those of `answer`, LLMC_ERR_MEMORY. */
llmc_status llmc_measure(struct llmc_measurement *out, llmc_answer_fn answer, void *context, size_t count,
                         int32_t labels, llmc_progress_fn progress, void *progress_context);
void llmc_measurement_release(struct llmc_measurement *measurement);

/* Answers equal to `label`. */
int64_t llmc_measurement_correct(const struct llmc_measurement *measurement, const int32_t *label, size_t count);

#endif
