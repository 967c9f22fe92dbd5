#include "base/number.h"

#include <string.h>

static const struct {
    const char *name;
    size_t nbytes;
} numbers[] = {
    [LLMC_F32] = {"F32", 4}, [LLMC_F16] = {"F16", 2}, [LLMC_BF16] = {"BF16", 2}, [LLMC_I8] = {"I8", 1},
    [LLMC_U8] = {"U8", 1},   [LLMC_I32] = {"I32", 4}, [LLMC_I64] = {"I64", 8},
};

const char *llmc_number_name(enum llmc_number number)
{
    return numbers[number].name;
}

size_t llmc_number_nbytes(enum llmc_number number)
{
    return numbers[number].nbytes;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t llmc_f16_from_f32(float value)
{
    uint32_t bits = bits_of(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000)
        return sign | 0x7e00;
    if (bits >= 0x477ff000) /* 65,520 and above round to infinity */
        return sign | 0x7c00;
    if (bits < 0x38800000) {
        /* Below 2^-14: adding 0.5 leaves the multiple of 2^-24 in the low mantissa bits. */
        float shifted = float_of(bits) + 0.5f;
        return sign | (uint16_t)(bits_of(shifted) - bits_of(0.5f));
    }
    bits += 0xfff + (bits >> 13 & 1);
    return sign | (uint16_t)((bits >> 13) - ((127 - 15) << 10));
}

float llmc_f32_from_f16(uint16_t value)
{
    uint32_t sign = (uint32_t)(value & 0x8000) << 16;
    uint32_t magnitude = value & 0x7fff;
    if (magnitude >= 0x7c00)
        return float_of(sign | 0x7f800000 | magnitude << 13);
    if (magnitude < 0x400)
        return float_of(sign | bits_of((float)magnitude * 0x1p-24f));
    return float_of(sign | ((magnitude << 13) + ((127 - 15) << 23)));
}

uint16_t llmc_bf16_from_f32(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float llmc_f32_from_bf16(uint16_t value)
{
    return float_of((uint32_t)value << 16);
}

int32_t llmc_integer_limit(int32_t bits)
{
    return bits ? (1 << (bits - 1)) - 1 : 0;
}
