/*
 * The compressed checkpoint, model.llmc: all that the runtime needs, in few bytes.
 *
 * Bytes 0..511: the seal of envelope.h with magic "LLMC\r\n\x1a\n" and version 1 (LLMC_COMPRESSED_VERSION); 2
 * (LLMC_COMPRESSED_LAYERED) where layers differ.
 * From byte 512: an HDF5 file. Arrays are in chunks of whole rows, with shuffle + deflate; a chunk may be stored
 * without deflate (its filter mask says so). Readers take any layout that HDF5 reads with these two filters.
 *     /                        attributes: the architecture (formats/checkpoint/architecture.h); "tokens_max";
 *                              "lowercase", "strip_accents", "split_chinese", "clean" (0 or 1);
 *                              "origin" (JSON text: how the model was made)
 *     /layers/N                group, one per layer where layers differ: "heads", "ffn" (the same header)
 *     /vocabulary              U8 [n] word pieces, each ended by '\n'
 *     /labels                  U8 [n] label names, each ended by '\n'
 *     /tensors/NAME            group, one per parameter of architecture/parameter.h
 *         attributes           "number" (F32, F16, I8 as text), "bits" (of I8: 2..8), "rows", "cols"
 *                              (a vector is 1 row), "sparse" (0 or 1)
 *         values               dense: [rows, cols] in `number`; sparse: [nonzeros] in row order
 *         mask                 sparse only: U8 [ceil(rows * cols / 8)], bit i % 8 of byte i / 8 is
 *                              set where element i = row * cols + col is stored in `values`
 *         scales               I8 only: F32 [rows]; weight = scale[row] * integer
 *     /inputs/NAME             group, one per linear layer that runs in integers, NAME of its weight
 *                              attributes "scale" (double holding a float), "zero_point" (0..255)
 *
 * The integer arithmetic (one definition for training and runtime):
 *     activation  q = clamp(round_to_even(x * (1.0f / scale)) + zero_point, 0, 255), FP32 arithmetic
 *     weight      w = integer in [-(2^(bits-1) - 1), 2^(bits-1) - 1], one scale per output channel (row)
 *     product     y = (float)(sum_k q*w - zero_point * sum_k w) * (scale * weight_scale[row]) + bias[row],
 *                 the sums exact in int32
 *     embeddings  row = scale[row] * integers, in FP32
 */
#ifndef LLMC_FORMATS_CHECKPOINT_COMPRESSED_H
#define LLMC_FORMATS_CHECKPOINT_COMPRESSED_H

#include "base/number.h"
#include "architecture/parameter.h"
#include "base/status.h"
#include "formats/hdf5/chunks.h"
#include "formats/hdf5/source.h"
#include "text/tokenizer.h"

#include <stdbool.h>
#include <stdint.h>

/* Of files whose layers are equal; of those whose layers differ, which older readers thus refuse. Both are read. */
#define LLMC_COMPRESSED_VERSION 1
#define LLMC_COMPRESSED_LAYERED 2

/* One parameter. In memory it is always dense; `sparse` says how it is stored. */
struct llmc_compressed_tensor {
    char *name;
    enum llmc_number number; /* LLMC_F32, LLMC_F16, LLMC_I8 */
    int bits;                /* of LLMC_I8; else 0 */
    int64_t rows, cols;
    bool sparse;
    void *data;    /* [rows, cols] in `number` */
    struct llmc_h5_chunks packed; /* set by read_source for the word embedding, in place of data */
    float *scales; /* [rows], LLMC_I8 only */
    bool has_input; /* a linear layer that runs in integers */
    float input_scale;
    int32_t input_zero_point;
    uint64_t stored_nbytes; /* set by read: bytes of values, mask and scales in the file */
};

struct llmc_compressed {
    struct llmc_architecture architecture;
    int32_t tokens_max;
    struct llmc_tokenizer_rules rules;
    char *vocabulary; /* as llmc_tokenizer_create takes it */
    size_t vocabulary_nbytes;
    uint64_t vocabulary_stored_nbytes; /* set by read */
    char **labels;    /* [architecture.labels] */
    char *origin;     /* JSON text */
    struct llmc_compressed_tensor *tensors; /* all of architecture/parameter.h, in its order */
    int32_t tensor_count;
};

/* Writes atomically (base/file.h). The content stays the caller's. Checks it as
 * read does. Errors: LLMC_ERR_IO (also a full disk), LLMC_ERR_FORMAT, LLMC_ERR_MEMORY. */
llmc_status llmc_compressed_write(const char *path, const struct llmc_compressed *content);

/* Reads and checks all: magic, version, length, CRC-32 before libhdf5 sees a
 * byte; then every count, shape, index and range (finite positive scales, mask bits equal to
 * the number of values, zero points 0..255, expected tensors, all of them and no others).
 * Query, key and value of a layer must share one input quantiser. Embeddings, vectors and
 * classifier have none. Errors: LLMC_ERR_IO, LLMC_ERR_FORMAT with file and field. */
llmc_status llmc_compressed_read(const char *path, struct llmc_compressed *content);

/* The same of a source. With `keep_packed`, the word embedding (where it is dense) stays packed: its rows are unpacked
 * and checked when they are needed, with llmc_compressed_unpack_rows, for which the source must still be there. */
llmc_status llmc_compressed_read_source(const struct llmc_source *source, bool keep_packed,
                                        struct llmc_compressed *content);

/* Unpacks chunk `index` of a packed tensor into `rows` and checks its numbers. Any number of threads
 * may call it. Errors: LLMC_ERR_FORMAT, LLMC_ERR_MEMORY. */
llmc_status llmc_compressed_unpack_rows(const struct llmc_h5_chunks *packed, const char *name, int bits, int64_t index,
                                        void *rows);

void llmc_compressed_release(struct llmc_compressed *content);

/* Row `row` of a tensor of any format in FP32: out [cols]. */
void llmc_tensor_row(const struct llmc_compressed_tensor *tensor, int64_t row, float *out);

#endif
