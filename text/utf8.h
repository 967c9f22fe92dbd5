/*
 * UTF-8, one character at a time.
 */
#ifndef LLMC_TEXT_UTF8_H
#define LLMC_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define LLMC_UTF8_NBYTES_MAX 4

/* Decodes the character at `bytes` (nbytes >= 1) and returns the bytes it takes.
 * Where no valid character starts, *code = -1 and the return value is the length
 * of the longest beginning of one, at least 1: the bytes that Python's
 * errors="replace" turns into one U+FFFD. */
int llmc_utf8_decode(const char *bytes, size_t nbytes, int32_t *code);

/* Writes a Unicode scalar value to `bytes`, returns the bytes written. */
int llmc_utf8_encode(int32_t code, char bytes[LLMC_UTF8_NBYTES_MAX]);

/* The offset of the first byte that is not part of a valid character; `nbytes` when all are. */
size_t llmc_utf8_valid(const char *bytes, size_t nbytes);

#endif
