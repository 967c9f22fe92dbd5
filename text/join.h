/*
 * From ids back to words: the pieces of a word joined give it as the normaliser left it. And from these words to the ids of
 * another tokenizer, without the text.
 */
#ifndef LLMC_TEXT_JOIN_H
#define LLMC_TEXT_JOIN_H

#include "text/source.h"

#include <stdbool.h>

enum { LLMC_JOINED_NBYTES = 400 };

/* Ids begin .. end - 1 of a text. */
struct llmc_joined {
    int32_t begin, end;
    bool special; /* a special token, [UNK] among them, or a word of more bytes than tokenizers split: without bytes */
    bool first;   /* false: pieces that go on with a word whose beginning is not there */
    size_t nbytes;
    char bytes[LLMC_JOINED_NBYTES];
};

/* The word that begins at ids[at], at < count. */
void llmc_joined_next(struct llmc_joined *out, const struct llmc_tokenizer *tokenizer, const int32_t *ids, int32_t count,
                      int32_t at);

/* *out = the texts of `texts`, whose ids are of tokenizer `from`, by the pieces of `to`: each word is split again, special
 * tokens stay, and so does what was [UNK]; texts are cut to tokens_max anew. For a tokenizer whose pieces are some of
 * `from`'s these are the ids that it gives to the text itself, but for the last word of texts that were cut, and words
 * that are [UNK] by the longer pieces only. All three must outlive the source. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_joined_source(struct llmc_text_source *out, const struct llmc_text_source *texts,
                               const struct llmc_tokenizer *from, const struct llmc_tokenizer *to, int32_t tokens_max);

#endif
