/*
 * What files in other formats say in JSON about labels and tokenizer. For
 * contents that llmc_compressed_read has checked.
 */
#ifndef LLMC_FORMATS_EXPORT_TEXTS_H
#define LLMC_FORMATS_EXPORT_TEXTS_H

#include "formats/checkpoint/compressed.h"

/* JSON and ONNX hold UTF-8 alone: refuses a checkpoint whose texts are anything else (LLMC_ERR_UNSUPPORTED), and one
 * whose vocabulary makes no tokenizer (LLMC_ERR_FORMAT). */
llmc_status llmc_export_check_texts(const struct llmc_compressed *content);

/* *out = JSON text, the caller's: ["NAME", ...]; {"type": "WordPiece", "lowercase": true, ...}. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_export_labels(const struct llmc_compressed *content, char **out);
llmc_status llmc_export_tokenizer(const struct llmc_compressed *content, char **out);

#endif
