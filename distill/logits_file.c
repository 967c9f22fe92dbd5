#include "distill/logits_file.h"

#include "base/file.h"
#include "base/memory.h"
#include "formats/hdf5/envelope.h"
#include "formats/hdf5/place.h"
#include "text/labels.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct llmc_envelope seal = {"LLMG", 1, "cache of teacher logits", 1};

/* Where the seal will be: of a file under way, the texts that are answered. */
enum { DONE_AT = 24, BLOCK_ROWS = 4096 };

static llmc_status write_at(const struct llmc_logits_file *file, const void *bytes, size_t nbytes, uint64_t at)
{
    const char *from = bytes;
    while (nbytes > 0) {
        ssize_t written = pwrite(file->descriptor, from, nbytes, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return llmc_error(LLMC_ERR_IO, "%s: cannot write: %s", file->path, strerror(errno));
        from += written;
        nbytes -= (size_t)written;
        at += (uint64_t)written;
    }
    return LLMC_OK;
}

static llmc_status read_at(const struct llmc_logits_file *file, void *bytes, size_t nbytes, uint64_t at)
{
    char *to = bytes;
    while (nbytes > 0) {
        ssize_t got = pread(file->descriptor, to, nbytes, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return llmc_error(LLMC_ERR_IO, "%s: cannot read: %s", file->path, got < 0 ? strerror(errno) : "cut short");
        to += got;
        nbytes -= (size_t)got;
        at += (uint64_t)got;
    }
    return LLMC_OK;
}

static size_t row_nbytes(const struct llmc_logits_file *file)
{
    return (size_t)file->labels * sizeof(float);
}

static llmc_status open_descriptor(struct llmc_logits_file *file, const char *path, int flags)
{
    llmc_status status = llmc_strdup(&file->path, path);
    if (status != LLMC_OK)
        return status;
    file->descriptor = open(path, flags | O_CLOEXEC);
    if (file->descriptor < 0)
        return llmc_error(LLMC_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    return LLMC_OK;
}

/* Finds the logits in the file; `key`: that it must have, NULL: any. */
static llmc_status find_logits(struct llmc_logits_file *file, const char *path, const char *key)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *h5 = NULL;
    char *made_from = NULL;
    const int64_t shape[2] = {file->count, file->labels};
    LLMC_TRY(llmc_h5_open(&h5, path));
    if (key) {
        LLMC_TRY(llmc_h5_read_text(h5, "", "key", &made_from));
        if (strcmp(made_from, key) != 0)
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: of other texts or another teacher", path);
    }
    LLMC_TRY(llmc_h5_find_place(h5, "logits", LLMC_F32, 2, shape, &file->place));
exit:
    llmc_h5_abandon(&h5);
    free(made_from);
    return status;
}

static llmc_status create(struct llmc_logits_file *file, const char *path, const char *key,
                          const struct llmc_labels *labels)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *h5 = NULL;
    char *names = NULL;
    const int64_t shape[2] = {file->count, file->labels};
    LLMC_TRY(llmc_labels_lines(labels, &names));
    LLMC_TRY(llmc_h5_create(&h5, path, LLMC_ENVELOPE_NBYTES));
    LLMC_TRY(llmc_h5_write_text(h5, "", "key", key));
    LLMC_TRY(llmc_h5_write_text(h5, "", "labels", names));
    LLMC_TRY(llmc_h5_reserve(h5, "logits", LLMC_F32, 2, shape, &file->place));
    LLMC_TRY(llmc_h5_close(&h5));
exit:
    llmc_h5_abandon(&h5);
    free(names);
    return status;
}

llmc_status llmc_logits_file_begin(struct llmc_logits_file *file, const char *path, const char *key, int64_t count,
                                   const struct llmc_labels *labels)
{
    llmc_status status = LLMC_OK;
    *file = (struct llmc_logits_file){.descriptor = -1, .count = count, .labels = labels->count};
    bool goes_on = llmc_file_exists(path) && find_logits(file, path, key) == LLMC_OK;
    if (!goes_on)
        LLMC_TRY(create(file, path, key, labels));
    LLMC_TRY(open_descriptor(file, path, O_RDWR));
    if (goes_on)
        LLMC_TRY(read_at(file, &file->done, sizeof file->done, DONE_AT));
    if (goes_on && file->done == 0 && llmc_envelope_verify_file(path, &seal) == LLMC_OK)
        file->done = count; /* stopped between sealing, which takes the place of the number, and renaming */
    if (file->done < 0 || file->done > count)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %lld of %lld texts answered", path, (long long)file->done, (long long)count);
exit:
    if (status != LLMC_OK)
        llmc_logits_file_close(file);
    return status;
}

llmc_status llmc_logits_file_add(struct llmc_logits_file *file, const float *logits, int64_t count)
{
    size_t nbytes = row_nbytes(file);
    llmc_status status = write_at(file, logits, (size_t)count * nbytes, file->place + (uint64_t)file->done * nbytes);
    if (status == LLMC_OK)
        file->done += count;
    return status;
}

llmc_status llmc_logits_file_save(struct llmc_logits_file *file)
{
    /* The logits must be there before the number says so, even if the machine stops. */
    if (fdatasync(file->descriptor) != 0)
        return llmc_error(LLMC_ERR_IO, "%s: cannot write: %s", file->path, strerror(errno));
    return write_at(file, &file->done, sizeof file->done, DONE_AT);
}

llmc_status llmc_logits_file_finish(struct llmc_logits_file *file, const char *path)
{
    llmc_status status = LLMC_OK;
    char *part = file->path;
    file->path = NULL;
    int failed = close(file->descriptor);
    file->descriptor = -1;
    if (failed)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot write: %s", part, strerror(errno));
    LLMC_TRY(llmc_envelope_seal(part, &seal));
    LLMC_TRY(llmc_file_commit(&part, path));
exit:
    free(part);
    return status;
}

static llmc_status check_finite(const struct llmc_logits_file *file)
{
    llmc_status status = LLMC_OK;
    float *block = NULL;
    LLMC_TRY(llmc_alloc_unset(&block, BLOCK_ROWS * (size_t)file->labels, sizeof *block));
    for (int64_t row = 0; row < file->count; row += BLOCK_ROWS) {
        int64_t rows = file->count - row < BLOCK_ROWS ? file->count - row : BLOCK_ROWS;
        LLMC_TRY(read_at(file, block, (size_t)rows * row_nbytes(file), file->place + (uint64_t)row * row_nbytes(file)));
        for (int64_t i = 0; i < rows * file->labels; i++)
            if (!isfinite(block[i]))
                LLMC_FAIL(LLMC_ERR_FORMAT, "%s: logits of row %lld are not finite", file->path,
                          (long long)(row + i / file->labels));
    }
exit:
    free(block);
    return status;
}

llmc_status llmc_logits_file_open(struct llmc_logits_file *file, const char *path, int64_t count, int32_t labels)
{
    llmc_status status = LLMC_OK;
    *file = (struct llmc_logits_file){.descriptor = -1, .count = count, .labels = labels, .done = count};
    LLMC_TRY(llmc_envelope_verify_file(path, &seal));
    LLMC_TRY(find_logits(file, path, NULL));
    LLMC_TRY(open_descriptor(file, path, O_RDONLY));
    LLMC_TRY(check_finite(file));
exit:
    if (status != LLMC_OK)
        llmc_logits_file_close(file);
    return status;
}

llmc_status llmc_logits_file_read(const struct llmc_logits_file *file, const int64_t *rows, int32_t count, float *out)
{
    llmc_status status = LLMC_OK;
    size_t nbytes = row_nbytes(file);
    for (int32_t i = 0; i < count; i++)
        LLMC_TRY(read_at(file, out + (int64_t)i * file->labels, nbytes, file->place + (uint64_t)rows[i] * nbytes));
exit:
    return status;
}

void llmc_logits_file_close(struct llmc_logits_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    free(file->path);
    *file = (struct llmc_logits_file)LLMC_LOGITS_FILE_INIT;
}
