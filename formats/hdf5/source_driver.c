/*
 * libhdf5's way to the bytes of a source: reading only. The bytes are those
 * whose checksum was verified, from a file that is open already or from memory.
 */
#include "formats/hdf5/internal.h"

#if H5_VERSION_GE(1, 14, 0)
#include <H5FDdevelop.h>
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct access {
    const struct llmc_source *source;
    int *disk_error; /* first errno, owned by struct llmc_h5 */
};

struct driver_file {
    H5FD_t base; /* libhdf5's part, which must be the first */
    struct access access;
    haddr_t end; /* of the addresses that libhdf5 believes in */
};

static H5FD_t *open_file(const char *name, unsigned flags, hid_t list, haddr_t maxaddr)
{
    const struct access *access = H5Pget_driver_info(list);
    struct driver_file *file = NULL;
    (void)name;
    (void)maxaddr;
    if (access && !(flags & (H5F_ACC_RDWR | H5F_ACC_CREAT | H5F_ACC_TRUNC)))
        file = calloc(1, sizeof *file);
    if (!file)
        return NULL;
    file->access = *access;
    return &file->base;
}

static herr_t close_file(H5FD_t *base)
{
    free(base);
    return 0;
}

static herr_t query(const H5FD_t *base, unsigned long *flags)
{
    (void)base;
    *flags = H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE;
    return 0;
}

static haddr_t get_end(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct driver_file *)(const void *)base)->end;
}

static herr_t set_end(H5FD_t *base, H5FD_mem_t type, haddr_t end)
{
    (void)type;
    ((struct driver_file *)(void *)base)->end = end;
    return 0;
}

static haddr_t get_nbytes(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct driver_file *)(const void *)base)->access.source->nbytes;
}

/* libhdf5 may ask for more than there is; what is not there is zero. */
static herr_t read_file(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t nbytes, void *buffer)
{
    struct access *access = &((struct driver_file *)(void *)base)->access;
    uint64_t there = address < access->source->nbytes ? access->source->nbytes - address : 0;
    (void)type;
    (void)transfer;
    if (there < nbytes) {
        memset((char *)buffer + there, 0, nbytes - there);
        nbytes = (size_t)there;
    }
    errno = 0;
    if (nbytes == 0 || llmc_source_read(access->source, address, buffer, nbytes) == LLMC_OK)
        return 0;
    if (!*access->disk_error)
        *access->disk_error = errno ? errno : EIO;
    return -1;
}

/* Never called on a file opened for reading, but libhdf5 takes no driver without it. */
static herr_t write_file(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t nbytes,
                         const void *buffer)
{
    (void)base, (void)type, (void)transfer, (void)address, (void)nbytes, (void)buffer;
    return -1;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 14, 0)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)601, /* 512 and above are free for users */
#endif
    .name = "llmc source",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(struct access),
    .open = open_file,
    .close = close_file,
    .query = query,
    .get_eoa = get_end,
    .set_eoa = set_end,
    .get_eof = get_nbytes,
    .read = read_file,
    .write = write_file,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

bool llmc_h5_use_source(hid_t list, const struct llmc_source *source, int *disk_error)
{
    struct access access = {source, disk_error};
    hid_t id = H5FDregister(&driver);
    bool used = id >= 0 && H5Pset_driver(list, id, &access) >= 0;
    llmc_h5_drop(id); /* the list keeps its own reference */
    return used;
}
