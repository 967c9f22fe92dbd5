/*
 * What is left of a finished stage beside its model: NN-STAGE.json with its
 * fingerprint, its row of the cost report and its answers to the dev texts. The
 * file is written last: where it fits, the stage is not run again.
 */
#ifndef LLMC_PIPELINE_STAGE_RECORD_H
#define LLMC_PIPELINE_STAGE_RECORD_H

#include "pipeline/run.h"

struct llmc_stage_record {
    struct llmc_report_row row;
    char product[LLMC_HASH_TEXT_NBYTES]; /* hash of the file that the stage made */
    int32_t *answers; /* [run->dev_count], NULL for stages that answer nothing */
};
void llmc_stage_record_release(struct llmc_stage_record *record);

/* Whether the record at `path` bears run->fingerprint and the stage's files are there; fills *record then. */
bool llmc_stage_record_fits(struct llmc_run *run, const struct llmc_stage_config *stage, const char *path,
                            struct llmc_stage_record *record);

/* Measures what the stage made. */
llmc_status llmc_stage_record_make(struct llmc_run *run, const struct llmc_stage_config *stage, double seconds,
                                   struct llmc_stage_record *record);
llmc_status llmc_stage_record_write(const struct llmc_run *run, const struct llmc_stage_record *record, const char *path);

/* One line for the user. */
void llmc_stage_record_tell(struct llmc_run *run, const struct llmc_stage_record *record);

/* What a stage promises beyond running: verify's accuracy_min. Errors: LLMC_ERR_DATA. */
llmc_status llmc_stage_check(struct llmc_run *run, const struct llmc_stage_config *stage,
                             const struct llmc_stage_record *record);

#endif
