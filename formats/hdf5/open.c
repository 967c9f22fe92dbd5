#include "base/memory.h"
#include "formats/hdf5/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_NBYTES_MAX 1023

/* How many attributes and links of the root lie in its header, without an index of their own. */
enum { INLINE = 64 };

/* libhdf5 prints its error stack to stderr unless told not to. The switch is
 * per thread, hence set at every open and create. */
static void keep_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* Upward, the first entry is the innermost: what went wrong, not who called. */
static herr_t take_first(unsigned depth, const H5E_error2_t *entry, void *text)
{
    (void)depth;
    if (!entry->desc || !entry->desc[0])
        return H5_ITER_CONT;
    snprintf(text, 200, "%s", entry->desc);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    return H5_ITER_STOP;
}

llmc_status llmc_h5_error(const struct llmc_h5 *file, llmc_status code, const char *object, const char *what)
{
    char reason[200] = "";
    if (file->disk_error)
        snprintf(reason, sizeof reason, "%s", strerror(file->disk_error));
    else
        H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, reason);
    return llmc_error(code, "%s: %s%s%s%s%s%s", file->path, object, object[0] ? ": " : "", what,
                      reason[0] ? " (" : "", reason, reason[0] ? ")" : "");
}

llmc_status llmc_h5_check_disk(const struct llmc_h5 *file, const char *object)
{
    return file->disk_error ? llmc_h5_error(file, LLMC_ERR_IO, object, "cannot write") : LLMC_OK;
}

void llmc_h5_drop(hid_t id)
{
    if (id >= 0)
        H5Idec_ref(id);
}

static llmc_status new_file(struct llmc_h5 **out, const char *path)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *file = NULL;
    *out = NULL;
    keep_quiet();
    LLMC_TRY(llmc_alloc(&file, 1, sizeof *file));
    file->id = H5I_INVALID_HID;
    file->group = H5I_INVALID_HID;
    LLMC_TRY(llmc_strdup(&file->path, path));
    *out = file;
    file = NULL;
exit:
    free(file);
    return status;
}

/* Closing the file closes what is open in it. source NULL: the file of its name. */
static hid_t access_list(struct llmc_h5 *file, const struct llmc_source *source)
{
    hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    if (list >= 0 && (!(source ? llmc_h5_use_source(list, source, &file->disk_error)
                               : llmc_h5_use_driver(list, &file->disk_error)) ||
                      H5Pset_fclose_degree(list, H5F_CLOSE_STRONG) < 0)) {
        H5Pclose(list);
        return H5I_INVALID_HID;
    }
    return list;
}

const char *llmc_h5_path(const struct llmc_h5 *file)
{
    return file->path;
}

llmc_status llmc_h5_create(struct llmc_h5 **out, const char *path, uint64_t user_block_nbytes)
{
    llmc_status status = LLMC_OK;
    hid_t creation = H5I_INVALID_HID, access = H5I_INVALID_HID;
    LLMC_TRY(new_file(out, path));
    (*out)->writing = true;
    creation = H5Pcreate(H5P_FILE_CREATE);
    access = access_list(*out, NULL);
    /* Version 1.10 of the format has checksums on its metadata, attributes above
     * 64 KiB, and 16 bytes of index for a chunk. Metadata are not set aside in
     * blocks, whose rest would stay in the file. */
    if (creation < 0 || access < 0 || H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0 ||
        H5Pset_userblock(creation, user_block_nbytes) < 0 ||
        H5Pset_attr_phase_change(creation, INLINE, 0) < 0 || H5Pset_link_phase_change(creation, INLINE, 0) < 0 ||
        H5Pset_meta_block_size(access, 0) < 0 || H5Pset_small_data_block_size(access, 0) < 0 ||
        H5Pset_obj_track_times(creation, false) < 0) {
        status = llmc_h5_error(*out, LLMC_ERR_ARGUMENT, "", "cannot prepare the file");
        goto exit;
    }
    (*out)->id = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    if ((*out)->id < 0)
        status = llmc_h5_error(*out, LLMC_ERR_IO, "", "cannot create");
exit:
    llmc_h5_drop(creation);
    llmc_h5_drop(access);
    if (status != LLMC_OK)
        llmc_h5_abandon(out);
    return status;
}

/* Opens for reading, when name and size are known. */
static llmc_status open_read(struct llmc_h5 *file, const struct llmc_source *source, uint64_t nbytes)
{
    llmc_status status = LLMC_OK;
    hid_t access = access_list(file, source);
    file->nbytes = nbytes;
    file->id = access < 0 ? H5I_INVALID_HID : H5Fopen(file->path, H5F_ACC_RDONLY, access);
    if (file->id < 0)
        status = llmc_h5_error(file, LLMC_ERR_FORMAT, "", "cannot open as an HDF5 file");
    llmc_h5_drop(access);
    return status;
}

