/*
 * A Hugging Face model folder: config.json, model.safetensors, tokenizer files.
 */
#ifndef LLMC_FORMATS_HUGGINGFACE_FOLDER_H
#define LLMC_FORMATS_HUGGINGFACE_FOLDER_H

#include "architecture/architecture.h"
#include "base/status.h"
#include "formats/huggingface/safetensors.h"

#include <stdbool.h>

struct llmc_hf_folder {
    struct llmc_architecture architecture; /* labels: from id2label or num_labels, 2 by default */
    struct llmc_safetensors *weights;
    const char *prefix;  /* "bert." or "": what stands before "embeddings..." */
    bool has_pooler;     /* PREFIX pooler.dense.weight is there */
    bool has_classifier; /* classifier.weight is there */
    char **label_names;  /* [architecture.labels] from id2label, which must name 0..labels-1;
                          * NULL when it is missing */
};

/* Reads and checks config.json ("model_type" must be "bert", position embeddings
 * "absolute", no decoder, hidden_act one of ours; missing fields are those of
 * Hugging Face's BertConfig, but "vocab_size" must be there) and opens
 * model.safetensors, whose word embeddings and classifier must have the shapes
 * that config.json says. On failure *out is all zero. Errors name file and
 * field: LLMC_ERR_IO, LLMC_ERR_FORMAT, LLMC_ERR_UNSUPPORTED. */
llmc_status llmc_hf_folder_open(struct llmc_hf_folder *out, const char *folder);
/* Frees the content and zeroes it; an all-zero folder is fine. */
void llmc_hf_folder_release(struct llmc_hf_folder *folder);

#endif
