/*
 * From stored bytes to the numbers of a tensor. No libhdf5 here: any number of
 * threads work, each on a tensor of its own.
 */
#include "base/memory.h"
#include "formats/checkpoint/private.h"

#include <stdlib.h>
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

/* Puts stored values into the places that the mask names. */
static llmc_status unpack_sparse(struct llmc_compressed_tensor *tensor, const struct llmc_compressed_parts *parts)
{
    llmc_status status = LLMC_OK;
    uint8_t *mask = NULL;
    char *values = NULL;
    size_t nbytes = llmc_number_nbytes(tensor->number);
    int64_t count = tensor->rows * tensor->cols;
    LLMC_TRY(llmc_alloc_unset(&mask, (size_t)(count + 7) / 8, 1));
    LLMC_TRY(llmc_alloc_unset(&values, (size_t)parts->nonzeros + 1, nbytes));
    LLMC_TRY(llmc_h5_unpack(&parts->mask, mask));
    LLMC_TRY(llmc_h5_unpack(&parts->values, values));
    memset(values + (size_t)parts->nonzeros * nbytes, 0, nbytes);
    LLMC_TRY(check_mask(tensor->name, mask, count, parts->nonzeros));
    if (nbytes == 1)
        spread_bytes(tensor->data, mask, (const uint8_t *)values, count);
    else
        spread_wider(tensor->data, mask, values, count, nbytes);
exit:
    free(mask);
    free(values);
    return status;
}

llmc_status llmc_compressed_unpack(struct llmc_compressed_tensor *tensor, struct llmc_compressed_parts *parts)
{
    llmc_status status = LLMC_OK;
    if (parts->scales.count)
        LLMC_TRY(llmc_h5_unpack(&parts->scales, tensor->scales));
    if (tensor->sparse)
        LLMC_TRY(unpack_sparse(tensor, parts));
    else if (tensor->data)
        LLMC_TRY(llmc_h5_unpack(&parts->values, tensor->data));
exit:
    if (status == LLMC_OK)
        status = llmc_compressed_check_numbers(tensor);
    else
        status = llmc_error_prefix(status, "tensor %s", tensor->name);
    return status;
}

void llmc_compressed_parts_release(struct llmc_compressed_parts *parts)
{
    llmc_h5_chunks_release(&parts->values);
    llmc_h5_chunks_release(&parts->mask);
    llmc_h5_chunks_release(&parts->scales);
}
