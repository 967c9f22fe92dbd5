/* Weights in forms that llmc does not read. */
#ifndef LLMC_FORMATS_HUGGINGFACE_OTHER_WEIGHTS_H
#define LLMC_FORMATS_HUGGINGFACE_OTHER_WEIGHTS_H

#include "base/status.h"

/* Fails for a folder without model.safetensors and without its index: names the weights that are there and the line
 * that converts them. Errors: LLMC_ERR_UNSUPPORTED, LLMC_ERR_FORMAT (they are git-lfs pointers), LLMC_ERR_IO (there are
 * none, or no folder). */
llmc_status llmc_hf_refuse_other_weights(const char *folder);

#endif
