/*
 * Heads and ffn neurons that nothing depends on, because pruning left all weights
 * behind them at zero: a loaded model does without them, and every answer has the
 * same bits. One head and one neuron of a layer stay in any case.
 */
#ifndef LLMC_RUNTIME_UNUSED_H
#define LLMC_RUNTIME_UNUSED_H

#include "formats/checkpoint/compressed.h"

struct llmc_rt_unused {
    int32_t heads, neurons;
};

/* How many there are in a layer. tensors: its LLMC_LAYER_PARAMETERS, in their order. */
struct llmc_rt_unused llmc_rt_unused_count(const struct llmc_architecture *architecture,
                                           const struct llmc_compressed_tensor *tensors);

/* Takes them out of the tensors, whose rows and columns become fewer. */
void llmc_rt_unused_drop(const struct llmc_architecture *architecture, struct llmc_compressed_tensor *tensors);

#endif
