/*
 * The compressed checkpoint, model.llmc: all that the runtime needs, in few bytes.
 *
 * Bytes 0..511: the seal of envelope.h with magic "LLMC\r\n\x1a\n" and version 3 (LLMC_COMPRESSED_VERSION). Versions 1 and
 * 2 are read too (formats/checkpoint/read_groups.h); none writes them.
 * From byte 512: an HDF5 file of few arrays, since each costs half a kilobyte of structure. Arrays are in chunks of whole
 * rows, with shuffle + deflate; a chunk may be stored without deflate (its filter mask says so). Readers take any
 * layout that HDF5 reads with these two filters.
 *     /            attributes: "vocabulary", "positions", "types", "hidden", "layers", "head_width", "labels",
 *                  "activation" (text), "norm_epsilon"; "tokens_max"; "lowercase", "strip_accents", "split_chinese",
 *                  "clean" (0 or 1)
 *     /layers      I32 [layers, 2] heads and ffn of each layer
 *     /vocabulary  U8 [n] word pieces, each ended by '\n'
 *     /labels      U8 [n] label names, each ended by '\n'
 *     /origin      U8 [n] JSON text: how the model was made
 *     /names       U8 [n] names of the tensors, each ended by '\n': all of architecture/parameter.h, in its order
 *     /tensors     I64 [tensors, 7]
 *          0       number format: 0 F32, 1 F16, 3 integers with a scale for each row
 *          1       bits of the integers, 2 to 8; else 0
 *          2, 3    rows, cols (a vector is 1 row)
 *          4       form, a sum: 1 mixed (integers only): several in a byte; 2 sparse: a mask, and the values that it keeps
 *          5       values stored: rows * cols, or of a sparse tensor those that are not zero
 *          6       zero point of the input of a linear layer that runs in integers, 0 to 255; else -1
 *     /words       the word embedding by rows, of which a start unpacks what it needs: F32, F16 or I8 [rows, cols]; mixed:
 *                  U8 [rows, ceil(cols / k)]. Never sparse
 *     All other tensors one behind the other, in the order of /tensors; an array of which there is nothing is left out:
 *     /bytes       U8 [n] of each tensor its mask (sparse: ceil(rows * cols / 8) bytes, bit i % 8 of byte i / 8 is set
 *                  where element i = row * cols + col is stored), then its integers
 *     /halves      F16 [n] values
 *     /floats      F32 [n] of each tensor (the word embedding too) its values, or the scales of its rows, weight =
 *                  scale[row] * integer, and behind these the scale of its input, where it has one
 * Integers of b bits lie between -L and L, L = 2^(b-1) - 1. Mixed, k of them are in a byte: the sum over i < k of
 * (value[i] + L) * (2 L + 1)^i, with the largest k for which that fits; places behind the last value (of a row in
 * /words) hold 0. Deflate codes whole bytes in whole bits: with k integers in a byte it loses a k-th of what it would
 * lose else. Each tensor is in the form that deflates to the fewest bytes.
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

#define LLMC_COMPRESSED_VERSION 3

/* Rows of a tensor as they lie in the file. */
struct llmc_compressed_rows {
    struct llmc_h5_chunks chunks; /* count 0: none */
    enum llmc_number number;
    int bits;
    bool mixed;
    int64_t cols;
};

/* One parameter. In memory it is always dense. */
struct llmc_compressed_tensor {
    char *name;
    enum llmc_number number; /* LLMC_F32, LLMC_F16, LLMC_I8 */
    int bits;                /* of LLMC_I8; else 0 */
    int64_t rows, cols;
    bool sparse;   /* set by read: how it is stored */
    void *data;    /* [rows, cols] in `number` */
    struct llmc_compressed_rows packed; /* set by read_source for the word embedding, in place of data */
    float *scales; /* [rows], LLMC_I8 only */
    bool has_input; /* a linear layer that runs in integers */
    float input_scale;
    int32_t input_zero_point;
    /* Set by read: bytes of values and mask, and of scales, in the file. Of chunks that tensors share, each has its share
     * of the bytes. */
    uint64_t stored_nbytes, scales_stored_nbytes;
};

struct llmc_compressed {
    struct llmc_architecture architecture;
    int32_t tokens_max;
    struct llmc_tokenizer_rules rules;
    char *vocabulary; /* as llmc_tokenizer_create takes it */
    size_t vocabulary_nbytes;
    uint64_t vocabulary_stored_nbytes, texts_stored_nbytes; /* set by read; labels and origin */
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

/* Unpacks chunk `index` of a packed tensor into `rows`, [its rows, cols] in the tensor's number, and checks its numbers.
 * Any number of threads may call it. Errors: LLMC_ERR_FORMAT, LLMC_ERR_MEMORY. */
llmc_status llmc_compressed_unpack_rows(const struct llmc_compressed_rows *packed, const char *name, int64_t index,
                                        void *rows);

void llmc_compressed_release(struct llmc_compressed *content);

/* Row `row` of a tensor of any format in FP32: out [cols]. */
void llmc_tensor_row(const struct llmc_compressed_tensor *tensor, int64_t row, float *out);

#endif
