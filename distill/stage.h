/* The stages of distillation: variants of the texts, the teacher's logits, and a student that learns from them. */
#ifndef LLMC_DISTILL_STAGE_H
#define LLMC_DISTILL_STAGE_H

#include "stage/stage.h"

extern const struct llmc_stage_type llmc_augment_stage;
extern const struct llmc_stage_type llmc_logits_stage;
/* Whether this is a logits stage that reads answers made elsewhere, and needs no teacher. */
bool llmc_logits_are_given(const struct llmc_stage_config *stage);
extern const struct llmc_stage_type llmc_distill_stage;

#endif
