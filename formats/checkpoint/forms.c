#include "formats/checkpoint/forms.h"

#include "base/memory.h"
#include "formats/checkpoint/mixed.h"
#include "formats/checkpoint/private.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* The values whose bits are not all zero, and where they are: a negative zero is stored, so that reading gives back the
 * same bits. */
static llmc_status make_sparse(struct llmc_compressed_form *out, const struct llmc_compressed_tensor *tensor)
{
    llmc_status status = LLMC_OK;
    const char zero[4] = {0};
    size_t nbytes = llmc_number_nbytes(tensor->number);
    int64_t count = tensor->rows * tensor->cols;
    out->mask_nbytes = (count + 7) / 8;
    LLMC_TRY(llmc_alloc(&out->mask, (size_t)out->mask_nbytes, 1));
    LLMC_TRY(llmc_alloc(&out->values, (size_t)count, nbytes));
    for (int64_t i = 0; i < count; i++) {
        const char *value = (const char *)tensor->data + (size_t)i * nbytes;
        if (memcmp(value, zero, nbytes) == 0)
            continue;
        out->mask[i / 8] |= (uint8_t)(1u << (i % 8));
        memcpy((char *)out->values + (size_t)out->stored++ * nbytes, value, nbytes);
    }
exit:
    return status;
}

static llmc_status make_mixed(struct llmc_compressed_form *out, const struct llmc_compressed_tensor *tensor, bool rows)
{
    llmc_status status = LLMC_OK;
    int64_t height = rows ? tensor->rows : 1, width = rows ? tensor->cols : out->stored;
    int64_t nbytes = llmc_compressed_mixed_nbytes(tensor->bits, width);
    const int8_t *values = out->values;
    uint8_t *bytes;
    LLMC_TRY(llmc_alloc(&bytes, (size_t)(height * nbytes), 1));
    for (int64_t row = 0; row < height; row++)
        llmc_compressed_mix(tensor->bits, values + row * width, width, bytes + row * nbytes);
    free(out->values);
    out->values = bytes;
    out->values_count = height * nbytes;
exit:
    return status;
}

/* Errors: LLMC_ERR_MEMORY; *out is then to be released all the same. */
static llmc_status make(struct llmc_compressed_form *out, const struct llmc_compressed_tensor *tensor, int form,
                        bool rows)
{
    llmc_status status = LLMC_OK;
    size_t nbytes = llmc_number_nbytes(tensor->number);
    int64_t count = tensor->rows * tensor->cols;
    *out = (struct llmc_compressed_form){.form = form};
    if (form & LLMC_COMPRESSED_SPARSE) {
        LLMC_TRY(make_sparse(out, tensor));
    } else {
        LLMC_TRY(llmc_alloc_unset(&out->values, (size_t)count, nbytes));
        memcpy(out->values, tensor->data, (size_t)count * nbytes);
        out->stored = count;
    }
    out->values_count = out->stored;
    if (form & LLMC_COMPRESSED_MIXED)
        LLMC_TRY(make_mixed(out, tensor, rows));
exit:
    return status;
}

/* What `nbytes` bytes, of numbers of `size` bytes, deflate to: shuffled as HDF5 does. */
static llmc_status deflated(const void *bytes, size_t nbytes, size_t size, size_t *nbytes_ret)
{
    llmc_status status = LLMC_OK;
    unsigned char *shuffled = NULL, *out = NULL;
    size_t room = compressBound((uLong)nbytes);
    z_stream stream = {0};
    LLMC_TRY(llmc_alloc_unset(&shuffled, nbytes, 1));
    LLMC_TRY(llmc_alloc_unset(&out, room, 1));
    for (size_t byte = 0, at = 0; byte < size; byte++)
        for (size_t i = byte; i < nbytes; i += size)
            shuffled[at++] = ((const unsigned char *)bytes)[i];
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15, 9, Z_FILTERED) != Z_OK)
        LLMC_FAIL(LLMC_ERR_MEMORY, "zlib has no memory");
    stream.next_in = shuffled;
    stream.avail_in = (uInt)nbytes;
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    deflate(&stream, Z_FINISH);
    *nbytes_ret = stream.total_out;
    deflateEnd(&stream);
exit:
    free(shuffled);
    free(out);
    return status;
}

static llmc_status measure(const struct llmc_compressed_form *form, enum llmc_number number, size_t *nbytes_ret)
{
    llmc_status status = LLMC_OK;
    size_t size = llmc_number_nbytes(number), mask_nbytes = 0;
    if (form->mask)
        LLMC_TRY(deflated(form->mask, (size_t)form->mask_nbytes, 1, &mask_nbytes));
    LLMC_TRY(deflated(form->values, (size_t)form->values_count * size, size, nbytes_ret));
    *nbytes_ret += mask_nbytes;
exit:
    return status;
}

/* Whether a tensor may have this form, and has anything to gain by it. */
static bool is_possible(const struct llmc_compressed_tensor *tensor, int form, bool rows)
{
    bool mixed = form & LLMC_COMPRESSED_MIXED, sparse = form & LLMC_COMPRESSED_SPARSE;
    if (mixed && (tensor->number != LLMC_I8 || llmc_compressed_mixed_per_byte(tensor->bits) < 2))
        return false;
    return !sparse || (!rows && tensor->rows > 1);
}

llmc_status llmc_compressed_form_choose(struct llmc_compressed_form *out, const struct llmc_compressed_tensor *tensor,
                                        bool rows)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed_form tried = {0};
    size_t least = SIZE_MAX, nbytes = 0;
    *out = (struct llmc_compressed_form){0};
    for (int form = 0; form <= (LLMC_COMPRESSED_MIXED | LLMC_COMPRESSED_SPARSE); form++) {
        if (!is_possible(tensor, form, rows))
            continue;
        LLMC_TRY(make(&tried, tensor, form, rows));
        LLMC_TRY(measure(&tried, tensor->number, &nbytes));
        if (nbytes < least) {
            struct llmc_compressed_form worse = *out;
            *out = tried;
            tried = worse;
            least = nbytes;
        }
        llmc_compressed_form_release(&tried);
    }
exit:
    llmc_compressed_form_release(&tried);
    if (status != LLMC_OK)
        llmc_compressed_form_release(out);
    return status;
}

void llmc_compressed_form_release(struct llmc_compressed_form *form)
{
    free(form->mask);
    free(form->values);
    *form = (struct llmc_compressed_form){0};
}
