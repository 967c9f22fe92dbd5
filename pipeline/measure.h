/*
 * Measuring a stage in a process of its own, so that memory and caches are those
 * of answering alone.
 *
 * The process prints one JSON object:
 *     {"accuracy", "answers": [label numbers], "latency_ms_b1_p50",
 *      "throughput_per_s_b32", "memory_bytes"}, and from LibTorch "logits" [texts * labels]
 * A checkpoint of a stage is answered by LibTorch (llmc-distill --measure), a
 * compressed checkpoint by the runtime (llmc eval --json).
 */
#ifndef LLMC_PIPELINE_MEASURE_H
#define LLMC_PIPELINE_MEASURE_H

#include "pipeline/run.h"

/* What the process said. */
struct llmc_stage_figures {
    double accuracy, latency_ms, throughput;
    int64_t memory_bytes;
    int32_t *answers; /* [dev_count] */
};

/* Measures run->state_path. Errors: LLMC_ERR_IO when the process fails, with its exit status. */
llmc_status llmc_measure_stage(struct llmc_run *run, struct llmc_stage_figures *figures);
/* Measures run->model_path. */
llmc_status llmc_measure_compressed(struct llmc_run *run, struct llmc_stage_figures *figures);
void llmc_stage_figures_release(struct llmc_stage_figures *figures);

/* The body of `llmc-distill --measure CHECKPOINT CONFIG`: answers the config's dev texts with the checkpoint
 * and writes the JSON object into *json, which the caller frees. */
llmc_status llmc_measure_checkpoint(const struct llmc_config *config, const char *checkpoint, char **json);

#endif
