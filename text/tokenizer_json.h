/*
 * tokenizer.json of a Hugging Face tokenizer.
 */
#ifndef LLMC_TEXT_TOKENIZER_JSON_H
#define LLMC_TEXT_TOKENIZER_JSON_H

#include "base/status.h"
#include "text/tokenizer.h"

#include <jansson.h>

/* A tokenizer from the content of tokenizer.json; `path` names it in errors. How long texts may be and how they are
 * padded is left aside. Errors: LLMC_ERR_FORMAT, LLMC_ERR_UNSUPPORTED (another tokenizer than BERT's; a field that llmc
 * does not know). */
llmc_status llmc_tokenizer_from_json(struct llmc_tokenizer **out, const json_t *root, const char *path);

#endif
