#include "text/utf8.h"

int llmc_utf8_decode(const char *bytes, size_t nbytes, int32_t *code)
{
    const uint8_t *byte = (const uint8_t *)bytes;
    /* The second byte of some characters has a narrower range than 0x80..0xBF:
     * it excludes overlong forms, surrogates and values above U+10FFFF. */
    uint8_t low = 0x80, high = 0xBF;
    int length;
    int32_t value;

    *code = -1;
    if (byte[0] < 0x80) {
        *code = byte[0];
        return 1;
    } else if (byte[0] >= 0xC2 && byte[0] <= 0xDF) {
        length = 2;
        value = byte[0] & 0x1F;
    } else if (byte[0] >= 0xE0 && byte[0] <= 0xEF) {
        length = 3;
        value = byte[0] & 0x0F;
        if (byte[0] == 0xE0)
            low = 0xA0;
        else if (byte[0] == 0xED)
            high = 0x9F;
    } else if (byte[0] >= 0xF0 && byte[0] <= 0xF4) {
        length = 4;
        value = byte[0] & 0x07;
        if (byte[0] == 0xF0)
            low = 0x90;
        else if (byte[0] == 0xF4)
            high = 0x8F;
    } else {
        return 1;
    }
    for (int i = 1; i < length; i++) {
        if ((size_t)i >= nbytes || byte[i] < low || byte[i] > high)
            return i;
        value = value << 6 | (byte[i] & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    *code = value;
    return length;
}

int llmc_utf8_encode(int32_t code, char bytes[LLMC_UTF8_NBYTES_MAX])
{
    static const uint8_t lead[LLMC_UTF8_NBYTES_MAX + 1] = {0, 0, 0xC0, 0xE0, 0xF0};
    int length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    bytes[0] = (char)(lead[length] | code);
    return length;
}

size_t llmc_utf8_valid(const char *bytes, size_t nbytes)
{
    size_t at = 0;
    while (at < nbytes) {
        int32_t code;
        int length = llmc_utf8_decode(bytes + at, nbytes - at, &code);
        if (code < 0)
            return at;
        at += (size_t)length;
    }
    return at;
}
