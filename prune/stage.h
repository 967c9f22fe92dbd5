/* The stages of pruning: of weights by magnitude (L1), and of structure: heads, ffn neurons, layers. */
#ifndef LLMC_PRUNE_STAGE_H
#define LLMC_PRUNE_STAGE_H

#include "stage/stage.h"

extern const struct llmc_stage_type llmc_prune_stage;
extern const struct llmc_stage_type llmc_structure_stage;

#endif
