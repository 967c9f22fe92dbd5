#include "base/memory.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Blocks of at least this size lie on huge pages where the system has them: training walks over hundreds of megabytes
 * a step, and looking up small pages costs more than reading them. */
enum { HUGE_PAGE_NBYTES = 2 << 20 };

/* *nbytes: what was asked for, rounded up to whole cache lines. */
static llmc_status allocate(void *out, size_t count, size_t size, bool zeroed, size_t *nbytes)
{
    void *memory = NULL;
    memcpy(out, &memory, sizeof memory);
    if (__builtin_mul_overflow(count, size, nbytes) || *nbytes > SIZE_MAX - LLMC_ALIGNMENT)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate %zu objects of %zu bytes", count, size);
    *nbytes = (*nbytes + LLMC_ALIGNMENT) / LLMC_ALIGNMENT * LLMC_ALIGNMENT;
    bool huge = zeroed && *nbytes >= HUGE_PAGE_NBYTES; /* what is not touched at once may never be */
    if (posix_memalign(&memory, huge ? HUGE_PAGE_NBYTES : LLMC_ALIGNMENT, *nbytes) != 0)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate %zu bytes", *nbytes);
#ifdef MADV_HUGEPAGE
    if (huge)
        madvise(memory, *nbytes / HUGE_PAGE_NBYTES * HUGE_PAGE_NBYTES, MADV_HUGEPAGE); /* a wish: failing is fine */
#endif
    memcpy(out, &memory, sizeof memory);
    return LLMC_OK;
}

llmc_status llmc_alloc_unset(void *out, size_t count, size_t size)
{
    size_t nbytes;
    return allocate(out, count, size, false, &nbytes);
}

llmc_status llmc_alloc(void *out, size_t count, size_t size)
{
    void *memory;
    size_t nbytes;
    llmc_status status = allocate(out, count, size, true, &nbytes);
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
