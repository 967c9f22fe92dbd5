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

/* logits [count, L] of all texts, in the number format of the model's compute copies, which must be
 * prepared. progress and stop may be NULL. Errors: those of llmc_bert_forward, LLMC_ERR_INTERRUPTED. */
llmc_status llmc_evaluate(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_text_source *texts,
                          float *logits, llmc_progress_fn progress, void *progress_context,
                          const volatile sig_atomic_t *stop);

#endif
