/*
 * The user block of a compressed checkpoint: magic, version, length, checksums.
 * It is checked before libhdf5 sees a byte, so that a damaged file never
 * reaches a parser of 100,000 lines.
 */
#include "formats/compressed_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { BLOCK = LLMC_COMPRESSED_USER_BLOCK, VERSION_AT = 8, CRC_AT = 12, LENGTH_AT = 16, BLOCK_CRC_AT = 508 };

static const unsigned char magic[8] = {'L', 'L', 'M', 'C', '\r', '\n', 0x1a, '\n'};

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

llmc_status llmc_compressed_seal(const char *path)
{
    llmc_status status = LLMC_OK;
    unsigned char block[BLOCK] = {0};
    uint32_t crc;
    uint64_t nbytes;
    FILE *file = fopen(path, "r+b");
    if (!file || fseek(file, BLOCK, SEEK_SET) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "cannot open: %s", strerror(errno));
    LLMC_TRY(read_to_end(file, &crc, &nbytes));
    memcpy(block, magic, sizeof magic);
    put_little_endian(block + VERSION_AT, LLMC_COMPRESSED_VERSION, 4);
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

llmc_status llmc_compressed_verify(const char *path, uint64_t *nbytes_ret)
{
    llmc_status status = LLMC_OK;
    unsigned char block[BLOCK];
    struct stat info;
    uint32_t crc;
    uint64_t nbytes;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &info) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "cannot open: %s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        LLMC_FAIL(LLMC_ERR_IO, "not a regular file");
    size_t got = fread(block, 1, BLOCK, file);
    if (ferror(file))
        LLMC_FAIL(LLMC_ERR_IO, "cannot read: %s", strerror(errno));
    if (got < sizeof magic || memcmp(block, magic, sizeof magic) != 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "not a compressed checkpoint of llmc (its first bytes differ)");
    if (got < BLOCK)
        LLMC_FAIL(LLMC_ERR_FORMAT, "cut short: %zu bytes", got);
    if (get_little_endian(block + BLOCK_CRC_AT, 4) != crc_of(block, BLOCK_CRC_AT))
        LLMC_FAIL(LLMC_ERR_FORMAT, "damaged: the header's checksum does not match");
    if (get_little_endian(block + VERSION_AT, 4) != LLMC_COMPRESSED_VERSION)
        LLMC_FAIL(LLMC_ERR_FORMAT, "format version %u; this program reads version %d",
                  (unsigned)get_little_endian(block + VERSION_AT, 4), LLMC_COMPRESSED_VERSION);
    uint64_t length = get_little_endian(block + LENGTH_AT, 8);
    if ((uint64_t)info.st_size != length)
        LLMC_FAIL(LLMC_ERR_FORMAT, "damaged: %llu bytes instead of %llu", (unsigned long long)info.st_size,
                  (unsigned long long)length);
    LLMC_TRY(read_to_end(file, &crc, &nbytes));
    if (nbytes != length - BLOCK || crc != get_little_endian(block + CRC_AT, 4))
        LLMC_FAIL(LLMC_ERR_FORMAT, "damaged: the checksum does not match");
    *nbytes_ret = length;
exit:
    if (file)
        fclose(file);
    return status == LLMC_OK ? LLMC_OK : llmc_error_prefix(status, "%s", path);
}
