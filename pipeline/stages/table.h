/* The stages that there are: the one place that lists them. */
#ifndef LLMC_PIPELINE_STAGES_TABLE_H
#define LLMC_PIPELINE_STAGES_TABLE_H

#include "stage/stage.h"

/* Their kinds in the order of documentation, NULL at the end: what a configuration is read with. */
const struct llmc_config_kind *const *llmc_run_stage_kinds(void);

/* The type of a stage of the configuration. */
const struct llmc_stage_type *llmc_run_stage_type(const struct llmc_config_kind *kind);

/* The stage that a run begins with: it makes the teacher of the folder the model. */
extern const struct llmc_stage_type llmc_run_teacher_stage;

/* In its place where the answers come from a file: it makes the folder's BERT the model as it is, which nobody measures. In
 * no configuration. */
extern const struct llmc_stage_type llmc_run_start_stage;

#endif
