/* The stage of this folder: vocabulary, which keeps the word pieces that pay. */
#ifndef LLMC_VOCABULARY_STAGE_H
#define LLMC_VOCABULARY_STAGE_H

#include "stage/stage.h"

extern const struct llmc_stage_type llmc_pieces_stage;

#endif
