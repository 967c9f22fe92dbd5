/*
 * Training work to be timed: one of the program's own steps over given batches,
 * in the order of a file, so that others can do the same work on the same texts.
 */
#ifndef LLMC_BENCH_TRAIN_WORK_H
#define LLMC_BENCH_TRAIN_WORK_H

#include "base/status.h"
#include "quantize/ranges.h"
#include "text/source.h"
#include "train/step.h"

enum llmc_bench_kind {
    LLMC_BENCH_FINETUNE, /* the model of the folder, on the labels */
    LLMC_BENCH_LOGITS,   /* the same model answers: forward only */
    LLMC_BENCH_DISTIL,   /* a student of every other layer, on cached logits of +-2 by the label */
    LLMC_BENCH_QAT,      /* the same student with rounded weights and inputs */
    LLMC_BENCH_KINDS,
};
/* "finetune" ... */
const char *llmc_bench_kind_name(enum llmc_bench_kind kind);

struct llmc_bench_options {
    enum llmc_bench_kind kind;
    enum llmc_number number;
    const char *model_folder; /* Hugging Face's layout */
    const char *texts;        /* TSV with "sentence" and "label"; batch k is rows k * batch_size onward */
    int32_t batch_size, threads;
    float dropout;
    uint64_t seed;
};

struct llmc_bench_work {
    struct llmc_bench_options options;
    struct llmc_ops ops;
    struct llmc_bert model;
    struct llmc_ranges ranges;
    struct llmc_dataset data;
    struct llmc_text_source texts; /* of the data */
    int32_t labels;
    struct llmc_training training;
    struct llmc_step_memory memory;
};

/* What a pass over all batches took. */
struct llmc_bench_pass {
    double seconds;
    int64_t steps, examples, tokens;
    double gemm_seconds, gemm_flops, attention_seconds, optimizer_seconds, data_seconds;
    double optimizer_bytes; /* that the optimiser has to move at least: see train_work.c */
};

/* Loads model and texts. Errors as those of the readers; on an error the work is empty. */
llmc_status llmc_bench_work_init(struct llmc_bench_work *work, const struct llmc_bench_options *options);
void llmc_bench_work_release(struct llmc_bench_work *work);

/* Batches of a pass. */
int64_t llmc_bench_steps(const struct llmc_bench_work *work);

/* Works through all batches once; training goes on where the last pass ended. losses: [llmc_bench_steps], or NULL. */
llmc_status llmc_bench_run(struct llmc_bench_work *work, struct llmc_bench_pass *pass, double *losses);

#endif
