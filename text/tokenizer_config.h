/*
 * The files beside a tokenizer of Hugging Face: tokenizer_config.json, special_tokens_map.json, added_tokens.json.
 */
#ifndef LLMC_TEXT_TOKENIZER_CONFIG_H
#define LLMC_TEXT_TOKENIZER_CONFIG_H

#include "base/status.h"
#include "text/tokenizer.h"

#include <stdbool.h>

/* What tokenizer_config.json says of the rules; -1: nothing. */
struct llmc_tokenizer_config {
    char *path; /* of tokenizer_config.json, there or not */
    int lowercase;
    int strip_accents;
    int split_chinese;
    bool json_alone; /* the class is one that takes tokenizer.json as it stands, whatever else is said */
};

/* Reads and checks what is there of tokenizer_config.json, special_tokens_map.json and config.json's tokenizer_class.
 * `has_json`: the folder has tokenizer.json, which then decides how special tokens are found. Errors: LLMC_ERR_IO,
 * LLMC_ERR_FORMAT, LLMC_ERR_UNSUPPORTED (a class or special tokens that are not BERT's; a field that llmc does not
 * know), with file and field; *out is then all zero. */
llmc_status llmc_tokenizer_config_read(struct llmc_tokenizer_config *out, const char *folder, bool has_json);
void llmc_tokenizer_config_release(struct llmc_tokenizer_config *config);

/* The rules that transformers' BertTokenizer makes of it: BERT's where nothing is said. */
struct llmc_tokenizer_rules llmc_tokenizer_config_rules(const struct llmc_tokenizer_config *config);

/* Refuses tokens that these files add to the vocabulary: all must be BERT's special tokens with the ids that they have
 * in `tokenizer`. Errors: LLMC_ERR_IO, LLMC_ERR_FORMAT, LLMC_ERR_UNSUPPORTED. */
llmc_status llmc_tokenizer_check_added(const struct llmc_tokenizer *tokenizer, const char *folder);

/* The index in llmc_special_names of BERT's special token `name`, or LLMC_SPECIALS. */
int llmc_special_find(const char *name);

#endif
