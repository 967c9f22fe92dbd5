#include "base/memory.h"
#include "formats/hdf5/internal.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_NBYTES_MAX ((size_t)16 << 20)

static const char *group_name(const char *group)
{
    return group[0] ? group : "/";
}

/* Fixed length: the text lies in the file as it is, and its size can be checked
 * before it is read. */
static hid_t make_text_type(size_t nbytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && (H5Tset_size(type, nbytes) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 ||
                      H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

static llmc_status attribute_error(const struct llmc_h5 *file, llmc_status code, const char *group, const char *name,
                                   const char *what)
{
    char object[512];
    snprintf(object, sizeof object, "attribute \"%s\" of %s", name, group_name(group));
    return llmc_h5_error(file, code, object, what);
}

static llmc_status write_attribute(struct llmc_h5 *file, const char *group, const char *name, hid_t type,
                                   const void *value)
{
    llmc_status status = LLMC_OK;
    hid_t space = H5I_INVALID_HID, attribute = H5I_INVALID_HID;
    LLMC_TRY(llmc_h5_make_groups(file, group));
    space = H5Screate(H5S_SCALAR);
    if (type >= 0 && space >= 0)
        attribute = H5Acreate_by_name(file->id, group_name(group), name, type, space, H5P_DEFAULT, H5P_DEFAULT,
                                      H5P_DEFAULT);
    if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
        status = attribute_error(file, LLMC_ERR_IO, group, name, "cannot write");
    else
        status = llmc_h5_check_disk(file, group_name(group));
exit:
    llmc_h5_drop(attribute);
    llmc_h5_drop(space);
    return status;
}

bool llmc_h5_has_attribute(struct llmc_h5 *file, const char *name)
{
    hid_t id;
    return llmc_h5_use_group(file, "", &id) == LLMC_OK && H5Aexists(id, name) > 0;
}

/* Opens an attribute that must be one value of this class. */
static llmc_status open_attribute(struct llmc_h5 *file, const char *group, const char *name, H5T_class_t class,
                                  hid_t *attribute, hid_t *type)
{
    llmc_status status = LLMC_OK;
    hid_t space = H5I_INVALID_HID, id;
    LLMC_TRY(llmc_h5_use_group(file, group, &id));
    if (H5Aexists(id, name) <= 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s has no attribute \"%s\"", file->path, group_name(group), name);
    *attribute = H5Aopen(id, name, H5P_DEFAULT);
    *type = *attribute < 0 ? H5I_INVALID_HID : H5Aget_type(*attribute);
    space = *attribute < 0 ? H5I_INVALID_HID : H5Aget_space(*attribute);
    if (*type < 0 || space < 0) {
        status = attribute_error(file, LLMC_ERR_FORMAT, group, name, "cannot open");
        goto exit;
    }
    if (H5Tget_class(*type) != class || H5Sget_simple_extent_npoints(space) != 1)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: attribute \"%s\" of %s is not one %s", file->path, name, group_name(group),
                  class == H5T_STRING ? "text" : class == H5T_INTEGER ? "integer" : "floating-point number");
exit:
    llmc_h5_drop(space);
    return status;
}

llmc_status llmc_h5_write_text(struct llmc_h5 *file, const char *group, const char *name, const char *text)
{
    size_t nbytes = strlen(text);
    if (nbytes > TEXT_NBYTES_MAX)
        return llmc_error(LLMC_ERR_ARGUMENT, "%s: attribute \"%s\" of %s: %zu bytes, more than the %zu allowed",
                          file->path, name, group_name(group), nbytes, TEXT_NBYTES_MAX);
    hid_t type = make_text_type(nbytes ? nbytes : 1);
    llmc_status status = write_attribute(file, group, name, type, text);
    llmc_h5_drop(type);
    return status;
}

llmc_status llmc_h5_read_text(struct llmc_h5 *file, const char *group, const char *name, char **text)
{
    llmc_status status = LLMC_OK;
    hid_t attribute = H5I_INVALID_HID, type = H5I_INVALID_HID;
    char *buffer = NULL;
    *text = NULL;
    LLMC_TRY(open_attribute(file, group, name, H5T_STRING, &attribute, &type));
    if (H5Tis_variable_str(type) != 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: attribute \"%s\" of %s is a text of variable length; allowed is fixed length",
                  file->path, name, group_name(group));
    size_t nbytes = H5Tget_size(type);
    if (nbytes > TEXT_NBYTES_MAX)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: attribute \"%s\" of %s: %zu bytes, more than the %zu allowed", file->path,
                  name, group_name(group), nbytes, TEXT_NBYTES_MAX);
    LLMC_TRY(llmc_alloc(&buffer, nbytes + 1, 1));
    if (H5Aread(attribute, type, buffer) < 0) {
        status = attribute_error(file, LLMC_ERR_FORMAT, group, name, "cannot read");
        goto exit;
    }
    *text = buffer;
    buffer = NULL;
exit:
    free(buffer);
    llmc_h5_drop(type);
    llmc_h5_drop(attribute);
    return status;
}

/* Reads one number of `class`, converted to `wanted`. */
static llmc_status read_number(struct llmc_h5 *file, const char *group, const char *name, H5T_class_t class,
                               hid_t wanted, void *value)
{
    llmc_status status = LLMC_OK;
    hid_t attribute = H5I_INVALID_HID, type = H5I_INVALID_HID;
    LLMC_TRY(open_attribute(file, group, name, class, &attribute, &type));
    if (H5Tget_size(type) > 8)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: attribute \"%s\" of %s: a number of %zu bytes; allowed are 8 at most",
                  file->path, name, group_name(group), H5Tget_size(type));
    if (H5Aread(attribute, wanted, value) < 0)
        status = attribute_error(file, LLMC_ERR_FORMAT, group, name, "cannot read");
exit:
    llmc_h5_drop(type);
    llmc_h5_drop(attribute);
    return status;
}

llmc_status llmc_h5_write_int(struct llmc_h5 *file, const char *group, const char *name, int64_t value)
{
    return write_attribute(file, group, name, H5T_STD_I64LE, &value);
}

llmc_status llmc_h5_read_int(struct llmc_h5 *file, const char *group, const char *name, int64_t *value)
{
    return read_number(file, group, name, H5T_INTEGER, H5T_STD_I64LE, value);
}

llmc_status llmc_h5_write_double(struct llmc_h5 *file, const char *group, const char *name, double value)
{
    return write_attribute(file, group, name, H5T_IEEE_F64LE, &value);
}

llmc_status llmc_h5_read_double(struct llmc_h5 *file, const char *group, const char *name, double *value)
{
    return read_number(file, group, name, H5T_FLOAT, H5T_IEEE_F64LE, value);
}
