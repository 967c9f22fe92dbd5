/*
 * Variants of texts, for a student to learn how its teacher answers beside the texts that there are (Tang et al., 2019;
 * TinyBERT, Jiao et al., 2020). A text is changed by whole words, each side of a pair for itself:
 *
 *     1. with probability `joined` the beginning of the text goes on with the end of another training text (the same side of
 *        a pair), each cut at a random word; else with probability `ngram` a random run of its words stays
 *     2. each word becomes [MASK] with probability `masked`, else with probability `replaced` one of its neighbours, where it
 *        has any
 *     3. a text that is as before loses the luck of one word: that is replaced, or masked where it has no neighbours and is not
 *        the only one
 *
 * Tang et al. sample runs of 1 to 5 words and replace by part of speech; here runs have any length, since texts of other
 * data are longer than phrases, and neighbours in the teacher's word embedding stand for the part of speech, as for
 * TinyBERT neighbours in GloVe do. Variant `position` is always the same one.
 */
#ifndef LLMC_DISTILL_VARIANT_H
#define LLMC_DISTILL_VARIANT_H

#include "text/words.h"

enum { LLMC_NEIGHBOURS = 15 }; /* of a word, as TinyBERT has */

struct llmc_variant_settings {
    double masked, replaced, ngram, joined; /* probabilities */
};

struct llmc_variants {
    struct llmc_variant_settings settings;
    uint64_t seed;
    const struct llmc_dataset *texts;
    int32_t tokens_max; /* of a variant */
    const struct llmc_words *words;
    const int32_t *place; /* [pieces] of a word's neighbours in the next; -1: it has none */
    const int32_t *neighbours; /* [*, LLMC_NEIGHBOURS]; -1 behind the last */
};

/* The text that variant `row` of `count` is of, 0 <= row < count: rows are spread evenly over the tokens of all texts, so
 * that a text has variants by its length. A phrase of two words has few that differ, and long texts are those that a
 * student gets wrong. */
int64_t llmc_variant_text(const struct llmc_dataset *texts, int64_t row, int64_t count);

/* Adds the variant `position` of text `text` to the batch, as row `row`, label -1. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_variant_add(const struct llmc_variants *variants, int64_t text, int64_t position, int64_t row,
                             struct llmc_batch *batch);

#endif
