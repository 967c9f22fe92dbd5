#include "pipeline/stages/table.h"

#include "baseline/stage.h"
#include "distill/stage.h"
#include "pipeline/stages/file.h"
#include "prune/stage.h"
#include "quantize/stage.h"
#include "vocabulary/stage.h"

#include <stddef.h>

#define STAGES(X)                                                                                                       \
    X(llmc_run_teacher_stage)                                                                                               \
    X(llmc_augment_stage)                                                                                                \
    X(llmc_logits_stage)                                                                                                \
    X(llmc_distill_stage)                                                                                               \
    X(llmc_pieces_stage)                                                                                                \
    X(llmc_structure_stage)                                                                                             \
    X(llmc_prune_stage)                                                                                                 \
    X(llmc_qat_stage)                                                                                                   \
    X(llmc_run_export_stage)                                                                                                \
    X(llmc_run_verify_stage)                                                                                                \
    X(llmc_baseline_stage)

const struct llmc_config_kind *const *llmc_run_stage_kinds(void)
{
#define KIND(stage) &stage.kind,
    static const struct llmc_config_kind *const kinds[] = {STAGES(KIND) NULL};
    return kinds;
}

const struct llmc_stage_type *llmc_run_stage_type(const struct llmc_config_kind *kind)
{
    return (const struct llmc_stage_type *)((const char *)kind - offsetof(struct llmc_stage_type, kind));
}
