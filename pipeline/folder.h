/*
 * The run folder, RUNS/NAME: what a user sees of a run. What stages make stands in the store (store/store.h) and is linked
 * here under the stage's name.
 */
#ifndef LLMC_PIPELINE_FOLDER_H
#define LLMC_PIPELINE_FOLDER_H

#include "stage/stage.h"

struct llmc_run_folder {
    char *path, *config_path, *report_path;
    FILE *log; /* log.txt; its lock is that of the folder */
};

/* Makes the folder where there is none, locks it, writes config.yaml and begins a part of the log. Errors: LLMC_ERR_IO, also
 * where another process works in it. */
llmc_status llmc_run_folder_open(struct llmc_run_folder *folder, const struct llmc_config *config,
                                 const char *runs_folder);
void llmc_run_folder_release(struct llmc_run_folder *folder);

/* Writes labels.txt: a name a line, in the order of the model's outputs. */
llmc_status llmc_run_folder_write_labels(const struct llmc_run_folder *folder, const struct llmc_labels *labels);

/* Links what a finished stage left in its folder as NN-STAGE.h5 or .llmc and NN-STAGE.metrics.jsonl; a compressed
 * checkpoint is model.llmc too. Errors: LLMC_ERR_IO. */
llmc_status llmc_run_folder_link(const struct llmc_run_folder *folder, const struct llmc_stage_work *work);

/* Removes records and links of stages that the configuration no longer has, so that the folder shows this run alone. */
llmc_status llmc_run_folder_prune(const struct llmc_run_folder *folder, const struct llmc_config *config);

#endif
