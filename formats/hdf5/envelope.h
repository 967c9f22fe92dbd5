/*
 * A seal in front of an HDF5 file, in its user block: kind, version, length and
 * checksums. It is checked before libhdf5 sees a byte, so that a truncated or
 * damaged file never reaches a parser of 100,000 lines.
 *
 * Bytes 0..511, little-endian:
 *      0   8  magic of the kind: four letters, then "\r\n\x1a\n" (shows damage by text-mode
 *             transfers, as PNG's does)
 *      8   4  version of the kind
 *     12   4  CRC-32 (zlib's) of all bytes from 512 to the end of the file
 *     16   8  length of the whole file in bytes
 *     24 484  zero
 *    508   4  CRC-32 of bytes 0..507
 */
#ifndef LLMC_FORMATS_HDF5_ENVELOPE_H
#define LLMC_FORMATS_HDF5_ENVELOPE_H

#include "formats/hdf5/source.h"

#define LLMC_ENVELOPE_NBYTES 512

struct llmc_envelope {
    char letters[5]; /* "LLMC" */
    uint32_t version; /* that is written, and the oldest that is read */
    const char *kind; /* "compressed checkpoint" */
    uint32_t newest;  /* that is read */
};

/* Fills in the user block of the finished file `path`, made with LLMC_ENVELOPE_NBYTES of user block. */
llmc_status llmc_envelope_seal(const char *path, const struct llmc_envelope *envelope);

/* Checks the user block and the checksum of all behind it, without libhdf5. Large files are summed by several
 * threads (OpenMP). *version_ret (NULL: not asked for) = the file's. Errors: LLMC_ERR_IO, LLMC_ERR_FORMAT, with the
 * source's name. */
llmc_status llmc_envelope_verify(const struct llmc_source *source, const struct llmc_envelope *envelope,
                                 uint32_t *version_ret);

/* The same of a file. */
llmc_status llmc_envelope_verify_file(const char *path, const struct llmc_envelope *envelope);

#endif
