/*
 * The values of a sparse tensor into their places.
 */
#include "formats/checkpoint/private.h"

#include <string.h>

/* Values of one byte, without branches on the mask: a weight is zero or not at random, and a processor that
 * guesses wrong loses more than the work costs. Reads one value behind the last. */
static void spread_bytes(uint8_t *out, const uint8_t *mask, const uint8_t *values, int64_t count)
{
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        unsigned bits = mask[i / 8];
        for (int k = 0; k < 8; k++) {
            unsigned set = bits >> k & 1;
            out[i + k] = *values & (uint8_t)-set;
            values += set;
        }
    }
    for (; i < count; i++) {
        unsigned set = mask[i / 8] >> (i % 8) & 1;
        out[i] = *values & (uint8_t)-set;
        values += set;
    }
}

static void spread_wider(char *out, const uint8_t *mask, const char *values, int64_t count, size_t nbytes)
{
    for (int64_t i = 0; i < count; i++, out += nbytes) {
        if (mask[i / 8] >> (i % 8) & 1) {
            memcpy(out, values, nbytes);
            values += nbytes;
        } else {
            memset(out, 0, nbytes);
        }
    }
}

static llmc_status check_mask(const char *name, const uint8_t *mask, int64_t count, int64_t nonzeros)
{
    int64_t set = 0, nbytes = (count + 7) / 8, i = 0;
    for (uint64_t word; i + 8 <= nbytes; i += 8) {
        memcpy(&word, mask + i, sizeof word);
        set += __builtin_popcountll(word);
    }
    for (; i < nbytes; i++)
        set += __builtin_popcount(mask[i]);
    if (set != nonzeros || (count % 8 != 0 && mask[count / 8] >> (count % 8) != 0))
        return llmc_error(LLMC_ERR_FORMAT, "tensor %s: the mask names %lld places for %lld values", name,
                          (long long)set, (long long)nonzeros);
    return LLMC_OK;
}

llmc_status llmc_compressed_spread(const char *name, const uint8_t *mask, const void *values, int64_t stored,
                                   size_t nbytes, int64_t count, void *out)
{
    llmc_status status = check_mask(name, mask, count, stored);
    if (status != LLMC_OK)
        return status;
    if (nbytes == 1)
        spread_bytes(out, mask, values, count);
    else
        spread_wider(out, mask, values, count, nbytes);
    return LLMC_OK;
}
