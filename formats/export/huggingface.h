/*
 * A compressed checkpoint as a Hugging Face folder, which transformers'
 * AutoModelForSequenceClassification and AutoTokenizer load, and llmc-distill as
 * a teacher with a classifier.
 *
 *     config.json             architecture, label names, and "llmc_inputs": what the runtime rounds inputs of linear
 *                             layers to, {"MODULE": {"scale": S, "zero_point": Z}, ...}
 *     model.safetensors       parameters in FP32: scale * integer, exactly
 *     tokenizer.json          the tokenizer with its rules
 *     vocab.txt               the word pieces, one a line
 *     tokenizer_config.json   the same rules, the longest text
 *
 * Weights are what the integers mean; transformers does not round activations. So
 * its answers are close to the runtime's but not the same: a text on the edge
 * between two labels may fall to the other side. With "llmc_inputs" in hooks (the
 * README shows them) it does round them. Pruned weights are plain zeros.
 */
#ifndef LLMC_FORMATS_EXPORT_HUGGINGFACE_H
#define LLMC_FORMATS_EXPORT_HUGGINGFACE_H

#include "formats/checkpoint/compressed.h"

/* Makes `folder` as a whole: written beside ("FOLDER.tmp") and renamed. `content` was read by llmc_compressed_read,
 * which has checked it. Errors: LLMC_ERR_IO (also where `folder` exists and is not empty: nothing is overwritten),
 * LLMC_ERR_MEMORY, LLMC_ERR_UNSUPPORTED (texts that are not UTF-8; layers that differ, which BertConfig cannot say). */
llmc_status llmc_export_hf(const struct llmc_compressed *content, const char *folder);

/* The five files, one after the other; hf_export_texts.c and hf_export_weights.c. */
llmc_status llmc_export_hf_config(const struct llmc_compressed *content, const char *path);
llmc_status llmc_export_hf_weights(const struct llmc_compressed *content, const char *path);
llmc_status llmc_export_hf_tokenizer(const struct llmc_compressed *content, const char *path);
llmc_status llmc_export_hf_vocabulary(const struct llmc_compressed *content, const char *path);
llmc_status llmc_export_hf_tokenizer_config(const struct llmc_compressed *content, const char *path);

#endif