llmc_status llmc_h5_open(struct llmc_h5 **out, const char *path)
{
    llmc_status status = LLMC_OK;
    struct stat info;
    LLMC_TRY(new_file(out, path));
    if (stat(path, &info) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        LLMC_FAIL(LLMC_ERR_IO, "%s: not a regular file", path);
    LLMC_TRY(open_read(*out, NULL, (uint64_t)info.st_size));
exit:
    if (status != LLMC_OK)
        llmc_h5_abandon(out);
    return status;
}

llmc_status llmc_h5_open_source(struct llmc_h5 **out, const struct llmc_source *source)
{
    llmc_status status = LLMC_OK;
    H5E_auto2_t printer = NULL;
    void *printer_data = NULL;
    bool known = H5Eget_auto2(H5E_DEFAULT, &printer, &printer_data) >= 0;
    LLMC_TRY(new_file(out, source->name));
    (*out)->source = source;
    (*out)->restore_printer = known;
    (*out)->printer = printer;
    (*out)->printer_data = printer_data;
    LLMC_TRY(open_read(*out, source, source->nbytes));
exit:
    if (status != LLMC_OK)
        llmc_h5_abandon(out);
    return status;
}

static void free_file(struct llmc_h5 **file)
{
    if ((*file)->restore_printer)
        H5Eset_auto2(H5E_DEFAULT, (*file)->printer, (*file)->printer_data);
    free((*file)->group_name);
    free((*file)->path);
    free(*file);
    *file = NULL;
}

llmc_status llmc_h5_close(struct llmc_h5 **file)
{
    llmc_status status = LLMC_OK;
    if (!*file)
        return status;
    if ((*file)->id >= 0 && H5Fclose((*file)->id) < 0)
        status = llmc_h5_error(*file, LLMC_ERR_IO, "", "cannot close");
    else if ((*file)->writing)
        status = llmc_h5_check_disk(*file, "");
    free_file(file);
    return status;
}

void llmc_h5_abandon(struct llmc_h5 **file)
{
    if (!*file)
        return;
    if ((*file)->id >= 0) {
        if ((*file)->writing && !(*file)->disk_error)
            (*file)->disk_error = EIO; /* nobody wants the rest: spare the disk */
        H5Fclose((*file)->id);
    }
    free_file(file);
}

/* Calls `visit` for each leading part of `name`: "a", "a/b", "a/b/c". False as
 * soon as it says so, and for a name that is no plain path. */
static bool each_part(const struct llmc_h5 *file, const char *name,
                      bool (*visit)(const struct llmc_h5 *file, const char *part))
{
    char part[NAME_NBYTES_MAX + 1];
    size_t nbytes = strlen(name);
    if (nbytes == 0)
        return true;
    if (nbytes > NAME_NBYTES_MAX)
        return false;
    for (size_t begin = 0, end; begin <= nbytes; begin = end + 1) {
        end = begin + strcspn(name + begin, "/");
        if (end == begin || (end == begin + 1 && name[begin] == '.'))
            return false;
        memcpy(part, name, end);
        part[end] = '\0';
        if (!visit(file, part))
            return false;
    }
    return true;
}

static bool is_hard_link(const struct llmc_h5 *file, const char *part)
{
    H5L_info_t info;
    return H5Lexists(file->id, part, H5P_DEFAULT) > 0 && H5Lget_info(file->id, part, &info, H5P_DEFAULT) >= 0 &&
           info.type == H5L_TYPE_HARD;
}

bool llmc_h5_inside(const struct llmc_h5 *file, const char *name)
{
    return each_part(file, name, is_hard_link);
}

llmc_status llmc_h5_use_group(struct llmc_h5 *file, const char *name, hid_t *id)
{
    if (file->group_name && strcmp(file->group_name, name) == 0) {
        *id = file->group;
        return LLMC_OK;
    }
    if (!llmc_h5_inside(file, name))
        return llmc_error(LLMC_ERR_FORMAT, "%s: no group \"%s\"", file->path, name);
    llmc_h5_drop(file->group);
    free(file->group_name);
    file->group_name = NULL;
    file->group = H5Gopen2(file->id, name[0] ? name : "/", H5P_DEFAULT);
    if (file->group < 0)
        return llmc_h5_error(file, LLMC_ERR_FORMAT, name, "cannot open this group");
    *id = file->group;
    return llmc_strdup(&file->group_name, name);
}

static bool make_group(const struct llmc_h5 *file, const char *part)
{
    if (is_hard_link(file, part))
        return true;
    hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
    hid_t group = H5I_INVALID_HID;
    if (creation >= 0 && H5Pset_obj_track_times(creation, false) >= 0)
        group = H5Gcreate2(file->id, part, H5P_DEFAULT, creation, H5P_DEFAULT);
    bool made = group >= 0;
    llmc_h5_drop(group);
    llmc_h5_drop(creation);
    return made;
}

llmc_status llmc_h5_make_groups(struct llmc_h5 *file, const char *name)
{
    if (!each_part(file, name, make_group))
        return llmc_error(LLMC_ERR_IO, "%s: %s: cannot make this group", file->path, name);
    return LLMC_OK;
}
