/*
 * A run: the stages of a configuration, one after the other. What they make stands in the store that runs share
 * (store/store.h); the run folder shows it under the stages' names:
 *
 *     runs/NAME/
 *         config.yaml                effective configuration
 *         log.txt
 *         report.json                the cost report (report/report.h)
 *         NN-STAGE.h5                the model after a stage (stage/state_file.h)
 *         NN-STAGE.json              the stage is finished: its report row and its answers to the dev texts
 *         NN-STAGE.metrics.jsonl     a line per training step
 *         NN-export.llmc             the compressed checkpoint (formats/checkpoint/compressed.h) of an export stage
 *         model.llmc                 the newest of these (another name of the same file)
 *         labels.txt                 names of the labels, in the order of the model's outputs
 *     runs/store/KEY/                a finished stage, or one under way
 *
 * Every stage has a fingerprint: a hash of the data, the teacher folder, the number of threads, the settings that its
 * result depends on (config/key.h says which) and the files that the stages before it made. It is the stage's key in the
 * store: a stage whose entry is there and whole is not run again, by this run or another.
 */
#ifndef LLMC_PIPELINE_RUN_H
#define LLMC_PIPELINE_RUN_H

#include "stage/stage.h"

/* Runs all stages up to the one named `stop_after` (kind or NN-kind; NULL: all). *report_path (the caller frees it) names
 * the report. Errors: whatever a stage says, with the stage's name in front; LLMC_ERR_INTERRUPTED after a stop: the same
 * call goes on. */
llmc_status llmc_run_pipeline(const struct llmc_config *config, const struct llmc_run_host *host,
                              const char *stop_after, char **report_path);

#endif
