/* The stage baseline: an NBSVM on the training texts. */
#ifndef LLMC_BASELINE_STAGE_H
#define LLMC_BASELINE_STAGE_H

#include "stage/stage.h"

extern const struct llmc_stage_type llmc_baseline_stage;

#endif
