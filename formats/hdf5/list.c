#include "base/memory.h"
#include "formats/hdf5/internal.h"

#include <stdlib.h>
#include <string.h>

#define LINK_COUNT_MAX 100000
#define DEPTH_MAX 32 /* a group may contain itself in a damaged file */

struct listing {
    const struct llmc_h5 *file;
    char **names;
    size_t count, capacity, seen; /* seen: links, groups among them */
    const char *prefix;           /* of the group that is being visited */
    int depth;
    llmc_status status;
};

static llmc_status add_name(struct listing *listing, char **name)
{
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity ? 2 * listing->capacity : 64;
        char **names = realloc(listing->names, capacity * sizeof *names);
        if (!names)
            return llmc_error(LLMC_ERR_MEMORY, "cannot allocate %zu bytes", capacity * sizeof *names);
        listing->names = names;
        listing->capacity = capacity;
    }
    listing->names[listing->count++] = *name;
    *name = NULL;
    return LLMC_OK;
}

static llmc_status visit_group(struct listing *listing, hid_t group, const char *prefix);

/* Takes arrays, descends into groups, passes over links out of the file and named types. */
static llmc_status visit(struct listing *listing, hid_t group, const char *link)
{
    llmc_status status = LLMC_OK;
    char *name = NULL;
    hid_t object = H5I_INVALID_HID;
    if (++listing->seen > LINK_COUNT_MAX)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: more than the %d objects allowed", listing->file->path, LINK_COUNT_MAX);
    LLMC_TRY(llmc_format(&name, "%s%s%s", listing->prefix, listing->prefix[0] ? "/" : "", link));
    object = H5Oopen(group, link, H5P_DEFAULT);
    if (object < 0) {
        status = llmc_h5_error(listing->file, LLMC_ERR_FORMAT, name, "cannot open");
        goto exit;
    }
    H5I_type_t kind = H5Iget_type(object);
    if (kind == H5I_DATASET)
        LLMC_TRY(add_name(listing, &name));
    else if (kind == H5I_GROUP)
        LLMC_TRY(visit_group(listing, object, name));
exit:
    if (object >= 0)
        H5Oclose(object);
    free(name);
    return status;
}

static herr_t visit_link(hid_t group, const char *link, const H5L_info_t *info, void *argument)
{
    struct listing *listing = argument;
    if (info->type == H5L_TYPE_HARD)
        listing->status = visit(listing, group, link);
    return listing->status == LLMC_OK ? H5_ITER_CONT : H5_ITER_ERROR;
}

static llmc_status visit_group(struct listing *listing, hid_t group, const char *prefix)
{
    const char *outer = listing->prefix;
    if (listing->depth == DEPTH_MAX)
        return llmc_error(LLMC_ERR_FORMAT, "%s: %s: groups are nested more than %d deep", listing->file->path, prefix,
                          DEPTH_MAX);
    listing->depth++;
    listing->prefix = prefix;
    herr_t result = H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, visit_link, listing);
    listing->prefix = outer;
    listing->depth--;
    if (listing->status == LLMC_OK && result < 0)
        listing->status = llmc_h5_error(listing->file, LLMC_ERR_FORMAT, prefix, "cannot read this group");
    return listing->status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

llmc_status llmc_h5_list(struct llmc_h5 *file, const char *group, char ***names, size_t *count)
{
    llmc_status status = LLMC_OK;
    struct listing listing = {.file = file, .prefix = "", .status = LLMC_OK};
    hid_t top = H5I_INVALID_HID;
    *names = NULL;
    *count = 0;
    if (!llmc_h5_inside(file, group))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: no group \"%s\"", file->path, group);
    top = H5Gopen2(file->id, group[0] ? group : "/", H5P_DEFAULT);
    if (top < 0) {
        status = llmc_h5_error(file, LLMC_ERR_FORMAT, group, "cannot open this group");
        goto exit;
    }
    LLMC_TRY(visit_group(&listing, top, group));
    if (listing.count)
        qsort(listing.names, listing.count, sizeof *listing.names, compare_names);
    *names = listing.names;
    *count = listing.count;
exit:
    llmc_h5_drop(top);
    if (status != LLMC_OK) {
        for (size_t i = 0; i < listing.count; i++)
            free(listing.names[i]);
        free(listing.names);
    }
    return status;
}
