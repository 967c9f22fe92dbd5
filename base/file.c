#include "base/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static llmc_status io_error(const char *path, const char *what)
{
    return llmc_error(LLMC_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

llmc_status llmc_file_begin(const char *path, char **temporary)
{
    llmc_status status = llmc_format(temporary, "%s.tmp", path);
    if (status != LLMC_OK)
        return status;
    if (unlink(*temporary) != 0 && errno != ENOENT)
        return io_error(*temporary, "cannot remove an old temporary file");
    return LLMC_OK;
}

static llmc_status sync_path(const char *path, int flags)
{
    int file = open(path, flags | O_CLOEXEC);
    if (file < 0)
        return io_error(path, "cannot open");
    int failed = fsync(file);
    llmc_status status = failed ? io_error(path, "cannot write to the disk") : LLMC_OK;
    if (close(file) != 0 && !failed)
        status = io_error(path, "cannot write to the disk");
    return status;
}

llmc_status llmc_file_commit(char **temporary, const char *path)
{
    llmc_status status = LLMC_OK;
    char *copy = NULL;
    LLMC_TRY(sync_path(*temporary, O_RDONLY));
    if (rename(*temporary, path) != 0) {
        status = io_error(path, "cannot rename the temporary file to this name");
        goto exit;
    }
    free(*temporary);
    *temporary = NULL;
    LLMC_TRY(llmc_strdup(&copy, path));
    LLMC_TRY(sync_path(dirname(copy), O_RDONLY | O_DIRECTORY));
exit:
    free(copy);
    return status;
}

void llmc_file_abandon(char **temporary)
{
    if (!*temporary)
        return;
    unlink(*temporary);
    free(*temporary);
    *temporary = NULL;
}

llmc_status llmc_file_write(const char *path, const void *bytes, size_t nbytes)
{
    llmc_status status = LLMC_OK;
    char *temporary = NULL;
    FILE *file = NULL;
    LLMC_TRY(llmc_file_begin(path, &temporary));
    file = fopen(temporary, "wb");
    if (!file || fwrite(bytes, 1, nbytes, file) != nbytes || fflush(file) != 0) {
        status = io_error(temporary, "cannot write");
        goto exit;
    }
    LLMC_TRY(llmc_file_commit(&temporary, path));
exit:
    if (file)
        fclose(file);
    llmc_file_abandon(&temporary);
    return status;
}

llmc_status llmc_file_read(const char *path, size_t nbytes_max, char **bytes, size_t *nbytes_ret)
{
    llmc_status status = LLMC_OK;
    struct stat info;
    char *buffer = NULL;
    size_t nbytes = 0;
    *bytes = NULL;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &info) != 0) {
        status = io_error(path, "cannot open");
        goto exit;
    }
    if (!S_ISREG(info.st_mode))
        LLMC_FAIL(LLMC_ERR_IO, "%s: not a regular file", path);
    nbytes = (size_t)info.st_size;
    if (nbytes > nbytes_max)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %zu bytes, more than the %zu allowed", path, nbytes, nbytes_max);
    LLMC_TRY(llmc_alloc(&buffer, nbytes + 1, 1));
    if (fread(buffer, 1, nbytes, file) != nbytes)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot read %zu bytes", path, nbytes);
    *bytes = buffer;
    buffer = NULL;
    if (nbytes_ret)
        *nbytes_ret = nbytes;
exit:
    free(buffer);
    if (file)
        fclose(file);
    return status;
}

bool llmc_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

uint64_t llmc_file_nbytes(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

void llmc_file_remove(const char *path)
{
    unlink(path);
}

llmc_status llmc_folder_make(const char *path)
{
    char *copy = NULL;
    llmc_status status = llmc_strdup(&copy, path);
    if (status != LLMC_OK)
        return status;
    for (char *slash = copy + 1;; slash++) {
        char kept = *slash;
        if (kept != '/' && kept != '\0')
            continue;
        *slash = '\0';
        struct stat info;
        if (mkdir(copy, 0777) != 0 && !(errno == EEXIST && stat(copy, &info) == 0 && S_ISDIR(info.st_mode))) {
            status = io_error(copy, "cannot make this folder");
            break;
        }
        *slash = kept;
        if (kept == '\0')
            break;
    }
    free(copy);
    return status;
}

llmc_status llmc_path_join(char **out, const char *folder, const char *name)
{
    if (!folder || !*folder || name[0] == '/')
        return llmc_strdup(out, name);
    return llmc_format(out, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name);
}
