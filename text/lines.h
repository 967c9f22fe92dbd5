/*
 * Text files, plain or compressed by gzip, and their lines.
 */
#ifndef LLMC_TEXT_LINES_H
#define LLMC_TEXT_LINES_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Reads the whole of `path`, unpacked when its content is gzip's; *bytes has a
 * zero byte more behind the content and belongs to the caller (free). Errors:
 * LLMC_ERR_IO (missing, unreadable), LLMC_ERR_DATA (a damaged or truncated gzip
 * file, more than 4 GiB), LLMC_ERR_FORMAT (a git-lfs pointer). */
llmc_status llmc_text_file_read(const char *path, char **bytes, size_t *nbytes_ret);

/* Cuts at the next line end from *cursor on: returns the line, ended by a zero
 * byte and without its "\r", moves *cursor behind it and *number one up. NULL at
 * `end`, where one writable byte must stand. */
char *llmc_next_line(char **cursor, char *end, size_t *number, size_t *nbytes_ret);

/* What is wrong with a zlib file (gzFile) that could not be read. */
llmc_status llmc_text_gzip_error(void *file, const char *path);

/* Refuses a line that is not UTF-8, or has a zero byte, which our strings cannot hold: LLMC_ERR_DATA with the byte. */
llmc_status llmc_text_check(const char *path, size_t number, const char *line, size_t nbytes);

/* The columns of a line of a TSV file. */
int32_t llmc_text_columns(const char *line);

/* *out = where the column `name` stands in a header line; -1 for NULL and "". Errors: LLMC_ERR_DATA (missing: lists those
 * that are there; there twice). */
llmc_status llmc_text_find_column(int32_t *out, const char *header, const char *name, const char *path);

#endif
