/*
 * student.init: a student that starts from a compressed checkpoint, one of an
 * earlier run for instance, instead of from the teacher or at random.
 *
 * Its weights are what the checkpoint's numbers mean: scale * integer. Neither
 * integers nor masks live on: training moves every weight, pruned zeros too, until
 * a qat or prune stage of this run rounds or prunes anew.
 *
 * The checkpoint must be of the shape that the configuration and the teacher give the student, answer with the same
 * labels in the same order, and cut texts into the same word pieces. Its position embedding may be longer than
 * data.tokens_max: the first rows count.
 */
#ifndef LLMC_PIPELINE_STUDENT_INIT_H
#define LLMC_PIPELINE_STUDENT_INIT_H

#include "distill/student.h"
#include "pipeline/run.h"

/* What the configuration says of the student. */
struct llmc_student_shape llmc_run_student_shape(const struct llmc_config *config);

/* Reads and checks the checkpoint before the first stage, as far as the teacher's folder tells: hours of training
 * shall not end with a wrong path. Errors: those of llmc_compressed_read; LLMC_ERR_CONFIG with key, file and both
 * values, also where the file lies in the run's own folder, which would replace it. */
llmc_status llmc_run_check_init(const struct llmc_run *run);

/* Fills the student that llmc_student_init made. Errors: as above. */
llmc_status llmc_run_load_init(const struct llmc_run *run, struct llmc_parameters *student);

#endif
