/*
 * The teacher's answers on disk: written text after text and read in any order, in flat memory. The file, logits.h5: after
 * the seal of formats/hdf5/envelope.h (magic "LLMG\r\n\x1a\n", version 1)
 *     /         attributes "key" (hash of what the logits were made from), "labels" (a name a line)
 *     /logits   F32 [texts, labels], in one piece
 *
 * While it is under way the seal is missing, and in its place stands how many texts are answered: a killed program goes on
 * there.
 */
#ifndef LLMC_DISTILL_LOGITS_FILE_H
#define LLMC_DISTILL_LOGITS_FILE_H

#include "base/status.h"
#include "text/dataset.h"

struct llmc_logits_file {
    char *path; /* for messages; owned */
    int descriptor;
    uint64_t place; /* of the first number */
    int64_t count;  /* of texts */
    int32_t labels;
    int64_t done;   /* texts that are answered; the next ones are written behind */
};
#define LLMC_LOGITS_FILE_INIT {.descriptor = -1}

/* Opens a file under way where there is one of this key and shape, else makes a new one. Errors: LLMC_ERR_IO. */
llmc_status llmc_logits_file_begin(struct llmc_logits_file *file, const char *path, const char *key, int64_t count,
                                   const struct llmc_labels *labels);

/* Writes the logits [count, labels] of the next texts. Errors: LLMC_ERR_IO. */
llmc_status llmc_logits_file_add(struct llmc_logits_file *file, const float *logits, int64_t count);

/* From now on a killed program goes on behind what was added so far. Errors: LLMC_ERR_IO. */
llmc_status llmc_logits_file_save(struct llmc_logits_file *file);

/* Closes and seals the file with all its texts, and gives it its final name. Errors: LLMC_ERR_IO. */
llmc_status llmc_logits_file_finish(struct llmc_logits_file *file, const char *path);

/* Opens a finished file and checks seal, shape and that all numbers are finite. Errors: LLMC_ERR_IO, LLMC_ERR_FORMAT. */
llmc_status llmc_logits_file_open(struct llmc_logits_file *file, const char *path, int64_t count, int32_t labels);

/* out [count, labels] = the logits of texts `rows[0..count-1]`. Errors: LLMC_ERR_IO. */
llmc_status llmc_logits_file_read(const struct llmc_logits_file *file, const int64_t *rows, int32_t count, float *out);

void llmc_logits_file_close(struct llmc_logits_file *file); /* a file under way stays; LLMC_LOGITS_FILE_INIT is fine */

#endif
