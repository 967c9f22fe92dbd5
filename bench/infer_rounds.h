/*
 * Rounds of the passes of infer_work.h. A round has each pass once, so that what else the machine does meets all of
 * them; the medians of the rounds count.
 */
#ifndef LLMC_BENCH_INFER_ROUNDS_H
#define LLMC_BENCH_INFER_ROUNDS_H

#include "bench/infer_work.h"
#include "bench/int8_peak.h"

enum { LLMC_INFER_LIST_MAX = 16, LLMC_INFER_PROFILED_BATCH = 32 };

struct llmc_infer_list {
    int values[LLMC_INFER_LIST_MAX];
    int count; /* at least 1 */
};

struct llmc_infer_plan {
    struct llmc_infer_list threads, batches;
    int rounds;
};

struct llmc_infer_rounds {
    struct llmc_infer_plan plan;
    struct llmc_infer_work *work;        /* the caller's */
    struct llmc_predictor *predictor;    /* with the threads of the last pass */
    double *seconds;                     /* [passes of a round, rounds] */
    double *latencies;                   /* [thread counts, rounds, texts] of batch 1 */
    double *part_shares;                 /* [LLMC_PARTS, rounds] */
    double *integer_rates;               /* [rounds] */
    struct llmc_int8_peak peak;
    int64_t resident_nbytes;
};

/* Milliseconds from text to label, one text a call. */
struct llmc_infer_latency {
    double p50, p95, p99; /* 0 when batch 1 is not in the plan */
};

struct llmc_infer_figures {
    double texts_per_second[LLMC_INFER_LIST_MAX][LLMC_INFER_LIST_MAX]; /* [threads][batches] */
    struct llmc_infer_latency latency[LLMC_INFER_LIST_MAX];            /* [threads] */
    double tokenizer_texts_per_second;                                 /* one thread */
    /* The rest with the most threads of the plan and 32 texts a call; operations: a multiply-add is two. */
    struct llmc_int8_peak peak;
    double integer_rate;  /* operations a second while integer layers run; 0: the model has none */
    double part_shares[LLMC_PARTS]; /* of the time of all threads; what is missing to 1 is calls and threads that wait */
    int64_t resident_nbytes;        /* of this process */
};

/* `rounds` zeroed. */
llmc_status llmc_infer_rounds_init(struct llmc_infer_rounds *rounds, const struct llmc_infer_plan *plan,
                                   struct llmc_infer_work *work);
void llmc_infer_rounds_release(struct llmc_infer_rounds *rounds);

/* How many passes all rounds have; and one of them, counted from 0, to be run in this order. */
int llmc_infer_rounds_passes(const struct llmc_infer_rounds *rounds);
llmc_status llmc_infer_rounds_run(struct llmc_infer_rounds *rounds, int pass);

/* When all have run. */
void llmc_infer_rounds_figures(struct llmc_infer_rounds *rounds, struct llmc_infer_figures *out);

#endif
