#include "model/ranges.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

llmc_status llmc_ranges_init(struct llmc_ranges *r, int32_t count)
{
    llmc_status status = LLMC_OK;
    memset(r, 0, sizeof *r);
    r->count = count;
    LLMC_TRY(llmc_alloc(&r->averages, (size_t)count, sizeof *r->averages));
    LLMC_TRY(llmc_alloc(&r->quantizers, (size_t)count, sizeof *r->quantizers));
    LLMC_TRY(llmc_alloc(&r->m, (size_t)count, sizeof *r->m));
    LLMC_TRY(llmc_alloc(&r->v, (size_t)count, sizeof *r->v));
exit:
    if (status != LLMC_OK)
        llmc_ranges_release(r);
    return status;
}

void llmc_ranges_release(struct llmc_ranges *r)
{
    free(r->averages);
    free(r->quantizers);
    free(r->m);
    free(r->v);
    memset(r, 0, sizeof *r);
}
