/*
 * A Hugging Face model folder: config.json and the weights. The tokenizer's files are text/tokenizer.h's.
 */
#ifndef LLMC_FORMATS_HUGGINGFACE_FOLDER_H
#define LLMC_FORMATS_HUGGINGFACE_FOLDER_H

#include "architecture/architecture.h"
#include "base/status.h"
#include "formats/huggingface/weights.h"

#include <stdbool.h>

struct llmc_hf_folder {
    struct llmc_architecture architecture; /* labels: from id2label or num_labels, 2 by default */
    struct llmc_hf_weights *weights;
    bool has_pooler;     /* the pooler's weight is there */
    bool has_classifier; /* there is a head; whether it is one of ours says llmc_hf_folder_check_head. A caller who does
                          * not want it sets this to false */
    char **label_names;  /* [architecture.labels] of the classifier's outputs: from id2label, or LABEL_0, LABEL_1, ... */
    char *head_problem;  /* what llmc_hf_folder_check_head says; NULL: nothing */
};

/* Reads and checks config.json (config.h) and opens the weights (weights.h): every tensor of the encoder must be there
 * in the shape that config.json says, and no other tensor of an encoder. Buffers (position_ids) and the heads of
 * language models and question answering are left aside. On failure *out is all zero. Errors name file and field or
 * tensor: LLMC_ERR_IO, LLMC_ERR_FORMAT, LLMC_ERR_UNSUPPORTED (also for a folder with adapter_config.json). */
llmc_status llmc_hf_folder_open(struct llmc_hf_folder *out, const char *folder);
/* Frees the content and zeroes it; an all-zero folder is fine. */
void llmc_hf_folder_release(struct llmc_hf_folder *folder);

/* Whether the classifier that is there, if any, can be taken as it is: one label out of several, of the shape that
 * config.json says, after a pooler. Errors: LLMC_ERR_UNSUPPORTED, which names what is in the way. */
llmc_status llmc_hf_folder_check_head(const struct llmc_hf_folder *folder);

#endif
