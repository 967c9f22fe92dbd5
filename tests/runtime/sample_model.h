/*
 * A small compressed checkpoint with numbers of no meaning, the same on every call: integers, dense and sparse, FP32
 * vectors, input quantisers, and a vocabulary of the special tokens and w0, w1, ...
 */
#ifndef LLMC_TESTS_SAMPLE_MODEL_H
#define LLMC_TESTS_SAMPLE_MODEL_H

#include "formats/checkpoint/compressed.h"

llmc_status sample_model_make(struct llmc_compressed *out, int32_t vocabulary, int32_t hidden, int32_t layers);

/* Two layers that differ: one head and three heads of half of `hidden`, feed-forward parts of 2 * hidden + 1 and 5;
 * weights of 3 to 8 bits, and the last one of the second layer in FP32. */
llmc_status sample_model_make_layered(struct llmc_compressed *out, int32_t vocabulary, int32_t hidden);

#endif
