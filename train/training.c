#include "train/training.h"

struct llmc_tokens llmc_step_tokens(const struct llmc_batch *batch)
{
    struct llmc_tokens tokens = {batch->sequences, batch->tokens, batch->ids, batch->types, batch->offsets};
    return tokens;
}
