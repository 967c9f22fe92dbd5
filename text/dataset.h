/*
 * Labelled texts: rows of a TSV file in GLUE's layout (a header line names the
 * columns; no quoting; a UTF-8 byte order mark is skipped), and the same rows as
 * token ids.
 */
#ifndef LLMC_TEXT_DATASET_H
#define LLMC_TEXT_DATASET_H

#include "base/status.h"
#include "text/tokenizer.h"

#include <stddef.h>
#include <stdint.h>

struct llmc_columns {
    const char *text;      /* name of the column with the text */
    const char *text_pair; /* second text; NULL or "": none */
    const char *label;     /* NULL or "": the rows have no labels */
    char *const *label_names; /* [label_name_count] "0=negative": such labels get that name; others keep theirs */
    int32_t label_name_count;
};

/* The names of the labels; the index is the class. */
struct llmc_labels {
    char **names;
    int32_t count;
};

/* Frees the contents; NULL inside ok. */
void llmc_labels_release(struct llmc_labels *labels);
/* *out = a copy of `labels`. */
llmc_status llmc_labels_copy(struct llmc_labels *out, const struct llmc_labels *labels);
/* The class of a name, or -1. */
int32_t llmc_labels_find(const struct llmc_labels *labels, const char *name);

/* Rows of a TSV file. The strings live in one buffer. */
struct llmc_rows {
    size_t count;
    char **texts;   /* [count] */
    char **pairs;   /* [count], NULL without a text_pair column */
    int32_t *label; /* [count] class, NULL without a label column */
    char *buffer;
};

/* Reads `path` (plain, or gzip by its content). Text must be valid UTF-8 without
 * zero bytes; empty lines at the end are ignored; "\r\n" counts as "\n". Every
 * label must be in `labels` - or, when labels->count is 0 on entry, `labels`
 * receives the distinct labels of the file, sorted (as numbers where all are
 * integers); after an error it is empty again.
 * A label name that no row has is no error: a small file may lack it.
 * Errors name file and line: LLMC_ERR_IO, LLMC_ERR_DATA (a damaged gzip file;
 * missing or repeated column: lists those that are there; wrong number of
 * columns; empty or unknown label: lists the known ones; more than 1,000
 * different labels; bad UTF-8 or a zero byte: byte position; no rows; more than
 * 4 GiB), LLMC_ERR_ARGUMENT (no text column named; a label name without "=", or without a name after it), LLMC_ERR_MEMORY. On an
 * error `out` is empty. */
llmc_status llmc_rows_read(struct llmc_rows *out, const char *path, const struct llmc_columns *columns,
                           struct llmc_labels *labels);
void llmc_rows_release(struct llmc_rows *rows);

/* Rows as token ids, packed without padding: the tokens of row i are
 * ids[offsets[i]] .. ids[offsets[i + 1] - 1]. */
struct llmc_dataset {
    size_t count;
    int64_t *offsets; /* [count + 1] */
    int32_t *ids;     /* [offsets[count]] */
    uint8_t *types;   /* [offsets[count]] token types */
    int32_t *label;   /* [count]; -1 where the rows have none */
    int32_t tokens_max; /* the longest row */
};

/* Encodes rows in parallel (OpenMP), each cut to `tokens_max`. The result does
 * not keep the rows and is the same for any number of threads. Errors:
 * LLMC_ERR_ARGUMENT (tokens_max below 3, or 4 for pairs), LLMC_ERR_MEMORY. */
llmc_status llmc_dataset_encode(struct llmc_dataset *out, const struct llmc_rows *rows,
                                const struct llmc_tokenizer *tokenizer, int32_t tokens_max);
void llmc_dataset_release(struct llmc_dataset *dataset);

/* Texts one after the other, without padding: what the model sees. text/source.h fills it. */
struct llmc_batch {
    int32_t sequences;
    int32_t tokens;
    int32_t *ids;     /* [tokens] */
    uint8_t *types;   /* [tokens] */
    int32_t *offsets; /* [sequences + 1] */
    int32_t *label;   /* [sequences]; -1: none */
    int64_t *rows;    /* [sequences] number in the source */
    int32_t sequences_max, tokens_max; /* capacity */
};

/* Empties `batch` (a zeroed struct is an empty batch) and makes room for `sequences` texts; more are fine. Errors:
 * LLMC_ERR_ARGUMENT (fewer than 0), LLMC_ERR_MEMORY. */
llmc_status llmc_batch_begin(struct llmc_batch *batch, int32_t sequences);
/* Adds a text of `count` tokens, copied. Errors: LLMC_ERR_ARGUMENT (more than 2^31 - 1 tokens), LLMC_ERR_MEMORY. */
llmc_status llmc_batch_add(struct llmc_batch *batch, int64_t row, int32_t label, const int32_t *ids,
                           const uint8_t *types, int32_t count);
void llmc_batch_release(struct llmc_batch *batch);

#endif
