/* The stage of L1 (magnitude) pruning. */
#ifndef LLMC_PRUNE_STAGE_H
#define LLMC_PRUNE_STAGE_H

#include "stage/stage.h"

extern const struct llmc_stage_type llmc_prune_stage;

#endif
