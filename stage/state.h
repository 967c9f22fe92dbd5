/*
 * The model on its way through the stages: one value that knows itself. It holds what a later stage, a checkpoint or an
 * export needs, so that nothing after the first stage reads the teacher's folder.
 */
#ifndef LLMC_STAGE_STATE_H
#define LLMC_STAGE_STATE_H

#include "base/status.h"
#include "model/ranges.h"
#include "text/dataset.h"
#include "text/tokenizer.h"

struct llmc_state {
    struct llmc_bert model;           /* parameters with their shapes, bits and masks; compute copies */
    struct llmc_ranges ranges;        /* of the inputs; count 0: not quantised */
    struct llmc_tokenizer *tokenizer; /* owned */
    struct llmc_labels labels;        /* in the order of the model's outputs */
    int32_t tokens_max;               /* texts are cut to so many tokens */
};

void llmc_state_release(struct llmc_state *state); /* an empty one is fine */

/* Whether a model is in it. */
bool llmc_state_is_empty(const struct llmc_state *state);

/* Gives `state` copies of a tokenizer and labels. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_state_set_texts(struct llmc_state *state, const struct llmc_tokenizer *tokenizer,
                                 const struct llmc_labels *labels, int32_t tokens_max);

/* Lets the model simulate what the ranges say. */
void llmc_state_apply(struct llmc_state *state);

/* Whether the stages so far made its numbers fewer or smaller: a teacher as it came is neither. */
bool llmc_state_is_compressed(const struct llmc_state *state);

#endif
