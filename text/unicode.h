/*
 * What the Hugging Face tokenizers (release 0.23) see in a Unicode character.
 *
 * Their Rust crates carry tables of different ages: character categories of
 * Unicode 8, decompositions and combining classes of Unicode 9, lower case of
 * Unicode 17. libutf8proc 2.8 has Unicode 15. The ids of a text depend on these
 * ages, so unicode.c lists every character where the two disagree; the reference
 * test runs all of Unicode through both.
 */
#ifndef LLMC_TEXT_UNICODE_H
#define LLMC_TEXT_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

#define LLMC_UNICODE_DECOMPOSED_MAX 4 /* characters of the longest canonical decomposition */
#define LLMC_UNICODE_LOWER_MAX 2

bool llmc_unicode_is_space(int32_t code);
/* Control, format and private use characters. Tabs and line ends are among them. */
bool llmc_unicode_is_control(int32_t code);
/* Nonspacing marks. */
bool llmc_unicode_is_accent(int32_t code);
/* ASCII's 32 signs, and Unicode's punctuation. */
bool llmc_unicode_is_punctuation(int32_t code);
/* The blocks of ideographs that BERT cuts into single characters. */
bool llmc_unicode_is_ideograph(int32_t code);

/* The canonical combining class: marks that follow a letter are sorted by it; 0 is no such mark. */
int llmc_unicode_order(int32_t code);

/* The full canonical decomposition, and the lower case; each returns the number of characters. */
int llmc_unicode_decompose(int32_t code, int32_t out[LLMC_UNICODE_DECOMPOSED_MAX]);
int llmc_unicode_lower(int32_t code, int32_t out[LLMC_UNICODE_LOWER_MAX]);

#endif
