#include "base/memory.h"
#include "formats/hdf5/internal.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY_COUNT_MAX 100000

struct groups {
    struct llmc_h5 *file;
    const char *inside;
    char **names;
    size_t count, capacity;
    llmc_status status;
};

static llmc_status add_group(struct groups *groups, hid_t parent, const char *name, H5L_type_t link)
{
    H5O_info_t info;
    if (link != H5L_TYPE_HARD || H5Oget_info_by_name2(parent, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0 ||
        info.type != H5O_TYPE_GROUP)
        return llmc_error(LLMC_ERR_FORMAT, "%s: %s/%s: not a group", groups->file->path, groups->inside, name);
    if (groups->count == ENTRY_COUNT_MAX)
        return llmc_error(LLMC_ERR_FORMAT, "%s: %s: more than the %d entries allowed", groups->file->path,
                          groups->inside, ENTRY_COUNT_MAX);
    if (groups->count == groups->capacity) {
        size_t capacity = groups->capacity ? 2 * groups->capacity : 64;
        char **names = realloc(groups->names, capacity * sizeof *names);
        if (!names)
            return llmc_error(LLMC_ERR_MEMORY, "cannot allocate %zu bytes", capacity * sizeof *names);
        groups->names = names;
        groups->capacity = capacity;
    }
    llmc_status status = llmc_strdup(&groups->names[groups->count], name);
    groups->count += status == LLMC_OK;
    return status;
}

static herr_t visit_link(hid_t parent, const char *name, const H5L_info_t *info, void *argument)
{
    struct groups *groups = argument;
    groups->status = add_group(groups, parent, name, info->type);
    return groups->status == LLMC_OK ? H5_ITER_CONT : H5_ITER_ERROR;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

llmc_status llmc_h5_list_groups(struct llmc_h5 *file, const char *group, char ***names, size_t *count)
{
    struct groups groups = {.file = file, .inside = group, .status = LLMC_OK};
    *names = NULL;
    *count = 0;
    if (!llmc_h5_inside(file, group))
        return LLMC_OK;
    hid_t top = H5Gopen2(file->id, group[0] ? group : "/", H5P_DEFAULT);
    if (top < 0)
        return llmc_h5_error(file, LLMC_ERR_FORMAT, group, "cannot open this group");
    if (H5Literate(top, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, visit_link, &groups) < 0 && groups.status == LLMC_OK)
        groups.status = llmc_h5_error(file, LLMC_ERR_FORMAT, group, "cannot read this group");
    llmc_h5_drop(top);
    if (groups.status != LLMC_OK) {
        for (size_t i = 0; i < groups.count; i++)
            free(groups.names[i]);
        free(groups.names);
        return groups.status;
    }
    if (groups.count)
        qsort(groups.names, groups.count, sizeof *groups.names, compare_names);
    *names = groups.names;
    *count = groups.count;
    return LLMC_OK;
}
