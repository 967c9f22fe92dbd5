/* The parameters of a Hugging Face folder. */
#ifndef LLMC_FORMATS_HUGGINGFACE_MODEL_H
#define LLMC_FORMATS_HUGGINGFACE_MODEL_H

#include "architecture/parameters.h"
#include "formats/huggingface/folder.h"

/* Fills `parameters`, made of the folder's architecture but for the number of labels, with the folder's weights; a
 * pooler or classifier that it lacks is random by `seed`. Errors: LLMC_ERR_FORMAT (a tensor is missing, has another
 * shape, or holds NaN or infinity), LLMC_ERR_UNSUPPORTED (llmc_hf_folder_check_head), LLMC_ERR_IO. */
llmc_status llmc_hf_parameters_read(struct llmc_parameters *parameters, const struct llmc_hf_folder *folder,
                                    uint64_t seed);

#endif
