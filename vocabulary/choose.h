/*
 * Which word pieces of a tokenizer pay. Those that texts use least go first, some at a time: the words that they were in
 * then fall on shorter pieces, which are counted anew before more go (the other way round, byte pair encoding grows
 * vocabularies by such counts: Sennrich et al., 2016).
 *
 * Some pieces stay in any case, so that a word that pieces covered is covered still: the special tokens, each character that
 * is a piece of its own, at the beginning of words or behind it, and pieces with a character that is none there. Pieces
 * that the normaliser lets no text have (of several characters with punctuation among them, upper case where all is made
 * lower, all but the last of equal ones) go first.
 */
#ifndef LLMC_VOCABULARY_CHOOSE_H
#define LLMC_VOCABULARY_CHOOSE_H

#include "vocabulary/words.h"

/* What the kept pieces may cost; one of the three is above 0. */
struct llmc_pieces_budget {
    int64_t pieces;
    int64_t bytes;     /* of their bytes, line ends included, and row_nbytes each */
    int64_t count_min; /* each is used so often; those that must stay, or not */
    int64_t row_nbytes;
};

struct llmc_pieces_choice {
    int32_t *kept;   /* [count] ids, rising */
    int64_t *counts; /* [count] how often the texts use each, split by the kept ones */
    int32_t count;
    int64_t tokens;  /* that words become, without special tokens */
};

/* How many pieces must stay, and what they cost as budget->bytes counts. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_pieces_least(const struct llmc_tokenizer *tokenizer, int64_t row_nbytes, int64_t *pieces,
                              int64_t *bytes);

/* Errors: LLMC_ERR_CONFIG where those that must stay cost more than the budget, which says how much, LLMC_ERR_MEMORY. The
 * choice is then empty. */
llmc_status llmc_pieces_choose(struct llmc_pieces_choice *out, const struct llmc_tokenizer *tokenizer,
                               const struct llmc_pieces_words *words, const struct llmc_pieces_budget *budget);
void llmc_pieces_choice_release(struct llmc_pieces_choice *choice);

/* The tokenizer with the kept pieces alone, in their order, and the same rules. */
llmc_status llmc_pieces_tokenizer(struct llmc_tokenizer **out, const struct llmc_tokenizer *tokenizer,
                                  const struct llmc_pieces_choice *choice);

/* Whether piece `id` is one character, at the beginning of words or behind it. */
bool llmc_pieces_is_character(const struct llmc_tokenizer *tokenizer, int32_t id);

#endif
