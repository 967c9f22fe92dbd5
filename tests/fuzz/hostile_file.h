/*
 * Checkpoints that lie. A script of bytes changes a small valid one while it is written: attributes, types, shapes,
 * chunks, links and texts become what the script says. The container stays one that libhdf5 wrote, and the
 * checksum fits, so that the reader's own checks are what is tested.
 */
#ifndef LLMC_TESTS_HOSTILE_FILE_H
#define LLMC_TESTS_HOSTILE_FILE_H

#include <stddef.h>
#include <stdint.h>

enum { HOSTILE_CHANGE_NBYTES = 12 }; /* of a change in a script: fewer bytes tell no lie */

/* The file's bytes, which the caller frees; NULL when the script made one that libhdf5 refuses to write. */
unsigned char *hostile_file_make(const uint8_t *script, size_t script_nbytes, size_t *nbytes_ret);

/* Makes the seal of these bytes valid, where there is room for one. */
void hostile_file_seal(unsigned char *bytes, size_t nbytes);

#endif
