/* Runs a fuzz target on every file of the folders: replay FOLDER... */
#include "base/file.h"
#include "base/memory.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { NBYTES_MAX = 1 << 20 };

static llmc_status replay(const char *path)
{
    char *bytes;
    size_t nbytes;
    llmc_status status = llmc_file_read(path, NBYTES_MAX, &bytes, &nbytes);
    if (status != LLMC_OK)
        return status;
    printf("%s\n", path);
    fflush(stdout); /* the last name is the one that crashed */
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, nbytes);
    free(bytes);
    return LLMC_OK;
}

static llmc_status replay_folder(const char *folder, int *count)
{
    llmc_status status = LLMC_OK;
    DIR *entries = opendir(folder);
    struct dirent *entry;
    if (!entries)
        return llmc_error(LLMC_ERR_IO, "%s: cannot open this folder", folder);
    while (status == LLMC_OK && (entry = readdir(entries))) {
        char *path;
        if (entry->d_name[0] == '.')
            continue;
        status = llmc_path_join(&path, folder, entry->d_name);
        if (status == LLMC_OK)
            status = replay(path);
        free(path);
        ++*count;
    }
    closedir(entries);
    return status;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        llmc_status status = replay_folder(argv[i], &count);
        if (status != LLMC_OK) {
            fprintf(stderr, "%s\n", llmc_error_message());
            return llmc_status_exit(status);
        }
    }
    printf("%d inputs\n", count);
    return count == 0;
}
