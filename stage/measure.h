/*
 * Measuring a stage in a process of its own, so that memory and caches are those of answering alone.
 *
 * The process prints one JSON object:
 *     {"accuracy", "answers": [label numbers], "latency_ms_b1_p50",
 *      "throughput_per_s_b32", these two with "_spread", "memory_bytes"}, and from LibTorch "logits" [texts * labels], from
 *      the runtime "probabilities" [texts * labels]
 * A checkpoint of a stage is answered by LibTorch (llmc-distill --measure), a compressed checkpoint by the runtime (llmc
 * eval --json).
 */
#ifndef LLMC_STAGE_MEASURE_H
#define LLMC_STAGE_MEASURE_H

#include "stage/stage.h"

/* Measures the stage's checkpoint; the newest compressed checkpoint. For the field `measure` of a type. Errors:
 * LLMC_ERR_IO when the process fails, with its exit status; LLMC_ERR_INTERRUPTED. */
llmc_status llmc_stage_measure_model(struct llmc_stage_work *work, struct llmc_stage_figures *figures);
llmc_status llmc_stage_measure_file(struct llmc_stage_work *work, struct llmc_stage_figures *figures);

/* The body of `llmc-distill --measure CHECKPOINT CONFIG`: answers the configuration's dev texts with the checkpoint and
 * writes the JSON object into *json, which the caller frees. */
llmc_status llmc_stage_measure_checkpoint(const struct llmc_config *config, const char *checkpoint, char **json);

#endif
