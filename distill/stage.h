/* The stages of distillation: variants of the texts, the teacher's logits, and a student that learns from them. */
#ifndef LLMC_DISTILL_STAGE_H
#define LLMC_DISTILL_STAGE_H

#include "stage/stage.h"

extern const struct llmc_stage_type llmc_augment_stage;
extern const struct llmc_stage_type llmc_logits_stage;
extern const struct llmc_stage_type llmc_distill_stage;

#endif
