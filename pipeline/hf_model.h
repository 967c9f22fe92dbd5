/* A model from a Hugging Face folder. */
#ifndef LLMC_PIPELINE_HF_MODEL_H
#define LLMC_PIPELINE_HF_MODEL_H

#include "formats/hf_folder.h"
#include "model/bert.h"

/* Makes a model of the folder's architecture with `labels` labels and the folder's weights; a pooler or classifier that
 * it lacks is random by `seed`. Errors: LLMC_ERR_FORMAT (a tensor is missing or has another shape), LLMC_ERR_IO,
 * LLMC_ERR_MEMORY; the model is then empty. */
llmc_status llmc_hf_model_load(struct llmc_bert *model, const struct llmc_hf_folder *folder, int32_t labels,
                               uint64_t seed, enum llmc_number number);

#endif
