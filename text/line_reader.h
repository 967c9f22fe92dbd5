/*
 * The lines of a text file of any length, plain or compressed by gzip, one after the other in memory for the longest.
 */
#ifndef LLMC_TEXT_LINE_READER_H
#define LLMC_TEXT_LINE_READER_H

#include "base/status.h"

#include <stddef.h>

struct llmc_line_reader {
    const char *path; /* the caller's */
    void *file;
    char *buffer;
    size_t capacity, begin, end; /* what is unread stands at buffer[begin .. end - 1] */
    size_t number;               /* of the last line, from 1 */
};

/* Errors: LLMC_ERR_IO, LLMC_ERR_FORMAT (a git-lfs pointer), LLMC_ERR_MEMORY; the reader is then empty. */
llmc_status llmc_line_reader_open(struct llmc_line_reader *reader, const char *path);

/* *line = the next line, ended by a zero byte, without its line end and without a byte order mark in front of the first;
 * NULL behind the last. It is valid until the next call. Errors, with file and line: LLMC_ERR_IO, LLMC_ERR_DATA (a damaged
 * gzip file, bytes that are not UTF-8, a zero byte), LLMC_ERR_MEMORY. */
llmc_status llmc_line_reader_next(struct llmc_line_reader *reader, char **line, size_t *nbytes_ret);

void llmc_line_reader_close(struct llmc_line_reader *reader); /* an empty one is fine */

#endif
