/*
 * Git repositories with large files hold a text of three lines in place of each until git-lfs has fetched them
 * (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md). Who copies such a folder gets the texts.
 */
#ifndef LLMC_BASE_LFS_POINTER_H
#define LLMC_BASE_LFS_POINTER_H

#include "base/status.h"

#include <stddef.h>

/* LLMC_ERR_FORMAT when the content of `path` starts as such a pointer does: names git-lfs and what fetches the file. */
llmc_status llmc_lfs_pointer_refuse(const char *path, const void *bytes, size_t nbytes);

#endif
