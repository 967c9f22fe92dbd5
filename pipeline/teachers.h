/*
 * Several teachers: each is trained and measured as the only one would be, under a row of its own, and shared with runs that
 * have it alone. The logits stage then averages their logits (Hinton et al., 2015, section 3: an ensemble is a better
 * teacher than each of its members). What agreement and divergence of the report compare with is the same mean. The student
 * starts from the first.
 */
#ifndef LLMC_PIPELINE_TEACHERS_H
#define LLMC_PIPELINE_TEACHERS_H

#include "stage/stage.h"

struct llmc_run_teachers {
    char **paths;        /* [count] their checkpoints */
    char (*fingerprints)[LLMC_HASH_TEXT_NBYTES]; /* [count] */
    int32_t count;
    double *logits;      /* [dev_count, labels] sums of log probabilities of the dev texts; NULL: some are not known */
};
void llmc_run_teachers_release(struct llmc_run_teachers *teachers);

/* How many teachers the configuration has. */
int32_t llmc_run_teacher_count(const struct llmc_config *config);

/* Takes over the teacher that is the chain's now, made under `fingerprint`; the chain has none then, so that the next one
 * starts from its folder. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_run_teachers_add(struct llmc_run_teachers *teachers, struct llmc_chain *chain,
                                  const struct llmc_data *data, const char *fingerprint);

/* Hands all of them to the chain: the first as its model and teacher, the mean answers to the dev texts. `fingerprint` goes
 * on with theirs. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_run_teachers_finish(struct llmc_run_teachers *teachers, struct llmc_chain *chain,
                                     const struct llmc_data *data, char fingerprint[LLMC_HASH_TEXT_NBYTES]);

#endif
