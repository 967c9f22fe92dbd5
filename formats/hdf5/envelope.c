#include "formats/hdf5/envelope.h"

#include "base/failure.h"
#include "base/memory.h"
#include "base/threads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PART_NBYTES = 1 << 18 }; /* of a checksum: what one thread sums at a time */
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

static size_t part_nbytes(const struct llmc_source *source, int64_t part)
{
    uint64_t left = source->nbytes - BLOCK - (uint64_t)part * PART_NBYTES;
    return left < PART_NBYTES ? (size_t)left : PART_NBYTES;
}

static llmc_status sum_part(const struct llmc_source *source, int64_t part, uint32_t *crc_ret)
{
    unsigned char buffer[1 << 15];
    uint64_t at = BLOCK + (uint64_t)part * PART_NBYTES;
    size_t left = part_nbytes(source, part);
    uLong crc = 0;
    while (left > 0) {
        size_t nbytes = left < sizeof buffer ? left : sizeof buffer;
        llmc_status status = llmc_source_read(source, at, buffer, nbytes);
        if (status != LLMC_OK)
            return status;
        crc = crc32_z(crc, buffer, nbytes);
        at += nbytes;
        left -= nbytes;
    }
    *crc_ret = (uint32_t)crc;
    return LLMC_OK;
}

/* CRC-32 of all behind the user block. The parts are summed side by side: of a start that takes some 20 ms, one
 * thread would spend 6 here for 12 MB. */
static llmc_status sum_source(const struct llmc_source *source, uint32_t *crc_ret)
{
    int64_t parts = (int64_t)((source->nbytes - BLOCK + PART_NBYTES - 1) / PART_NBYTES);
    uint32_t *crcs = NULL;
    llmc_status status = llmc_alloc(&crcs, (size_t)parts, sizeof *crcs);
    struct llmc_failure failure = {0};
    uLong crc = 0;
    if (status != LLMC_OK)
        return status;
#pragma omp parallel for num_threads(llmc_threads_all()) schedule(dynamic, 1) if (parts > 4)
    for (int64_t part = 0; part < parts; part++)
        llmc_failure_note(&failure, part, sum_part(source, part, &crcs[part]));
    status = llmc_failure_report(&failure);
    for (int64_t part = 0; part < parts; part++)
        crc = crc32_combine(crc, crcs[part], (z_off_t)part_nbytes(source, part));
    free(crcs);
    *crc_ret = (uint32_t)crc;
    return status;
}

llmc_status llmc_envelope_verify(const struct llmc_source *source, const struct llmc_envelope *envelope,
                                 uint32_t *version_ret)
{
    llmc_status status = LLMC_OK;
    unsigned char block[BLOCK], magic[MAGIC_NBYTES];
    const char *name = source->name;
    uint32_t crc;
    size_t got = source->nbytes < BLOCK ? (size_t)source->nbytes : BLOCK;
    make_magic(envelope, magic);
    LLMC_TRY(llmc_source_read(source, 0, block, got));
    if (got < sizeof magic || memcmp(block, magic, sizeof magic) != 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: not a %s of llmc (its first bytes differ)", name, envelope->kind);
    if (got < BLOCK)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: cut short: %zu bytes", name, got);
    if (get_little_endian(block + BLOCK_CRC_AT, 4) != crc_of(block, BLOCK_CRC_AT))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: damaged: the header's checksum does not match", name);
    uint64_t version = get_little_endian(block + VERSION_AT, 4);
    if (version < envelope->version || version > envelope->newest)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: format version %u; this program reads version %u to %u", name,
                  (unsigned)version, (unsigned)envelope->version, (unsigned)envelope->newest);
    uint64_t length = get_little_endian(block + LENGTH_AT, 8);
    if (source->nbytes != length)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: damaged: %llu bytes instead of %llu", name,
                  (unsigned long long)source->nbytes, (unsigned long long)length);
    LLMC_TRY(sum_source(source, &crc));
    if (crc != get_little_endian(block + CRC_AT, 4))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: damaged: the checksum does not match", name);
    if (version_ret)
        *version_ret = (uint32_t)version;
exit:
    return status;
}

llmc_status llmc_envelope_verify_file(const char *path, const struct llmc_envelope *envelope)
{
    struct llmc_source source;
    llmc_status status = llmc_source_open(&source, path);
    if (status == LLMC_OK)
        status = llmc_envelope_verify(&source, envelope, NULL);
    llmc_source_close(&source);
    return status;
}
