/*
 * A compressed checkpoint as an ONNX file, whose answers are those of the runtime.
 *
 *     inputs    input_ids, attention_mask (1: a token, 0: padding), token_type_ids: int64 [batch, sequence]
 *     output    logits: FP32 [batch, labels]
 *
 * Linear layers are in QDQ form: QuantizeLinear and DequantizeLinear (uint8, the checkpoint's static range) around
 * what goes in, DequantizeLinear (int8, a scale per output channel) behind the weights, MatMul between the two;
 * engines turn the three into an integer product. Embeddings stay integers in the file: rows are looked up first and
 * widened then, which costs an engine that keeps the file's form as little as one that folds constants. FP16
 * parameters are widened by a Cast. As in the runtime, the last layer asks for the first token alone.
 *
 * What is not bit by bit the runtime's: QuantizeLinear divides by the scale where we multiply by its inverse, and
 * engines sum FP32 numbers in orders of their own. An input on a rounding boundary then becomes the neighbouring
 * integer.
 *
 * The file's metadata: "labels" (JSON list of names in the order of the logits), "tokenizer" (JSON object with
 * "type", "lowercase", "strip_accents", "split_chinese", "clean", "tokens_max"), "vocabulary" (word pieces, one a
 * line, the id is the line's number from 0), "origin" (JSON: how the model was made).
 */
#ifndef LLMC_FORMATS_EXPORT_ONNX_H
#define LLMC_FORMATS_EXPORT_ONNX_H

#include "formats/checkpoint/compressed.h"

/* Writes atomically. `content` was read by llmc_compressed_read, which has checked it. Errors: LLMC_ERR_IO,
 * LLMC_ERR_MEMORY, LLMC_ERR_UNSUPPORTED (2 GiB and more; texts that are not UTF-8). */
llmc_status llmc_onnx_export(const struct llmc_compressed *content, const char *path);

#endif
