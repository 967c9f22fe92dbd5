#include "stage/state.h"

#include <string.h>

void llmc_state_release(struct llmc_state *state)
{
    llmc_bert_release(&state->model);
    llmc_ranges_release(&state->ranges);
    llmc_tokenizer_free(state->tokenizer);
    llmc_labels_release(&state->labels);
    memset(state, 0, sizeof *state);
}

bool llmc_state_is_empty(const struct llmc_state *state)
{
    return !state->model.parameters.values;
}

llmc_status llmc_state_set_texts(struct llmc_state *state, const struct llmc_tokenizer *tokenizer,
                                 const struct llmc_labels *labels, int32_t tokens_max)
{
    llmc_status status = LLMC_OK;
    const struct llmc_tokenizer_rules rules = llmc_tokenizer_get_rules(tokenizer);
    struct llmc_tokenizer *copy = NULL;
    size_t nbytes;
    const char *vocabulary = llmc_tokenizer_vocabulary(tokenizer, &nbytes);
    LLMC_TRY(llmc_tokenizer_create(&copy, vocabulary, nbytes, &rules, "the teacher's tokenizer"));
    llmc_labels_release(&state->labels);
    LLMC_TRY(llmc_labels_copy(&state->labels, labels));
    llmc_tokenizer_free(state->tokenizer);
    state->tokenizer = copy;
    state->tokens_max = tokens_max;
    copy = NULL;
exit:
    llmc_tokenizer_free(copy);
    return status;
}

void llmc_state_apply(struct llmc_state *state)
{
    state->model.inputs = state->ranges.count ? state->ranges.quantizers : NULL;
}

bool llmc_state_is_compressed(const struct llmc_state *state)
{
    return state->ranges.count || state->model.parameters.mask;
}
