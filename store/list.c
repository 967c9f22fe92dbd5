/* What runs and entries there are, who uses what, and the removal of what nobody uses. */
#include "store/store.h"

#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Called for every name in a folder but those with a dot in front; false ends the walk. */
typedef llmc_status (*visit_fn)(void *context, const char *folder, const char *name);

static llmc_status visit_folder(const char *folder, visit_fn visit, void *context)
{
    llmc_status status = LLMC_OK;
    struct dirent *entry;
    DIR *directory = opendir(folder);
    if (!directory)
        return llmc_error(LLMC_ERR_IO, "%s: cannot open: %s", folder, strerror(errno));
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            LLMC_TRY(visit(context, folder, entry->d_name));
exit:
    closedir(directory);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* *array = one zeroed element of `size` bytes more; *count counts it. Returns the element or NULL. */
static void *grow(void *array, int32_t *count, size_t size)
{
    void **place = array;
    char *longer = realloc(*place, ((size_t)*count + 1) * size);
    if (!longer)
        return NULL;
    *place = longer;
    memset(longer + (size_t)*count * size, 0, size);
    return longer + (size_t)(*count)++ * size;
}

static llmc_status no_memory(void)
{
    return llmc_error(LLMC_ERR_MEMORY, "cannot allocate memory for the list of runs");
}

/* ---- entries ---- */

struct sizes {
    int64_t nbytes, newest;
    bool linked_too; /* count files that have another name elsewhere */
};

static llmc_status add_size(void *context, const char *folder, const char *name)
{
    struct sizes *sizes = context;
    struct stat of;
    char *path = NULL;
    llmc_status status = llmc_path_join(&path, folder, name);
    if (status == LLMC_OK && stat(path, &of) == 0 && S_ISREG(of.st_mode)) {
        if (sizes->linked_too || of.st_nlink == 1)
            sizes->nbytes += of.st_size;
        if (of.st_mtime > sizes->newest)
            sizes->newest = of.st_mtime;
    }
    free(path);
    return status;
}

static bool is_busy(const char *folder)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool busy = descriptor >= 0 && flock(descriptor, LOCK_SH | LOCK_NB) != 0;
    if (descriptor >= 0)
        close(descriptor);
    return busy;
}

static void read_kind(const char *folder, char kind[16])
{
    char *path = NULL;
    if (llmc_path_join(&path, folder, LLMC_STORE_RECORD) != LLMC_OK)
        return;
    json_t *record = json_load_file(path, 0, NULL);
    const char *text = json_string_value(json_object_get(record, "kind"));
    snprintf(kind, 16, "%s", text ? text : "");
    json_decref(record);
    free(path);
}

static llmc_status add_item(void *context, const char *folder, const char *name)
{
    struct llmc_store_list *list = context;
    struct sizes sizes = {.linked_too = true};
    llmc_status status = LLMC_OK;
    char *path = NULL;
    if (strlen(name) != LLMC_STORE_KEY_NBYTES - 1)
        return LLMC_OK; /* nothing of ours */
    LLMC_TRY(llmc_path_join(&path, folder, name));
    struct llmc_store_item *item = grow(&list->items, &list->item_count, sizeof *item);
    if (!item) {
        status = no_memory();
        goto exit;
    }
    memcpy(item->key, name, LLMC_STORE_KEY_NBYTES);
    LLMC_TRY(visit_folder(path, add_size, &sizes));
    item->nbytes = sizes.nbytes;
    item->made = sizes.newest;
    item->busy = is_busy(path);
    read_kind(path, item->kind);
exit:
    free(path);
    return status;
}

/* ---- runs ---- */

/* Where a walk over a run's records puts the keys that they name. */
struct user {
    struct llmc_store_list *list;
    int32_t run;
};

static llmc_status add_user(void *context, const char *folder, const char *name)
{
    const struct user *user = context;
    llmc_status status = LLMC_OK;
    char *path = NULL;
    json_t *record = NULL;
    if (!ends_with(name, ".json"))
        return LLMC_OK;
    LLMC_TRY(llmc_path_join(&path, folder, name));
    record = json_load_file(path, 0, NULL);
    const char *key = json_string_value(json_object_get(record, "key"));
    for (int32_t i = 0; key && i < user->list->item_count; i++) {
        struct llmc_store_item *item = &user->list->items[i];
        if (strcmp(item->key, key) != 0 || (item->user_count && item->users[item->user_count - 1] == user->run))
            continue;
        int32_t *place = grow(&item->users, &item->user_count, sizeof *item->users);
        if (!place) {
            status = no_memory();
            goto exit;
        }
        *place = user->run;
    }
exit:
    json_decref(record);
    free(path);
    return status;
}

static void read_report(const char *folder, struct llmc_store_run *run)
{
    char *path = NULL;
    run->accuracy = -1;
    if (llmc_path_join(&path, folder, "report.json") != LLMC_OK)
        return;
    json_t *report = json_load_file(path, 0, NULL), *row;
    size_t index;
    json_array_foreach(json_object_get(report, "stages"), index, row) {
        const json_t *accuracy = json_object_get(row, "dev_accuracy");
        const char *name = json_string_value(json_object_get(row, "name"));
        snprintf(run->last, sizeof run->last, "%s", name ? name : "");
        if (json_is_number(accuracy))
            run->accuracy = json_number_value(accuracy);
    }
    json_decref(report);
    free(path);
}

