#include "formats/hdf5/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

llmc_status llmc_source_open(struct llmc_source *out, const char *path)
{
    llmc_status status = LLMC_OK;
    struct stat info;
    *out = (struct llmc_source){.name = path, .descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (out->descriptor < 0 || fstat(out->descriptor, &info) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        LLMC_FAIL(LLMC_ERR_IO, "%s: not a regular file", path);
    out->nbytes = (uint64_t)info.st_size;
exit:
    if (status != LLMC_OK)
        llmc_source_close(out);
    return status;
}

void llmc_source_memory(struct llmc_source *out, const char *name, const void *bytes, size_t nbytes)
{
    *out = (struct llmc_source){.name = name, .descriptor = -1, .memory = bytes, .nbytes = nbytes};
}

llmc_status llmc_source_read(const struct llmc_source *source, uint64_t at, void *out, size_t nbytes)
{
    unsigned char *to = out;
    if (at > source->nbytes || nbytes > source->nbytes - at)
        return llmc_error(LLMC_ERR_FORMAT, "%s: cut short: %llu bytes", source->name,
                          (unsigned long long)source->nbytes);
    if (source->memory) {
        memcpy(to, source->memory + at, nbytes);
        return LLMC_OK;
    }
    while (nbytes > 0) {
        ssize_t done = pread(source->descriptor, to, nbytes, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return llmc_error(LLMC_ERR_IO, "%s: cannot read: %s", source->name, strerror(errno));
        if (done == 0)
            return llmc_error(LLMC_ERR_FORMAT, "%s: became shorter while it was read", source->name);
        to += done;
        at += (uint64_t)done;
        nbytes -= (size_t)done;
    }
    return LLMC_OK;
}

void llmc_source_close(struct llmc_source *source)
{
    if (source->descriptor >= 0)
        close(source->descriptor);
    *source = (struct llmc_source){.descriptor = -1};
}
