/*
 * A model as a compressed checkpoint: the numbers that each stage earned it.
 *
 *     not quantised   linear weights and embeddings F16
 *     quantised       integers of weight_bits and embedding_bits with a scale per row
 *     pruned          a bit mask and the kept weights, where that is smaller
 * Biases, layer norms, token types and classifier stay F32: a few kilobytes.
 */
#ifndef LLMC_PIPELINE_STAGES_COMPRESSED_H
#define LLMC_PIPELINE_STAGES_COMPRESSED_H

#include "stage/state.h"

/* Writes `state` to `path`; `origin` is the JSON text of how it was made. Errors: those of llmc_compressed_write. */
llmc_status llmc_run_compress(const struct llmc_state *state, const char *origin, const char *path);

#endif
