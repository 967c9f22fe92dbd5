/*
 * What says that a stage is finished. The store's entry holds the record of the result:
 *     {"key", "kind", "product": hash of the file that the stage made, "row": of the report, "answers": to the dev texts}
 * and the run folder, as NN-STAGE.json, the same for people and for `llmc runs`, with the stage's name in this run.
 */
#ifndef LLMC_PIPELINE_RECORD_H
#define LLMC_PIPELINE_RECORD_H

#include "stage/stage.h"

struct llmc_run_record {
    struct llmc_report_row row;
    char key[LLMC_HASH_TEXT_NBYTES];
    char product[LLMC_HASH_TEXT_NBYTES]; /* hash of the file that the stage made */
    int32_t *answers;     /* [data->dev_count], NULL for stages that answer nothing */
    float *probabilities; /* [data->dev_count, labels] of a teacher; else NULL */
};
void llmc_run_record_release(struct llmc_run_record *record);

/* Whether the entry holds a finished result under the stage's key, with the very file that its record names; fills *record then. */
bool llmc_run_record_find(const struct llmc_stage_work *work, struct llmc_run_record *record);

/* Measures what the stage made. The product is in the chain. Errors: those of measuring. */
llmc_status llmc_run_record_make(struct llmc_stage_work *work, double seconds,
                                   struct llmc_run_record *record);

/* Writes the record to `path`. Errors: LLMC_ERR_IO, LLMC_ERR_MEMORY. */
llmc_status llmc_run_record_write(const struct llmc_stage_work *work, const struct llmc_run_record *record,
                                    const char *path);

/* One line for the user. */
void llmc_run_record_tell(const struct llmc_stage_work *work, const struct llmc_run_record *record);

#endif
