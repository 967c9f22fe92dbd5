#include "formats/envelope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { BLOCK = LLMC_ENVELOPE_NBYTES, MAGIC_NBYTES = 8, VERSION_AT = 8, CRC_AT = 12, LENGTH_AT = 16, BLOCK_CRC_AT = 508 };

static void make_magic(const struct llmc_envelope *envelope, unsigned char magic[MAGIC_NBYTES])
{
    memcpy(magic, envelope->letters, 4);
    memcpy(magic + 4, "\r\n\x1a\n", 4);
}

static void put_little_endian(unsigned char *at, uint64_t value, int nbytes)
{
    for (int i = 0; i < nbytes; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_little_endian(const unsigned char *at, int nbytes)
{
    uint64_t value = 0;
    for (int i = 0; i < nbytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static uint32_t crc_of(const unsigned char *bytes, size_t nbytes)
{
    return (uint32_t)crc32_z(0, bytes, nbytes);
}

/* CRC-32 and number of the bytes from the current position to the end. */
static llmc_status read_to_end(FILE *file, uint32_t *crc_ret, uint64_t *nbytes_ret)
{
    unsigned char buffer[1 << 16];
    uLong crc = 0;
    uint64_t total = 0;
    size_t nbytes;
    while ((nbytes = fread(buffer, 1, sizeof buffer, file)) > 0) {
        crc = crc32_z(crc, buffer, nbytes);
        total += nbytes;
    }
    if (ferror(file))
        return llmc_error(LLMC_ERR_IO, "cannot read: %s", strerror(errno));
    *crc_ret = (uint32_t)crc;
    *nbytes_ret = total;
    return LLMC_OK;
}

llmc_status llmc_envelope_seal(const char *path, const struct llmc_envelope *envelope)
{
    llmc_status status = LLMC_OK;
    unsigned char block[BLOCK] = {0};
    uint32_t crc;
    uint64_t nbytes;
    FILE *file = fopen(path, "r+b");
    if (!file || fseek(file, BLOCK, SEEK_SET) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "cannot open: %s", strerror(errno));
    LLMC_TRY(read_to_end(file, &crc, &nbytes));
    make_magic(envelope, block);
    put_little_endian(block + VERSION_AT, envelope->version, 4);
    put_little_endian(block + CRC_AT, crc, 4);
    put_little_endian(block + LENGTH_AT, BLOCK + nbytes, 8);
    put_little_endian(block + BLOCK_CRC_AT, crc_of(block, BLOCK_CRC_AT), 4);
    if (fseek(file, 0, SEEK_SET) != 0 || fwrite(block, 1, BLOCK, file) != BLOCK || fflush(file) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "cannot write: %s", strerror(errno));
exit:
    if (file && fclose(file) != 0 && status == LLMC_OK)
        status = llmc_error(LLMC_ERR_IO, "cannot write: %s", strerror(errno));
    return status == LLMC_OK ? LLMC_OK : llmc_error_prefix(status, "%s", path);
}

llmc_status llmc_envelope_verify(const char *path, const struct llmc_envelope *envelope, uint64_t *nbytes_ret)
{
    llmc_status status = LLMC_OK;
    unsigned char block[BLOCK], magic[MAGIC_NBYTES];
    struct stat info;
    uint32_t crc;
    uint64_t nbytes;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &info) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "cannot open: %s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        LLMC_FAIL(LLMC_ERR_IO, "not a regular file");
    make_magic(envelope, magic);
    size_t got = fread(block, 1, BLOCK, file);
    if (ferror(file))
        LLMC_FAIL(LLMC_ERR_IO, "cannot read: %s", strerror(errno));
    if (got < sizeof magic || memcmp(block, magic, sizeof magic) != 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "not a %s of llmc (its first bytes differ)", envelope->kind);
    if (got < BLOCK)
        LLMC_FAIL(LLMC_ERR_FORMAT, "cut short: %zu bytes", got);
    if (get_little_endian(block + BLOCK_CRC_AT, 4) != crc_of(block, BLOCK_CRC_AT))
        LLMC_FAIL(LLMC_ERR_FORMAT, "damaged: the header's checksum does not match");
    if (get_little_endian(block + VERSION_AT, 4) != envelope->version)
        LLMC_FAIL(LLMC_ERR_FORMAT, "format version %u; this program reads version %u",
                  (unsigned)get_little_endian(block + VERSION_AT, 4), (unsigned)envelope->version);
    uint64_t length = get_little_endian(block + LENGTH_AT, 8);
    if ((uint64_t)info.st_size != length)
        LLMC_FAIL(LLMC_ERR_FORMAT, "damaged: %llu bytes instead of %llu", (unsigned long long)info.st_size,
                  (unsigned long long)length);
    LLMC_TRY(read_to_end(file, &crc, &nbytes));
    if (nbytes != length - BLOCK || crc != get_little_endian(block + CRC_AT, 4))
        LLMC_FAIL(LLMC_ERR_FORMAT, "damaged: the checksum does not match");
    if (nbytes_ret)
        *nbytes_ret = length;
exit:
    if (file)
        fclose(file);
    return status == LLMC_OK ? LLMC_OK : llmc_error_prefix(status, "%s", path);
}
