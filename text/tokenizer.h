/*
 * BERT's WordPiece tokenizer: the ids of Hugging Face's fast tokenizer
 * (BertNormalizer, BertPreTokenizer, WordPiece, TemplateProcessing), for any
 * UTF-8 text. Bytes that are not UTF-8 count as U+FFFD, as Python's
 * errors="replace" decodes them.
 *
 * A tokenizer is read-only after creation: any number of threads may encode.
 */
#ifndef LLMC_TEXT_TOKENIZER_H
#define LLMC_TEXT_TOKENIZER_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct llmc_tokenizer;

/* What normalisation does before words are cut. */
struct llmc_tokenizer_rules {
    bool lowercase;
    bool strip_accents;
    bool split_chinese; /* spaces around CJK ideographs */
    bool clean;         /* control characters dropped, white space to spaces */
};

/* Reads a Hugging Face folder: `tokenizer.json` (model WordPiece with a BertNormalizer) if there, else `vocab.txt` with
 * the rules of `tokenizer_config.json` (BERT's defaults where that is missing). Whatever these files,
 * `special_tokens_map.json` or `added_tokens.json` say must give the ids that transformers' AutoTokenizer gives;
 * maximum lengths and padding are left aside. Errors: LLMC_ERR_IO, LLMC_ERR_FORMAT (with file and field),
 * LLMC_ERR_UNSUPPORTED (a tokenizer that is not BERT's; added tokens; fields that llmc does not know;
 * tokenizer_config.json and tokenizer.json that contradict each other), LLMC_ERR_MEMORY. This function is in the
 * library llmc_text_data; all others are in llmc_text. */
llmc_status llmc_tokenizer_load(struct llmc_tokenizer **out, const char *folder);

/* From a vocabulary in memory: `nbytes` bytes of word pieces, each ended by one
 * '\n', the line number from 0 is the id; of equal pieces the last counts. The
 * bytes are copied. [PAD], [UNK], [CLS], [SEP] must be among them; these and
 * [MASK] are also found where a text spells them out. `origin` names the
 * vocabulary in errors. Errors: LLMC_ERR_FORMAT, LLMC_ERR_MEMORY. */
llmc_status llmc_tokenizer_create(struct llmc_tokenizer **out, const char *vocabulary, size_t nbytes,
                                  const struct llmc_tokenizer_rules *rules, const char *origin);

/* NULL ok. */
void llmc_tokenizer_free(struct llmc_tokenizer *tokenizer);

/* The vocabulary in the form that create takes; owned by the tokenizer. */
const char *llmc_tokenizer_vocabulary(const struct llmc_tokenizer *tokenizer, size_t *nbytes_ret);
struct llmc_tokenizer_rules llmc_tokenizer_get_rules(const struct llmc_tokenizer *tokenizer);
int32_t llmc_tokenizer_size(const struct llmc_tokenizer *tokenizer);

/* Encodes one text, or a pair when `pair` is not NULL:
 *     [CLS] text [SEP]            types 0...
 *     [CLS] text [SEP] pair [SEP] types 0... 1...
 * cut to at most `tokens_max` tokens (at least 3; 4 for a pair) as Hugging
 * Face's truncation "longest_first" cuts. Lengths are in bytes.
 * ids and types: [tokens_max], written by the call; types may be NULL.
 * *count_ret = the number of tokens, special tokens included.
 * Errors: LLMC_ERR_MEMORY, LLMC_ERR_ARGUMENT (tokens_max too small). */
llmc_status llmc_tokenizer_encode(const struct llmc_tokenizer *tokenizer, const char *text, size_t text_nbytes,
                                  const char *pair, size_t pair_nbytes, int32_t tokens_max, int32_t *ids,
                                  uint8_t *types, int32_t *count_ret);

#endif
