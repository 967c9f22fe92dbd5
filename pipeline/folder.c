#include "pipeline/folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "pipeline/teachers.h"
#include "stage/training.h"
#include "store/store.h"
#include "text/labels.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

llmc_status llmc_run_folder_open(struct llmc_run_folder *folder, const struct llmc_config *config,
                                 const char *runs_folder)
{
    llmc_status status = LLMC_OK;
    char *yaml = NULL, *log_path = NULL;
    memset(folder, 0, sizeof *folder);
    LLMC_TRY(llmc_path_join(&folder->path, runs_folder, config->name));
    LLMC_TRY(llmc_folder_make(folder->path));
    LLMC_TRY(llmc_path_join(&folder->config_path, folder->path, "config.yaml"));
    LLMC_TRY(llmc_path_join(&folder->report_path, folder->path, "report.json"));
    LLMC_TRY(llmc_path_join(&log_path, folder->path, "log.txt"));
    folder->log = fopen(log_path, "ae"); /* the lock must not live on in a measuring process */
    if (!folder->log)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot open: %s", log_path, strerror(errno));
    if (flock(fileno(folder->log), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        LLMC_FAIL(LLMC_ERR_IO, "%s: another llmc-distill works in this folder", folder->path);
    LLMC_TRY(llmc_config_write(config, &yaml));
    LLMC_TRY(llmc_file_write(folder->config_path, yaml, strlen(yaml)));
    fprintf(folder->log, "\n# %s, effective configuration:\n%s\n", config->path, yaml);
exit:
    free(yaml);
    free(log_path);
    return status;
}

void llmc_run_folder_release(struct llmc_run_folder *folder)
{
    if (folder->log)
        fclose(folder->log);
    free(folder->path);
    free(folder->config_path);
    free(folder->report_path);
    memset(folder, 0, sizeof *folder);
}

llmc_status llmc_run_folder_write_labels(const struct llmc_run_folder *folder, const struct llmc_labels *labels)
{
    llmc_status status = LLMC_OK;
    char *text = NULL, *path = NULL;
    LLMC_TRY(llmc_labels_lines(labels, &text));
    LLMC_TRY(llmc_path_join(&path, folder->path, "labels.txt"));
    LLMC_TRY(llmc_file_write(path, text, strlen(text)));
exit:
    free(text);
    free(path);
    return status;
}

/* FILE as FOLDER/NAME SUFFIX. */
static llmc_status link_as(const struct llmc_run_folder *folder, const char *file, const char *name, const char *suffix)
{
    char *path = NULL;
    llmc_status status = llmc_format(&path, "%s/%s%s", folder->path, name, suffix);
    if (status == LLMC_OK)
        status = llmc_store_link(file, path);
    free(path);
    return status;
}

llmc_status llmc_run_folder_link(const struct llmc_run_folder *folder, const struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    const struct llmc_stage_type *type = work->type;
    char *metrics = NULL;
    if (type->product && type->suffix)
        LLMC_TRY(link_as(folder, work->product_path, work->stage->name, type->suffix));
    if (type->kind.makes & LLMC_THING_FILE)
        LLMC_TRY(link_as(folder, work->product_path, "model", type->suffix));
    LLMC_TRY(llmc_stage_path(work, LLMC_METRICS_FILE, &metrics));
    if (llmc_file_exists(metrics))
        LLMC_TRY(link_as(folder, metrics, work->stage->name, "." LLMC_METRICS_FILE));
exit:
    free(metrics);
    return status;
}

/* "03-distill.h5": two digits and a dash, then the stage's kind up to a dot. */
static bool is_stage_file(const char *name)
{
    return name[0] >= '0' && name[0] <= '9' && name[1] >= '0' && name[1] <= '9' && name[2] == '-';
}

static bool has_stage(const struct llmc_config *config, const char *name)
{
    size_t length = strcspn(name, ".");
    int32_t teacher = 0;
    const char *number = strstr(name, "-teacher-");
    if (number && number < name + length) { /* one of several: "01-teacher-2" */
        teacher = atoi(number + strlen("-teacher-"));
        length = (size_t)(number - name) + strlen("-teacher");
        if (teacher > llmc_run_teacher_count(config))
            return false;
    }
    if (strncmp(name, "00-teacher", length) == 0 || strncmp(name, "00-start", length) == 0)
        return true; /* the given teacher, which no stage makes */
    for (int32_t i = 0; i < config->stage_count; i++)
        if (strlen(config->stages[i].name) == length && strncmp(config->stages[i].name, name, length) == 0)
            return true;
    return false;
}

llmc_status llmc_run_folder_prune(const struct llmc_run_folder *folder, const struct llmc_config *config)
{
    llmc_status status = LLMC_OK;
    struct dirent *entry;
    DIR *directory = opendir(folder->path);
    if (!directory)
        return llmc_error(LLMC_ERR_IO, "%s: cannot open: %s", folder->path, strerror(errno));
    while ((entry = readdir(directory))) {
        char *path;
        if (!is_stage_file(entry->d_name) || has_stage(config, entry->d_name))
            continue;
        LLMC_TRY(llmc_path_join(&path, folder->path, entry->d_name));
        llmc_file_remove(path);
        free(path);
    }
exit:
    closedir(directory);
    return status;
}
