/*
 * A teacher's answers that were made elsewhere: by a model that llmc cannot run. A file with one row a text, the training texts
 * first and behind them those of data.unlabeled, in their order:
 *
 *     .tsv or .tsv.gz  a header line that names a column for each label; where it has the text columns of the configuration
 *                      too, each row's text must be the one that it answers
 *     else HDF5        /logits F32 [texts, labels]; attribute "labels" of the root: their names, a line each, fixed length;
 *                      where there is /crc32 I64 [texts], each is zlib's CRC-32 of a text's UTF-8, of a pair's two with a tab
 *                      between, and is compared for the training texts
 *
 * Labels may be in any order. Probabilities become their logarithms, which are logits up to a number a text.
 */
#ifndef LLMC_DISTILL_GIVEN_LOGITS_H
#define LLMC_DISTILL_GIVEN_LOGITS_H

#include "distill/logits_file.h"
#include "stage/data.h"
#include "text/source.h"

struct llmc_given_logits {
    const char *path;
    bool probabilities;
    const struct llmc_data *data;
    int32_t tokens_max; /* that texts were cut to */
    const struct llmc_text_source *texts; /* that are answered */
};

/* Checks the answers and adds them to `file`, labels in the order of the data; NULL: checks only. Errors, with file and row: LLMC_ERR_IO,
 * LLMC_ERR_FORMAT, LLMC_ERR_DATA (another number of rows, labels or texts; no number, or one that is not finite; no
 * probabilities). */
llmc_status llmc_given_logits_read(const struct llmc_given_logits *given, struct llmc_logits_file *file);

#endif
