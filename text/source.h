/*
 * Where training, calibration and the teacher's answers get their texts from: any number of texts by number, in memory, on
 * disk or made when they are asked for. A batch is packed of them one text after the other.
 */
#ifndef LLMC_TEXT_SOURCE_H
#define LLMC_TEXT_SOURCE_H

#include "text/dataset.h"

struct llmc_text_source {
    int64_t count;      /* of texts */
    int32_t tokens_max; /* that a text may have */
    void *context;      /* of the functions */
    /* Adds text `row`, 0 to count - 1, to the batch by llmc_batch_add: always the same text. One thread at a time. Errors:
     * the batch is then to be begun anew. */
    llmc_status (*add)(void *context, int64_t row, struct llmc_batch *batch);
    void (*close)(void *context); /* frees the context; NULL: it is lent */
};

/* Texts of a data set, which must outlive the source. */
struct llmc_text_source llmc_dataset_source(const struct llmc_dataset *dataset);

/* The texts of `first`, then those of `second`; both belong to the result. Errors: LLMC_ERR_MEMORY, both are then closed. */
llmc_status llmc_text_source_join(struct llmc_text_source *out, struct llmc_text_source first,
                                  struct llmc_text_source second);

/* Frees what the source owns and empties it; an empty one is fine. */
void llmc_text_source_close(struct llmc_text_source *source);

/* Packs texts `rows[0..count-1]` into `batch` (a zeroed struct is an empty batch). Errors: LLMC_ERR_ARGUMENT (a row that
 * is not there, more than 2^31 - 1 tokens), LLMC_ERR_MEMORY, those of the source; the batch is then empty. */
llmc_status llmc_batch_gather(struct llmc_batch *batch, const struct llmc_text_source *source, const int64_t *rows,
                              int32_t count);

#endif
