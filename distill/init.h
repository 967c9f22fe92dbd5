/*
 * student.init: a student that starts from a compressed checkpoint, one of an earlier run for instance, instead of from
 * the teacher or at random.
 *
 * Its weights are what the checkpoint's numbers mean: scale * integer. Neither integers nor masks live on: training moves
 * every weight, pruned zeros too, until a qat or prune stage of this run rounds or prunes anew.
 *
 * The checkpoint must be of the shape that the configuration and the teacher give the student, answer with the same labels
 * in the same order, and cut texts into the same word pieces. Its position embedding may be longer than data.tokens_max:
 * the first rows count.
 */
#ifndef LLMC_DISTILL_INIT_H
#define LLMC_DISTILL_INIT_H

#include "architecture/parameters.h"
#include "config/config.h"
#include "text/dataset.h"

/* Reads and checks the checkpoint, before the first stage: hours of training shall not end with a wrong path. `student` is
 * the shape that it must have. Errors: those of llmc_compressed_read; LLMC_ERR_CONFIG with key, file and both values,
 * also where the file lies in the run's own folder, which would replace it. */
llmc_status llmc_init_check(const struct llmc_config *config, const char *run_folder,
                            const struct llmc_tokenizer *tokenizer, const struct llmc_labels *labels,
                            const struct llmc_architecture *student);

/* Fills the student that llmc_student_init made. Errors: as above. */
llmc_status llmc_init_load(const struct llmc_config *config, const struct llmc_tokenizer *tokenizer,
                           const struct llmc_labels *labels, struct llmc_parameters *student);

#endif
