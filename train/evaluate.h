/*
 * The model's answers to texts.
 */
#ifndef LLMC_TRAIN_EVALUATE_H
#define LLMC_TRAIN_EVALUATE_H

#include "base/progress.h"
#include "base/status.h"
#include "model/bert.h"
#include "text/source.h"

#include <signal.h>

struct llmc_evaluation {
    struct llmc_bert *const *models; /* [model_count] that answer the same labels; their compute copies are prepared */
    int32_t model_count;      /* of several the mean of their logits counts */
    const struct llmc_text_source *texts;
    int64_t first;            /* text to begin with; `take` got those before */
    /* Takes the logits [count, L] of texts first .. first + count - 1, batch after batch. An evaluation may begin again
     * behind any batch and makes the same batches. */
    llmc_status (*take)(void *context, int64_t first, int32_t count, const float *logits);
    void *context;
    llmc_progress_fn progress; /* NULL ok */
    void *progress_context;
    const volatile sig_atomic_t *stop; /* NULL ok */
};

/* Answers the texts in their order. Errors: those of llmc_bert_forward, of the texts and of `take`;
 * LLMC_ERR_INTERRUPTED. */
llmc_status llmc_evaluate(const struct llmc_evaluation *evaluation, struct llmc_ops *ops);

#endif
