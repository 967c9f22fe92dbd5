/*
 * The word embedding in two factors, words [V, rank] times a projection [hidden,
 * rank], as ALBERT has it (Lan et al., 2020), started from one in one piece so that
 * what words of the training texts lose is least: the leading eigenvectors of E^T D
 * E, D how often each word is there, as in DRONE (Chen et al., 2021). E is then
 * about (E P) P^T with orthonormal columns in P.
 */
#ifndef LLMC_DISTILL_FACTOR_H
#define LLMC_DISTILL_FACTOR_H

#include "architecture/parameters.h"
#include "text/dataset.h"

/* counts [vocabulary] = how often each word is in the texts, plus 1: words that are in none count a little. */
void llmc_student_count_words(const struct llmc_dataset *texts, int32_t vocabulary, int64_t *counts);

/* Makes `to` of `from`, whose embedding is in one piece and nothing is pruned or has bits: the same numbers but for the
 * words. rank: 1 to hidden. Errors: LLMC_ERR_FORMAT (rank), LLMC_ERR_MEMORY; `to` is empty then. */
llmc_status llmc_student_factor_words(struct llmc_parameters *to, const struct llmc_parameters *from, int32_t rank,
                                      const int64_t *counts);

#endif
