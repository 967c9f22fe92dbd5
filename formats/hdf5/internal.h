/* What the files of formats/hdf5/ share; nobody else includes it. */
#ifndef LLMC_FORMATS_HDF5_INTERNAL_H
#define LLMC_FORMATS_HDF5_INTERNAL_H

#include "formats/hdf5/file.h"

#include <hdf5.h>

struct llmc_h5 {
    hid_t id;
    char *path;
    uint64_t nbytes; /* size when opened for reading; bounds every size that the file claims */
    bool writing;
    const struct llmc_source *source; /* NULL: opened by its name */
    bool shift_known;                 /* of a source: what an address of libhdf5 misses to a place in it */
    uint64_t shift;
    int disk_error; /* errno of the first read or write that failed; 0 when none has */
    /* When reading, the group that was opened last and its name: attributes and arrays are mostly asked for group by
     * group, and finding one by its path takes libhdf5 longer than reading it. H5I_INVALID_HID: none. */
    hid_t group;
    char *group_name;
    /* Of a file opened from a source: how this thread's libhdf5 printed errors before, for the program that we are a
     * library of. */
    bool restore_printer;
    H5E_auto2_t printer;
    void *printer_data;
};

/* Makes files opened with this access list go through the driver of
 * driver.c, which notes the first errno in *disk_error. */
bool llmc_h5_use_driver(hid_t access, int *disk_error);

/* The same with the bytes of a source (source_driver.c). */
bool llmc_h5_use_source(hid_t access, const struct llmc_source *source, int *disk_error);

/* Records "PATH: OBJECT: WHAT (REASON)", where the reason is the disk's error or
 * the innermost of libhdf5's error stack. To be called directly after the
 * failing call: the next one clears the stack. */
llmc_status llmc_h5_error(const struct llmc_h5 *file, llmc_status code, const char *object, const char *what);

/* LLMC_ERR_IO when the disk has failed since the file was opened. */
llmc_status llmc_h5_check_disk(const struct llmc_h5 *file, const char *object);

/* Closes a handle of any kind; H5I_INVALID_HID ok. */
void llmc_h5_drop(hid_t id);

/* Whether each part of `name` ("" is the root) is there and linked by a hard
 * link, so that opening it stays inside the file. */
bool llmc_h5_inside(const struct llmc_h5 *file, const char *name);

/* *id = the group `name`, inside the file; the file's, valid until the next call. Errors: LLMC_ERR_FORMAT. */
llmc_status llmc_h5_use_group(struct llmc_h5 *file, const char *name, hid_t *id);

/* Makes the group `name` and its parents, without time stamps. Existing ones are fine. */
llmc_status llmc_h5_make_groups(struct llmc_h5 *file, const char *name);

/* Opens the array `name`, which must be inside the file, hold its data there
 * and use no filters but shuffle and deflate. The caller closes it with H5Dclose. */
llmc_status llmc_h5_open_array(struct llmc_h5 *file, const char *name, hid_t *array);

enum { LLMC_H5_RESERVED = -1 };

/* Creates the array `name` and its groups: in chunks of `chunk_rows` rows with shuffle and deflate; chunk_rows 0: about
 * 64 Ki numbers; deflate 0: contiguous; LLMC_H5_RESERVED: contiguous with its place in the file at once. The caller closes it with llmc_h5_finish_array. Errors: as llmc_h5_write. */
llmc_status llmc_h5_create_array(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                                 const int64_t *shape, int64_t chunk_rows, int deflate, hid_t *array);

/* Closes an array that was written, which writes what is still in memory; *array = H5I_INVALID_HID in any case.
 * Errors: LLMC_ERR_IO. */
llmc_status llmc_h5_finish_array(const struct llmc_h5 *file, const char *name, hid_t *array);

/* Checks that an open array has this number format, rank and shape. */
llmc_status llmc_h5_expect(const struct llmc_h5 *file, const char *name, hid_t array, enum llmc_number number,
                           int rank, const int64_t *shape);

#endif
