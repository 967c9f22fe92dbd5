/*
 * Matrix products by tile instructions (AMX-BF16; Intel SDM vol. 1, chapter 18,
 * "Programming with Intel AMX"): BF16 or F16 operands, FP32 sums.
 *
 * A tile holds 16 rows of 64 bytes. One instruction adds to a 16 x 16 tile of C the
 * product of a tile of A, 16 rows x 32 numbers of the contraction, and a tile of B, 16
 * pairs of the contraction x 16 columns x 2. Operands are therefore packed in panels:
 *
 *   panel       32 rows of A or 32 columns of B over the whole contraction
 *               [steps][parts][2 tiles][16][32 numbers], one after the other in memory
 *   step        32 numbers of the contraction; the last is padded with zeros, as are the
 *               last panel's missing rows or columns: no shape is special
 *   part        1 of BF16 numbers; 2 of F16 numbers, each the sum of two BF16 numbers: its
 *               upper 8 significant bits and the rest (at most 3), so that nothing is lost.
 *               Three of the four products of parts are summed; that of the lower parts is
 *               below 2^-18 of the product, F16 itself is exact to 2^-11 (the splitting of
 *               Henry, Tang and Heinecke, 2019, "Leveraging the bfloat16 Artificial
 *               Intelligence Datatype For Higher-Precision Computations").
 *
 * A number of C is summed in the order of the contraction whatever thread does it: equal
 * operands give equal bits with any number of threads.
 */
#ifndef LLMC_TENSOR_TILES_H
#define LLMC_TENSOR_TILES_H

#include "base/number.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LLMC_TILES_PANEL = 32 }; /* rows of A or columns of B in a panel; numbers of the contraction in a step */

static inline int64_t llmc_tiles_panels(int64_t extent)
{
    return (extent + LLMC_TILES_PANEL - 1) / LLMC_TILES_PANEL;
}

/* Whether this processor has tiles and the operating system lets this process use them, which it is asked here: call it
 * before the others. */
bool llmc_tiles_allowed(void);

/* Row-major numbers to be packed. A view. */
struct llmc_tiles_source {
    const uint16_t *data;    /* [extent, depth]; with `down` [depth, extent] */
    enum llmc_number number; /* LLMC_BF16 or LLMC_F16 */
    int64_t stride;          /* numbers from row to row */
    int64_t extent, depth;   /* rows of A or columns of B; the contraction */
    bool down;               /* the contraction runs down the rows */
};

/* Bytes of an operand's panels. */
size_t llmc_tiles_nbytes(enum llmc_number number, int64_t extent, int64_t depth);

/* out = A . B. Nothing is aliased. */
struct llmc_tiles_product {
    struct llmc_tiles_source a, b; /* equal in number and depth */
    void *a_panels;                /* llmc_tiles_nbytes of A: scratch */
    void *b_panels;                /* the same of B; where packed, llmc_tiles_unpacked_nbytes */
    const void *packed;            /* llmc_tiles_weight_panels in place of b.data; NULL: b.data is there */
    float *out;                    /* [a.extent, b.extent] */
};

/* Multiplies on the calling thread's OpenMP team. Panels are aligned to cache lines (base/memory.h). */
void llmc_tiles_multiply(const struct llmc_tiles_product *product);

/* A weight [rows, cols], both multiples of LLMC_TILES_PANEL, packed once for many products: the panels of B = W^T, then
 * those of B = W. F16 numbers are whole, and taken apart panel by panel in every product: half of the memory in the same
 * time. */
struct llmc_tiles_weight {
    void *panels; /* llmc_tiles_weight_nbytes */
    enum llmc_number number;
    int64_t rows, cols;
};

/* Bytes of a weight's panels, and of the scratch that a product with it needs: a panel a thread where its numbers are
 * taken apart, else nothing. */
size_t llmc_tiles_weight_nbytes(int64_t rows, int64_t cols);
size_t llmc_tiles_unpacked_nbytes(enum llmc_number number, int64_t depth);

/* Packs the part of a weight whose numbers [LLMC_TILES_PANEL, count] stand in row-major memory, rows `stride` numbers
 * apart: rows [row, row + LLMC_TILES_PANEL), columns [col, col + count), all multiples of LLMC_TILES_PANEL. Threads may
 * pack different parts at once. */
void llmc_tiles_pack_weight(const struct llmc_tiles_weight *weight, int64_t row, int64_t col, int64_t count,
                            const uint16_t *numbers, int64_t stride);

/* The panels of B = W (down), or of B = W^T. */
void *llmc_tiles_weight_panels(const struct llmc_tiles_weight *weight, bool down);

#endif
