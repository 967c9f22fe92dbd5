/*
 * Collecting the labels of a file, and which output of a classifier stands for which of them.
 */
#ifndef LLMC_TEXT_LABELS_H
#define LLMC_TEXT_LABELS_H

#include "text/dataset.h"

/* More different labels than this in a file are taken for a wrong column. */
#define LLMC_LABELS_MAX 1000

/* Adds a copy of `name` at the end. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_labels_add(struct llmc_labels *labels, const char *name);

/* Sorts: as numbers when all names are integers, else by their bytes. */
void llmc_labels_sort(struct llmc_labels *labels);

/* *out = the names, each ended by '\n': the form in which files keep them. The caller frees it. Errors:
 * LLMC_ERR_MEMORY. */
llmc_status llmc_labels_lines(const struct llmc_labels *labels, char **out);

/* *out = the names for a message: "0", "1" and so on, not more than fit well into one. */
llmc_status llmc_labels_list(const struct llmc_labels *labels, char **out);

/* Which label of the data each output of a classifier stands for: *out = [outputs->count] names as the data spell them,
 * in the order of the outputs; outputs that the data never use keep their own. `given` says it ([outputs->count] labels
 * of the data; empty: does not say it). Without it names must agree but for case and blanks around them, where
 * "LABEL_n", transformers' name for an output without one, is the same as "n". `folder` names the classifier in
 * messages. Errors: LLMC_ERR_CONFIG, with both lists and the keys teacher.labels and teacher.head that answer it;
 * LLMC_ERR_MEMORY. On an error *out is empty. */
llmc_status llmc_labels_match(struct llmc_labels *out, const struct llmc_labels *data,
                              const struct llmc_labels *outputs, const struct llmc_labels *given, const char *folder);

#endif
