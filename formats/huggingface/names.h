/*
 * The names of tensors in the files that people have.
 *
 * transformers' BertForSequenceClassification calls the encoder "bert.", BertModel calls it nothing; wrappers of
 * PyTorch leave a part of their own (DataParallel: "module", torch.compile: "_orig_mod", FSDP and activation
 * checkpoints), Lightning and others "model."; files converted from TensorFlow say gamma and beta for the weight and
 * bias of a layer norm.
 */
#ifndef LLMC_FORMATS_HUGGINGFACE_NAMES_H
#define LLMC_FORMATS_HUGGINGFACE_NAMES_H

#include "base/status.h"

/* What these names have in common, for messages. */
#define LLMC_HF_NAMES_WORDS                                                                                            \
    "with or without \"bert.\", \"model.\", \"module.\" and \"_orig_mod.\" before it, and \"gamma\", \"beta\" for a "  \
    "layer norm's \"weight\", \"bias\""

/* *out = the name that BertForSequenceClassification has for the tensor called `stored`, or as much of it as is left
 * without such parts; the caller frees it. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_hf_name(char **out, const char *stored);

#endif