static llmc_status add_run(void *context, const char *folder, const char *name)
{
    struct llmc_store_list *list = context;
    struct sizes sizes = {0};
    llmc_status status = LLMC_OK;
    char *path = NULL, *config = NULL, *model = NULL;
    LLMC_TRY(llmc_path_join(&path, folder, name));
    LLMC_TRY(llmc_path_join(&config, path, "config.yaml"));
    LLMC_TRY(llmc_path_join(&model, path, "model.llmc"));
    if (!llmc_file_exists(config))
        goto exit; /* the store, or nothing of ours */
    struct llmc_store_run *run = grow(&list->runs, &list->run_count, sizeof *run);
    if (!run) {
        status = no_memory();
        goto exit;
    }
    LLMC_TRY(llmc_strdup(&run->name, name));
    LLMC_TRY(visit_folder(path, add_size, &sizes));
    run->nbytes = sizes.nbytes;
    run->made = sizes.newest;
    run->file_bytes = (int64_t)llmc_file_nbytes(model);
    read_report(path, run);
exit:
    free(path);
    free(config);
    free(model);
    return status;
}

static int compare_runs(const void *a, const void *b)
{
    return strcmp(((const struct llmc_store_run *)a)->name, ((const struct llmc_store_run *)b)->name);
}

/* By the first run that uses them, unused ones last; then by age. */
static int compare_items(const void *first, const void *second)
{
    const struct llmc_store_item *a = first, *b = second;
    int32_t x = a->user_count ? a->users[0] : INT32_MAX, y = b->user_count ? b->users[0] : INT32_MAX;
    if (x != y)
        return x < y ? -1 : 1;
    return a->made != b->made ? (a->made < b->made ? -1 : 1) : strcmp(a->key, b->key);
}

llmc_status llmc_store_list_read(struct llmc_store_list *list, const char *runs_folder)
{
    llmc_status status = LLMC_OK;
    char *store = NULL, *path = NULL;
    memset(list, 0, sizeof *list);
    LLMC_TRY(visit_folder(runs_folder, add_run, list));
    if (list->run_count > 1)
        qsort(list->runs, (size_t)list->run_count, sizeof *list->runs, compare_runs);
    LLMC_TRY(llmc_path_join(&store, runs_folder, LLMC_STORE_FOLDER));
    if (llmc_file_exists(store))
        LLMC_TRY(visit_folder(store, add_item, list));
    for (int32_t i = 0; i < list->run_count; i++) {
        struct user user = {list, i};
        free(path);
        path = NULL;
        LLMC_TRY(llmc_path_join(&path, runs_folder, list->runs[i].name));
        LLMC_TRY(visit_folder(path, add_user, &user));
    }
    if (list->item_count > 1)
        qsort(list->items, (size_t)list->item_count, sizeof *list->items, compare_items);
exit:
    free(store);
    free(path);
    if (status != LLMC_OK)
        llmc_store_list_release(list);
    return status;
}

void llmc_store_list_release(struct llmc_store_list *list)
{
    for (int32_t i = 0; i < list->item_count; i++)
        free(list->items[i].users);
    for (int32_t i = 0; i < list->run_count; i++)
        free(list->runs[i].name);
    free(list->items);
    free(list->runs);
    memset(list, 0, sizeof *list);
}

/* ---- removal ---- */

static llmc_status remove_file(void *context, const char *folder, const char *name)
{
    char *path = NULL;
    llmc_status status = llmc_path_join(&path, folder, name);
    (void)context;
    if (status == LLMC_OK && unlink(path) != 0)
        status = llmc_error(LLMC_ERR_IO, "%s: cannot remove: %s", path, strerror(errno));
    free(path);
    return status;
}

/* Whether a run uses the entry now: one may have found it since the list was read. */
static llmc_status is_used(const char *runs_folder, const char *key, bool *used)
{
    struct llmc_store_list now;
    llmc_status status = llmc_store_list_read(&now, runs_folder);
    *used = true;
    if (status != LLMC_OK)
        return status;
    for (int32_t i = 0; i < now.item_count; i++)
        if (strcmp(now.items[i].key, key) == 0)
            *used = now.items[i].user_count > 0;
    llmc_store_list_release(&now);
    return LLMC_OK;
}

/* Removes one entry, locked meanwhile; *removed tells whether. */
static llmc_status remove_item(const char *runs_folder, const struct llmc_store_item *item, bool *removed)
{
    llmc_status status = LLMC_OK;
    char *folder = NULL;
    bool used;
    int descriptor = -1;
    *removed = false;
    LLMC_TRY(llmc_format(&folder, "%s/" LLMC_STORE_FOLDER "/%s", runs_folder, item->key));
    descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 || flock(descriptor, LOCK_EX | LOCK_NB) != 0)
        goto exit; /* gone, or a process works on it */
    LLMC_TRY(is_used(runs_folder, item->key, &used));
    if (used)
        goto exit;
    LLMC_TRY(visit_folder(folder, remove_file, NULL));
    if (rmdir(folder) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot remove: %s", folder, strerror(errno));
    *removed = true;
exit:
    if (descriptor >= 0)
        close(descriptor);
    free(folder);
    return status;
}

llmc_status llmc_store_clean(const struct llmc_store_list *list, const char *runs_folder, int32_t *removed,
                             int64_t *nbytes)
{
    *removed = 0;
    *nbytes = 0;
    for (int32_t i = 0; i < list->item_count; i++) {
        bool gone;
        if (list->items[i].user_count)
            continue;
        llmc_status status = remove_item(runs_folder, &list->items[i], &gone);
        if (status != LLMC_OK)
            return status;
        *removed += gone;
        *nbytes += gone ? list->items[i].nbytes : 0;
    }
    return LLMC_OK;
}
