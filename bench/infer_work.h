/*
 * The passes that `llmc bench FILE` times: predictions of all texts from text to label, the tokenizer alone, and
 * predictions with a look at where their time goes.
 */
#ifndef LLMC_BENCH_INFER_WORK_H
#define LLMC_BENCH_INFER_WORK_H

#include "runtime/model.h"
#include "runtime/profile.h"
#include "text/dataset.h"

#include <stddef.h>
#include <stdint.h>

struct llmc_infer_work {
    struct llmc_model *model;
    char *made;            /* the texts that were made, where no file was given */
    struct llmc_rows rows; /* those of the file */
    const char **texts;    /* [count] */
    size_t count;
    int64_t tokens;        /* of all texts, as the model sees them */
    int32_t *ids;          /* [tokens_max of the model] */
    float *scores;         /* [count, labels] of the last pass */
};

/* Opens the compressed checkpoint `file` and reads the texts of column `column` of the TSV file `texts`; without one
 * (NULL), 512 texts are made of the model's words, 3 to 47 of them a text, the same ones every time. `work` zeroed.
 * Errors: those of opening and reading; release is then due all the same. */
llmc_status llmc_infer_work_init(struct llmc_infer_work *work, const char *file, const char *texts, const char *column);
void llmc_infer_work_release(struct llmc_infer_work *work);

/* Answers all texts, `batch` a call, behind one call that warms up. *seconds: of the whole; latencies [count] or NULL:
 * of each text, for batch 1. */
llmc_status llmc_infer_predict(struct llmc_infer_work *work, struct llmc_predictor *predictor, int batch,
                               double *seconds, double *latencies);

/* The label with the highest score of text `text` in the last pass (the first of equals). */
int32_t llmc_infer_answer(const struct llmc_infer_work *work, size_t text);

/* Tokenizes all texts on the calling thread. */
llmc_status llmc_infer_tokenize(struct llmc_infer_work *work, double *seconds);

/* As predict does; *profile: the sums over all threads. */
llmc_status llmc_infer_profile(struct llmc_infer_work *work, struct llmc_predictor *predictor, int batch,
                               double *seconds, struct llmc_rt_profile *profile);

#endif
