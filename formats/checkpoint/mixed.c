#include "formats/checkpoint/mixed.h"

#include "base/number.h"

#include <string.h>

enum { PER_BYTE_MAX = 5, BYTES = 256 };

static int levels_of(int bits)
{
    return 2 * llmc_integer_limit(bits) + 1;
}

int64_t llmc_compressed_mixed_per_byte(int bits)
{
    int levels = levels_of(bits), count = 0;
    for (int span = levels; span <= BYTES; span *= levels)
        count++;
    return count;
}

int64_t llmc_compressed_mixed_nbytes(int bits, int64_t count)
{
    int64_t per_byte = llmc_compressed_mixed_per_byte(bits);
    return (count + per_byte - 1) / per_byte;
}

void llmc_compressed_mix(int bits, const int8_t *values, int64_t count, uint8_t *out)
{
    int levels = levels_of(bits), limit = llmc_integer_limit(bits);
    int64_t per_byte = llmc_compressed_mixed_per_byte(bits);
    for (int64_t i = 0; i < count; i += per_byte) {
        int byte = 0;
        for (int64_t k = per_byte; k-- > 0;)
            byte = byte * levels + (i + k < count ? values[i + k] + limit : 0);
        *out++ = (uint8_t)byte;
    }
}

/* How bytes of some bits come apart. */
struct digits {
    int64_t per_byte;
    int span; /* bytes are below it */
    int8_t of[BYTES][PER_BYTE_MAX];
};

static void make_digits(int bits, struct digits *digits)
{
    int levels = levels_of(bits), limit = llmc_integer_limit(bits);
    digits->per_byte = llmc_compressed_mixed_per_byte(bits);
    digits->span = 1;
    for (int64_t k = 0; k < digits->per_byte; k++)
        digits->span *= levels;
    for (int byte = 0; byte < BYTES; byte++)
        for (int64_t k = 0, rest = byte; k < digits->per_byte; k++, rest /= levels)
            digits->of[byte][k] = (int8_t)(rest % levels - limit);
}

static llmc_status unmix_row(const struct digits *digits, int last_span, const uint8_t *bytes, int64_t cols,
                             int8_t *values)
{
    int64_t per_byte = digits->per_byte, whole = cols / per_byte, rest = cols % per_byte;
    int highest = 0;
    for (int64_t i = 0; i < whole; i++)
        highest = bytes[i] > highest ? bytes[i] : highest;
    if (highest >= digits->span || (rest && bytes[whole] >= last_span))
        return llmc_error(LLMC_ERR_FORMAT, "a byte of %d integers is %d; allowed are 0 to %d",
                          (int)(highest >= digits->span ? per_byte : rest),
                          highest >= digits->span ? highest : bytes[whole],
                          (highest >= digits->span ? digits->span : last_span) - 1);
    if (per_byte == 2)
        for (int64_t i = 0; i < whole; i++)
            memcpy(values + 2 * i, digits->of[bytes[i]], 2);
    else
        for (int64_t i = 0; i < whole; i++)
            memcpy(values + per_byte * i, digits->of[bytes[i]], (size_t)per_byte);
    if (rest)
        memcpy(values + per_byte * whole, digits->of[bytes[whole]], (size_t)rest);
    return LLMC_OK;
}

llmc_status llmc_compressed_unmix(int bits, const uint8_t *bytes, int64_t rows, int64_t cols, int8_t *values)
{
    llmc_status status = LLMC_OK;
    struct digits digits;
    int64_t row_nbytes = llmc_compressed_mixed_nbytes(bits, cols);
    int last_span = 1;
    make_digits(bits, &digits);
    for (int64_t k = 0; k < cols % digits.per_byte; k++)
        last_span *= levels_of(bits);
    for (int64_t row = 0; row < rows; row++)
        LLMC_TRY(unmix_row(&digits, last_span, bytes + row * row_nbytes, cols, values + row * cols));
exit:
    return status;
}
