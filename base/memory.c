#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* *nbytes: what was asked for, rounded up to whole cache lines. */
static llmc_status allocate(void *out, size_t count, size_t size, size_t *nbytes)
{
    void *memory = NULL;
    memcpy(out, &memory, sizeof memory);
    if (__builtin_mul_overflow(count, size, nbytes) || *nbytes > SIZE_MAX - LLMC_ALIGNMENT)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate %zu objects of %zu bytes", count, size);
    *nbytes = (*nbytes + LLMC_ALIGNMENT) / LLMC_ALIGNMENT * LLMC_ALIGNMENT;
    memory = aligned_alloc(LLMC_ALIGNMENT, *nbytes);
    if (!memory)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate %zu bytes", *nbytes);
    memcpy(out, &memory, sizeof memory);
    return LLMC_OK;
}

llmc_status llmc_alloc_unset(void *out, size_t count, size_t size)
{
    size_t nbytes;
    return allocate(out, count, size, &nbytes);
}

llmc_status llmc_alloc(void *out, size_t count, size_t size)
{
    void *memory;
    size_t nbytes;
    llmc_status status = allocate(out, count, size, &nbytes);
    if (status != LLMC_OK)
        return status;
    memcpy(&memory, out, sizeof memory);
    memset(memory, 0, nbytes);
    return LLMC_OK;
}

llmc_status llmc_strdup(char **out, const char *text)
{
    *out = NULL;
    if (!text)
        return LLMC_OK;
    *out = strdup(text);
    if (!*out)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate %zu bytes", strlen(text) + 1);
    return LLMC_OK;
}

llmc_status llmc_format(char **out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int written = vasprintf(out, format, args);
    va_end(args);
    if (written < 0) {
        *out = NULL;
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate memory for a text");
    }
    return LLMC_OK;
}
