#include "text/lines.h"

#include "base/lfs_pointer.h"
#include "base/memory.h"
#include "text/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define TEXT_NBYTES_MAX ((size_t)1 << 32)
#define FIRST_NBYTES ((size_t)1 << 20)
#define READ_NBYTES_MAX ((size_t)1 << 30) /* gzread counts in int */

llmc_status llmc_text_gzip_error(void *file, const char *path)
{
    int code;
    const char *message = gzerror(file, &code);
    if (code == Z_ERRNO)
        return llmc_error(LLMC_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
    if (code == Z_MEM_ERROR)
        return llmc_error(LLMC_ERR_MEMORY, "%s: no memory for unpacking", path);
    return llmc_error(LLMC_ERR_DATA, "%s: damaged gzip file: %s", path, message);
}

llmc_status llmc_text_file_read(const char *path, char **bytes, size_t *nbytes_ret)
{
    llmc_status status = LLMC_OK;
    char *buffer = NULL;
    size_t nbytes = 0, capacity = 0;
    int code;
    *bytes = NULL;
    errno = 0;
    gzFile file = gzopen(path, "rbe");
    if (!file)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot open: %s", path, strerror(errno ? errno : ENOMEM));
    for (;;) {
        if (nbytes + 1 >= capacity) {
            capacity = capacity ? 2 * capacity : FIRST_NBYTES;
            char *larger = realloc(buffer, capacity);
            if (!larger)
                LLMC_FAIL(LLMC_ERR_MEMORY, "%s: cannot allocate %zu bytes", path, capacity);
            buffer = larger;
        }
        size_t room = capacity - nbytes - 1;
        int got = gzread(file, buffer + nbytes, (unsigned)(room < READ_NBYTES_MAX ? room : READ_NBYTES_MAX));
        if (got < 0) {
            status = llmc_text_gzip_error(file, path);
            goto exit;
        }
        if (got == 0)
            break;
        nbytes += (size_t)got;
        if (nbytes > TEXT_NBYTES_MAX)
            LLMC_FAIL(LLMC_ERR_DATA, "%s: more than %zu bytes of text", path, TEXT_NBYTES_MAX);
    }
    /* A file that ends too early shows in the error state, not in a return value. */
    gzerror(file, &code);
    if (code != Z_OK && code != Z_STREAM_END) {
        status = llmc_text_gzip_error(file, path);
        goto exit;
    }
    LLMC_TRY(llmc_lfs_pointer_refuse(path, buffer, nbytes));
    buffer[nbytes] = 0;
    *bytes = buffer;
    *nbytes_ret = nbytes;
    buffer = NULL;
exit:
    free(buffer);
    if (file)
        gzclose_r(file);
    return status;
}

char *llmc_next_line(char **cursor, char *end, size_t *number, size_t *nbytes_ret)
{
    char *line = *cursor;
    if (line >= end)
        return NULL;
    char *stop = memchr(line, '\n', (size_t)(end - line));
    *cursor = stop ? stop + 1 : end;
    if (!stop)
        stop = end;
    if (stop > line && stop[-1] == '\r')
        stop--;
    *stop = 0;
    *number += 1;
    *nbytes_ret = (size_t)(stop - line);
    return line;
}

llmc_status llmc_text_check(const char *path, size_t number, const char *line, size_t nbytes)
{
    size_t valid = llmc_utf8_valid(line, nbytes);
    if (valid < nbytes)
        return llmc_error(LLMC_ERR_DATA, "%s:%zu: byte %zu of the line is not UTF-8", path, number, valid + 1);
    size_t length = strlen(line);
    if (length < nbytes)
        return llmc_error(LLMC_ERR_DATA, "%s:%zu: byte %zu of the line is zero", path, number, length + 1);
    return LLMC_OK;
}

int32_t llmc_text_columns(const char *line)
{
    int32_t count = 1;
    for (; *line; line++)
        count += *line == '\t';
    return count;
}

llmc_status llmc_text_find_column(int32_t *out, const char *header, const char *name, const char *path)
{
    llmc_status status = LLMC_OK;
    size_t nbytes = name ? strlen(name) : 0;
    int32_t column = 0;
    *out = -1;
    if (nbytes == 0)
        return LLMC_OK;
    for (const char *field = header;; column++) {
        size_t length = strcspn(field, "\t");
        if (length == nbytes && memcmp(field, name, nbytes) == 0) {
            if (*out >= 0)
                LLMC_FAIL(LLMC_ERR_DATA, "%s:1: the column \"%s\" stands there twice", path, name);
            *out = column;
        }
        if (field[length] == 0)
            break;
        field += length + 1;
    }
    if (*out < 0) {
        char *list = NULL;
        LLMC_TRY(llmc_strdup(&list, header));
        for (char *at = list; (at = strchr(at, '\t'));)
            *at = ' ';
        llmc_error(LLMC_ERR_DATA, "%s:1: no column \"%s\"; the columns are: %s", path, name, list);
        free(list);
        status = LLMC_ERR_DATA;
    }
exit:
    return status;
}
