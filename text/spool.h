/*
 * Texts as token ids in a file without a name, for those that memory should not hold: written one after the other, read in
 * any order. The file is gone with the process.
 */
#ifndef LLMC_TEXT_SPOOL_H
#define LLMC_TEXT_SPOOL_H

#include "text/source.h"

struct llmc_spool;

/* An empty spool on the disk of `folder`. Errors: LLMC_ERR_IO, LLMC_ERR_MEMORY. */
llmc_status llmc_spool_create(struct llmc_spool **out, const char *folder);
void llmc_spool_free(struct llmc_spool *spool); /* NULL ok */

/* Adds the texts of a data set, without their labels. Errors: LLMC_ERR_IO (a full disk), LLMC_ERR_MEMORY. */
llmc_status llmc_spool_add(struct llmc_spool *spool, const struct llmc_dataset *texts);

/* The texts so far, label -1; the spool must outlive the source. */
struct llmc_text_source llmc_spool_source(struct llmc_spool *spool);

#endif
