#include "config/paths.h"

#include "base/file.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENVIRONMENT "LLMC_DATA"
#define FALLBACK "data"

static const char *data_root(void)
{
    const char *root = getenv(ENVIRONMENT);
    return root && root[0] ? root : NULL;
}

/* *out = the first of the places where `file` of `folder` exists, or NULL. */
static llmc_status find(const char *folder, const char *file, char **out)
{
    llmc_status status = LLMC_OK;
    const char *roots[] = {data_root(), FALLBACK};
    char *place = NULL;
    char *path = NULL;
    *out = NULL;
    for (size_t i = 0; i < 2 && !*out; i++) {
        if (!roots[i])
            continue;
        LLMC_TRY(llmc_path_join(&place, roots[i], folder));
        if (file)
            LLMC_TRY(llmc_path_join(&path, place, file));
        if (llmc_file_exists(file ? path : place)) {
            *out = file ? path : place;
            *(file ? &path : &place) = NULL;
        }
        free(place);
        free(path);
        place = path = NULL;
    }
exit:
    free(place);
    free(path);
    return status;
}

/* Records what is missing, by what `folder` is: data (GLUE's SST-2) or a teacher. */
static llmc_status missing(const struct llmc_config *config, const char *folder, const char *file)
{
    const char *root = data_root();
    bool is_teacher = config->teacher.folder && strcmp(folder, config->teacher.folder) == 0;
    for (int32_t i = 1; i < config->teacher.folders.count; i++)
        is_teacher = is_teacher || strcmp(folder, config->teacher.folders.texts[i]) == 0;
    char tried[512];
    if (folder[0] == '/' || (file && file[0] == '/'))
        snprintf(tried, sizeof tried, "no such place");
    else if (root)
        snprintf(tried, sizeof tried, "neither in $%s (%.300s) nor in ./%s", ENVIRONMENT, root, FALLBACK);
    else
        snprintf(tried, sizeof tried, "not in ./%s, and $%s is not set", FALLBACK, ENVIRONMENT);
    llmc_error(LLMC_ERR_IO, "%.200s%s%.100s: %s. %s", file && file[0] == '/' ? "" : folder,
               file && file[0] != '/' ? "/" : "", file ? file : "", tried,
               is_teacher ? "A teacher is a folder in Hugging Face's layout (config.json, model.safetensors, vocab.txt "
                            "or tokenizer.json): name it in teacher.folder, or set LLMC_DATA to the folder it is in"
                          : "SST-2 comes from GLUE: download SST-2.zip from gluebenchmark.com/tasks and unpack it to "
                            "FOLDER/sst2 with train.tsv and dev.tsv; then set LLMC_DATA=FOLDER, or name the place in "
                            "data.folder. For the small default data run ./quickstart");
    return llmc_error_prefix(LLMC_ERR_IO, "%.200s: %s", config->path, is_teacher ? "teacher.folder" : "data.folder");
}

llmc_status llmc_config_path(const struct llmc_config *config, const char *folder, const char *file, char **out)
{
    llmc_status status = find(folder, file, out);
    if (status == LLMC_OK && !*out)
        status = missing(config, folder, file);
    return status;
}
