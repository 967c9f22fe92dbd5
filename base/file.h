/*
 * Files that are never half-written under their final name: write to a
 * temporary name in the same folder, flush to the disk, rename.
 *
 *     char *temporary = NULL;
 *     LLMC_TRY(llmc_file_begin(path, &temporary));
 *     ... create and close the file `temporary` ...
 *     LLMC_TRY(llmc_file_commit(&temporary, path));
 * exit:
 *     llmc_file_abandon(&temporary);
 */
#ifndef LLMC_BASE_FILE_H
#define LLMC_BASE_FILE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *temporary = "PATH.tmp", which the caller then creates. An old file of that
 * name is removed first. Freed by commit or abandon. */
llmc_status llmc_file_begin(const char *path, char **temporary);

/* Flushes `*temporary` to the disk, renames it to `path` and flushes the
 * folder; frees and clears *temporary on success. Errors: LLMC_ERR_IO (a full
 * disk shows here at the latest); *temporary then stays for abandon. */
llmc_status llmc_file_commit(char **temporary, const char *path);

/* Removes the temporary file if there is one, frees the name. NULL inside ok.
 * Keeps this thread's error message. */
void llmc_file_abandon(char **temporary);

/* Writes `nbytes` bytes as the whole of `path`, by the steps above. */
llmc_status llmc_file_write(const char *path, const void *bytes, size_t nbytes);

/* Reads the whole of `path`; *bytes has one zero byte more behind the content
 * and belongs to the caller (free). *nbytes_ret may be NULL. Errors:
 * LLMC_ERR_IO (missing, a folder, unreadable), LLMC_ERR_FORMAT above
 * `nbytes_max`. */
llmc_status llmc_file_read(const char *path, size_t nbytes_max, char **bytes, size_t *nbytes_ret);

/* Whether `path` exists, and its size in bytes (0 when it does not exist). */
bool llmc_file_exists(const char *path);
uint64_t llmc_file_nbytes(const char *path);

/* Removes a file; a missing one is fine, and so is a failure: the file was of no more use. */
void llmc_file_remove(const char *path);

/* Makes a folder and its parents; an existing one is fine. */
llmc_status llmc_folder_make(const char *path);

/* *out = "FOLDER/NAME", or NAME alone when it is absolute or folder is empty or
 * NULL. The caller frees it. */
llmc_status llmc_path_join(char **out, const char *folder, const char *name);

#endif
