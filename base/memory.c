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

llmc_status llmc_alloc(void *out, size_t count, size_t size)
{
    void *memory = NULL;
    size_t nbytes;
    memcpy(out, &memory, sizeof memory);
    if (__builtin_mul_overflow(count, size, &nbytes) || nbytes > SIZE_MAX - LLMC_ALIGNMENT)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate %zu objects of %zu bytes", count, size);
    bool large = nbytes >= HUGE_PAGE_NBYTES;
    size_t alignment = large ? HUGE_PAGE_NBYTES : LLMC_ALIGNMENT;
    nbytes = (nbytes + LLMC_ALIGNMENT) / LLMC_ALIGNMENT * LLMC_ALIGNMENT;
    memory = aligned_alloc(alignment, nbytes);
    if (!memory)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate %zu bytes", nbytes);
#ifdef MADV_HUGEPAGE
    if (large)
        madvise(memory, nbytes / HUGE_PAGE_NBYTES * HUGE_PAGE_NBYTES, MADV_HUGEPAGE); /* a wish: failing is fine */
#endif
    memset(memory, 0, nbytes);
    memcpy(out, &memory, sizeof memory);
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
