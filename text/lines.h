/*
 * Text files, plain or compressed by gzip, and their lines.
 */
#ifndef LLMC_TEXT_LINES_H
#define LLMC_TEXT_LINES_H

#include "base/status.h"

#include <stddef.h>

/* Reads the whole of `path`, unpacked when its content is gzip's; *bytes has a
 * zero byte more behind the content and belongs to the caller (free). Errors:
 * LLMC_ERR_IO (missing, unreadable), LLMC_ERR_DATA (a damaged or truncated gzip
 * file, more than 4 GiB), LLMC_ERR_FORMAT (a git-lfs pointer). */
llmc_status llmc_text_file_read(const char *path, char **bytes, size_t *nbytes_ret);

/* Cuts at the next line end from *cursor on: returns the line, ended by a zero
 * byte and without its "\r", moves *cursor behind it and *number one up. NULL at
 * `end`, where one writable byte must stand. */
char *llmc_next_line(char **cursor, char *end, size_t *number, size_t *nbytes_ret);

#endif
