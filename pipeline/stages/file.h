/* The stages of the file that ships: export writes it, verify measures it. */
#ifndef LLMC_PIPELINE_STAGES_FILE_H
#define LLMC_PIPELINE_STAGES_FILE_H

#include "stage/stage.h"

extern const struct llmc_stage_type llmc_run_export_stage;
extern const struct llmc_stage_type llmc_run_verify_stage;

#endif
