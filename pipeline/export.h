/*
 * A model as a compressed checkpoint: the numbers that each stage earned it.
 *
 *     not quantised   linear weights and embeddings F16
 *     quantised       integers of weight_bits and embedding_bits with a scale per row
 *     pruned          a bit mask and the kept weights, where that is smaller
 * Biases, layer norms, token types and classifier stay F32: a few kilobytes.
 */
#ifndef LLMC_PIPELINE_EXPORT_H
#define LLMC_PIPELINE_EXPORT_H

#include "pipeline/run.h"

/* Writes run->state to `path`. Errors: those of llmc_compressed_write. */
llmc_status llmc_export(const struct llmc_run *run, const char *path);

/* Gives run->model_path its second name, model.llmc, in place of an older one. Errors: LLMC_ERR_IO. */
llmc_status llmc_publish_export(const struct llmc_run *run);

#endif
