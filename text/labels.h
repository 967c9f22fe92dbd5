/*
 * Collecting the labels of a file.
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

#endif
