/*
 * How libhdf5 reaches the disk: its "sec2" driver, with two differences. A
 * failed write is remembered and then taken for done, since libhdf5 leaves a
 * file half open when it cannot write while closing it, and later crashes at
 * exit; nothing is lost, as the file is given up anyway. And files are not
 * locked: finished ones are never changed in place, and some file systems have
 * no locks.
 */
#include "formats/hdf5/internal.h"

#if H5_VERSION_GE(1, 14, 0)
#include <H5FDdevelop.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct driver_file {
    H5FD_t base; /* libhdf5's part, which must be the first */
    int descriptor;
    haddr_t end;       /* of the addresses that libhdf5 has given out */
    haddr_t nbytes;    /* of the file, lost writes included */
    int *disk_error;   /* first errno, owned by struct llmc_h5 */
};

static struct driver_file *driver_file(H5FD_t *base)
{
    return (struct driver_file *)(void *)base;
}

static void remember(struct driver_file *file, int error)
{
    if (!*file->disk_error)
        *file->disk_error = error;
}

static H5FD_t *open_file(const char *path, unsigned flags, hid_t access, haddr_t maxaddr)
{
    struct stat info;
    struct driver_file *file = NULL;
    int *const *disk_error = H5Pget_driver_info(access);
    int mode = O_CLOEXEC | (flags & H5F_ACC_RDWR ? O_RDWR : O_RDONLY) | (flags & H5F_ACC_CREAT ? O_CREAT : 0) |
               (flags & H5F_ACC_TRUNC ? O_TRUNC : 0);
    int descriptor = disk_error ? open(path, mode, 0666) : -1;
    (void)maxaddr;
    if (descriptor >= 0 && fstat(descriptor, &info) == 0)
        file = calloc(1, sizeof *file);
    if (!file) {
        if (disk_error)
            **disk_error = errno;
        if (descriptor >= 0)
            close(descriptor);
        return NULL;
    }
    /* libhdf5 first tries whether a file to be created is there; forget that error. */
    **disk_error = 0;
    file->descriptor = descriptor;
    file->nbytes = (haddr_t)info.st_size;
    file->disk_error = *disk_error;
    return &file->base;
}

static herr_t close_file(H5FD_t *base)
{
    struct driver_file *file = driver_file(base);
    if (close(file->descriptor) != 0)
        remember(file, errno);
    free(file);
    return 0;
}

static herr_t query(const H5FD_t *base, unsigned long *flags)
{
    (void)base;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
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
    driver_file(base)->end = end;
    return 0;
}

static haddr_t get_nbytes(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct driver_file *)(const void *)base)->nbytes;
}

/* Bytes that were never written are zero, as libhdf5 expects. */
static herr_t read_file(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t nbytes, void *buffer)
{
    struct driver_file *file = driver_file(base);
    (void)type;
    (void)transfer;
    while (nbytes > 0) {
        ssize_t done = pread(file->descriptor, buffer, nbytes, (off_t)address);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            remember(file, errno);
            return -1;
        }
        if (done == 0) {
            memset(buffer, 0, nbytes);
            break;
        }
        buffer = (char *)buffer + done;
        address += (haddr_t)done;
        nbytes -= (size_t)done;
    }
    return 0;
}

static herr_t write_file(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t nbytes,
                         const void *buffer)
{
    struct driver_file *file = driver_file(base);
    (void)type;
    (void)transfer;
    if (address + nbytes > file->nbytes)
        file->nbytes = address + nbytes;
    while (nbytes > 0 && !*file->disk_error) {
        ssize_t done = pwrite(file->descriptor, buffer, nbytes, (off_t)address);
        if (done < 0) {
            if (errno != EINTR)
                remember(file, errno);
            continue;
        }
        buffer = (const char *)buffer + done;
        address += (haddr_t)done;
        nbytes -= (size_t)done;
    }
    return 0;
}

/* Makes the file as long as what libhdf5 has given out; a reader takes a
 * shorter one for a truncated one. */
static herr_t truncate_file(H5FD_t *base, hid_t transfer, hbool_t closing)
{
    struct driver_file *file = driver_file(base);
    (void)transfer;
    (void)closing;
    if (file->end != file->nbytes && !*file->disk_error && ftruncate(file->descriptor, (off_t)file->end) != 0)
        remember(file, errno);
    file->nbytes = file->end;
    return 0;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 14, 0)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)600, /* 512 and above are free for users */
#endif
    .name = "llmc",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(int *),
    .open = open_file,
    .close = close_file,
    .query = query,
    .get_eoa = get_end,
    .set_eoa = set_end,
    .get_eof = get_nbytes,
    .read = read_file,
    .write = write_file,
    .truncate = truncate_file,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

bool llmc_h5_use_driver(hid_t access, int *disk_error)
{
    hid_t id = H5FDregister(&driver);
    bool used = id >= 0 && H5Pset_driver(access, id, &disk_error) >= 0;
    llmc_h5_drop(id); /* the list keeps its own reference */
    return used;
}
