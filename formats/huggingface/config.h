/*
 * config.json of a Hugging Face folder.
 */
#ifndef LLMC_FORMATS_HUGGINGFACE_CONFIG_H
#define LLMC_FORMATS_HUGGINGFACE_CONFIG_H

#include "architecture/architecture.h"
#include "base/status.h"

struct llmc_hf_config {
    struct llmc_architecture architecture; /* labels: from id2label or num_labels, 2 by default */
    char **label_names; /* [architecture.labels] from id2label; LABEL_0, LABEL_1, ... where that is missing, as
                         * transformers has it */
    char *head_problem; /* why a classifier of this configuration cannot be taken as it is: a sentence that names
                         * file and field; NULL: nothing is in the way */
};

/* Reads and checks config.json: "model_type" must be "bert" or missing; missing fields are those of Hugging Face's BertConfig, but
 * "vocab_size" must be there; every field must be known to llmc. On failure *out is all zero. Errors name file and
 * field: LLMC_ERR_IO, LLMC_ERR_FORMAT, LLMC_ERR_UNSUPPORTED. */
llmc_status llmc_hf_config_read(struct llmc_hf_config *out, const char *path);
/* Frees the content and zeroes it; all zero is fine. */
void llmc_hf_config_release(struct llmc_hf_config *config);

#endif
