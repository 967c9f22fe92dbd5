/* What the fuzz targets share. */
#ifndef LLMC_TESTS_FUZZ_H
#define LLMC_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The entry that libFuzzer and the replay call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes);

/* Opens a model from memory; where it opens, predicts a few texts and returns true. Aborts when a refusal has no message. */
bool fuzz_model(const unsigned char *bytes, size_t nbytes);

#endif
