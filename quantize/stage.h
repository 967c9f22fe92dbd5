/* The stage of quantisation-aware training. */
#ifndef LLMC_QUANTIZE_STAGE_H
#define LLMC_QUANTIZE_STAGE_H

#include "stage/stage.h"

extern const struct llmc_stage_type llmc_qat_stage;

#endif
