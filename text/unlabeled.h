/*
 * Texts without labels, from files of any length: they go through memory in blocks and end as ids in a spool.
 */
#ifndef LLMC_TEXT_UNLABELED_H
#define LLMC_TEXT_UNLABELED_H

#include "text/spool.h"
#include "text/tokenizer.h"

/* Adds the texts of `path`, plain or .gz. A file whose name ends in .tsv or .tsv.gz has a header line, which must name
 * the text columns of `columns`; any other has one text a line, which makes no pairs. Empty lines count as no texts. Errors,
 * with file and line: those of llmc_line_reader_open and next; LLMC_ERR_DATA (no texts; a missing column; another
 * number of columns than the header); LLMC_ERR_CONFIG (pairs from single texts). */
llmc_status llmc_unlabeled_read(struct llmc_spool *spool, const char *path, const struct llmc_columns *columns,
                                const struct llmc_tokenizer *tokenizer, int32_t tokens_max);

#endif
