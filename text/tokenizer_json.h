/*
 * The JSON files of a Hugging Face tokenizer.
 */
#ifndef LLMC_TEXT_TOKENIZER_JSON_H
#define LLMC_TEXT_TOKENIZER_JSON_H

#include "base/status.h"
#include "text/tokenizer.h"

#include <jansson.h>
#include <stdbool.h>

/* What tokenizer_config.json says of the rules; -1: nothing. */
struct llmc_tokenizer_config {
    int lowercase;
    int strip_accents;
    int split_chinese;
};

/* Reads a file whose top is a JSON object; the caller releases it with
 * json_decref. Errors: LLMC_ERR_IO, LLMC_ERR_FORMAT with line and column. */
llmc_status llmc_json_read(const char *path, json_t **out);

/* A tokenizer from tokenizer.json. Truncation and padding of the file are left
 * aside. Errors: LLMC_ERR_FORMAT, LLMC_ERR_UNSUPPORTED. */
llmc_status llmc_tokenizer_from_json(struct llmc_tokenizer **out, const json_t *root, const char *path);

/* Errors: LLMC_ERR_FORMAT, LLMC_ERR_UNSUPPORTED (other special tokens than BERT's). */
llmc_status llmc_tokenizer_config_from_json(struct llmc_tokenizer_config *out, const json_t *root, const char *path);

#endif
