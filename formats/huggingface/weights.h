/*
 * The weights of a Hugging Face folder: model.safetensors, or the shards that model.safetensors.index.json lists. The
 * names are those of BertForSequenceClassification, whatever the files have (names.h).
 */
#ifndef LLMC_FORMATS_HUGGINGFACE_WEIGHTS_H
#define LLMC_FORMATS_HUGGINGFACE_WEIGHTS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct llmc_hf_weights;

/* Opens and checks the files. Where a folder holds weights in another form only, the error says how to convert them.
 * Errors name file and tensor: LLMC_ERR_IO (no weights, a shard is missing), LLMC_ERR_FORMAT (a damaged file; index and
 * shards do not agree; two tensors of one name; a git-lfs pointer), LLMC_ERR_UNSUPPORTED (weights in another form). */
llmc_status llmc_hf_weights_open(struct llmc_hf_weights **out, const char *folder);
void llmc_hf_weights_free(struct llmc_hf_weights *weights); /* NULL ok */

/* The file that messages name: model.safetensors or the index. */
const char *llmc_hf_weights_path(const struct llmc_hf_weights *weights);

/* The name of tensor `index` in the order of names, NULL past the last; and what its file calls it. */
const char *llmc_hf_weights_name(const struct llmc_hf_weights *weights, size_t index);
const char *llmc_hf_weights_stored_name(const struct llmc_hf_weights *weights, size_t index);

bool llmc_hf_weights_has(const struct llmc_hf_weights *weights, const char *name);

/* Shape of a tensor, as llmc_safetensors_shape. Errors: LLMC_ERR_FORMAT. */
llmc_status llmc_hf_weights_shape(const struct llmc_hf_weights *weights, const char *name, int *rank,
                                  int64_t shape[4]);

/* Reads a tensor of F64, F32, F16 or BF16 as FP32 into out[count]. Errors: LLMC_ERR_FORMAT (missing, another size,
 * other numbers, NaN or infinity among them), with file and tensor. */
llmc_status llmc_hf_weights_read(const struct llmc_hf_weights *weights, const char *name, int64_t count, float *out);

#endif
