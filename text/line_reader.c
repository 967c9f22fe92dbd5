#include "text/line_reader.h"

#include "base/lfs_pointer.h"
#include "text/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FIRST_NBYTES ((size_t)1 << 20)
#define READ_NBYTES_MAX ((size_t)1 << 30) /* gzread counts in int */

/* Reads more behind the unread bytes; *got 0: the file is at its end. One byte stays free. */
static llmc_status fill(struct llmc_line_reader *reader, size_t *got)
{
    int code;
    memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
    reader->end -= reader->begin;
    reader->begin = 0;
    if (reader->end + 1 >= reader->capacity) {
        char *larger = realloc(reader->buffer, 2 * reader->capacity);
        if (!larger)
            return llmc_error(LLMC_ERR_MEMORY, "%s: a line of more than %zu bytes", reader->path, reader->capacity);
        reader->buffer = larger;
        reader->capacity *= 2;
    }
    size_t room = reader->capacity - reader->end - 1;
    int count = gzread(reader->file, reader->buffer + reader->end,
                       (unsigned)(room < READ_NBYTES_MAX ? room : READ_NBYTES_MAX));
    /* A file that ends too early shows in the error state, not in a return value. */
    gzerror(reader->file, &code);
    if (count < 0 || (count == 0 && code != Z_OK && code != Z_STREAM_END))
        return llmc_text_gzip_error(reader->file, reader->path);
    *got = (size_t)count;
    reader->end += *got;
    return LLMC_OK;
}

llmc_status llmc_line_reader_open(struct llmc_line_reader *reader, const char *path)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* U+FEFF, which some programs write before UTF-8 */
    llmc_status status = LLMC_OK;
    size_t got;
    *reader = (struct llmc_line_reader){.path = path, .capacity = FIRST_NBYTES};
    errno = 0;
    reader->file = gzopen(path, "rbe");
    if (!reader->file)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot open: %s", path, strerror(errno ? errno : ENOMEM));
    reader->buffer = malloc(reader->capacity);
    if (!reader->buffer)
        LLMC_FAIL(LLMC_ERR_MEMORY, "%s: cannot allocate %zu bytes", path, reader->capacity);
    LLMC_TRY(fill(reader, &got));
    LLMC_TRY(llmc_lfs_pointer_refuse(path, reader->buffer, reader->end));
    if (reader->end >= 3 && memcmp(reader->buffer, mark, 3) == 0)
        reader->begin = 3;
exit:
    if (status != LLMC_OK)
        llmc_line_reader_close(reader);
    return status;
}

llmc_status llmc_line_reader_next(struct llmc_line_reader *reader, char **line, size_t *nbytes_ret)
{
    llmc_status status = LLMC_OK;
    size_t got, searched = 0;
    char *stop;
    *line = NULL;
    while (!(stop = memchr(reader->buffer + reader->begin + searched, '\n', reader->end - reader->begin - searched))) {
        searched = reader->end - reader->begin;
        LLMC_TRY(fill(reader, &got));
        if (got == 0)
            break;
    }
    char *start = reader->buffer + reader->begin, *end = stop ? stop : reader->buffer + reader->end;
    if (!stop && start == end)
        return LLMC_OK;
    reader->begin = (size_t)(end - reader->buffer) + (stop ? 1 : 0);
    if (end > start && end[-1] == '\r')
        end--;
    *end = 0;
    reader->number++;
    LLMC_TRY(llmc_text_check(reader->path, reader->number, start, (size_t)(end - start)));
    *line = start;
    *nbytes_ret = (size_t)(end - start);
exit:
    return status;
}

void llmc_line_reader_close(struct llmc_line_reader *reader)
{
    if (reader->file)
        gzclose_r(reader->file);
    free(reader->buffer);
    *reader = (struct llmc_line_reader){0};
}
