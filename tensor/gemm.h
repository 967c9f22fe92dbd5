/*
 * Matrix products: by LibTorch and the libraries that it carries, or by tiles.
 *
 *   form of the operands   product is   how
 *   F32                    F32          MKL (`mm_out`) on Intel processors, else oneDNN
 *                                       (`_linear_pointwise`): each about twice as fast as the other
 *                                       on its side (210 against 500 GFLOP/s on two Zen 5 cores)
 *   BF16                   BF16         oneDNN (`mm_out`)
 *   BF16, F16, PACKED      F32          with tiles: our own product (tiles.h)
 *
 * With F16 operands this is the arithmetic of tensor cores: FP16 operands, FP32 sums. ATen's own FP16 product is a
 * scalar loop on most processors.
 *
 * Two calls with equal operands, room and thread counts give equal bits.
 */
#ifndef LLMC_TENSOR_GEMM_H
#define LLMC_TENSOR_GEMM_H

#include "base/status.h"
#include "tensor/matrix.h"
#include "tensor/operand.h"

#include <stdbool.h>

struct llmc_kernels;

/* The three products of a linear layer Y = X . W^T, W [n, k]:                a       b      product */
enum llmc_gemm_form {
    LLMC_GEMM_NT, /* forward     Y  = X . W^T                               [m, k]  [n, k]  [m, n] */
    LLMC_GEMM_NN, /* backward    dX = dY . W                                [m, n]  [n, k]  [m, k] */
    LLMC_GEMM_TN, /* backward    dW = dY^T . X                              [m, n]  [m, k]  [n, k] */
};

/* How this machine multiplies, and scratch memory of products, reused from call to call; one per thread that
 * multiplies. */
struct llmc_gemm {
    const struct llmc_kernels *kernels;
    bool f32_by_mkl, tiles;
    void *buffers[3]; /* product, operand a, operand b */
    size_t buffer_nbytes[3];
    void *handle;     /* the product's tensor where LibTorch made its memory */
    double seconds;   /* spent in products since init */
    double flops;     /* and the floating-point operations asked for: 2 m n k each */
};

/* Errors: LLMC_ERR_UNSUPPORTED where LibTorch is older than 2.13. */
llmc_status llmc_gemm_init(struct llmc_gemm *gemm, const struct llmc_kernels *kernels);
void llmc_gemm_release(struct llmc_gemm *gemm);

/* The form that operands of `number` take on this machine. */
enum llmc_operand_form llmc_gemm_operand_form(const struct llmc_gemm *gemm, enum llmc_number number);

/* The form that weights take whose rows and columns are multiples of these: PACKED on machines with tiles where the
 * numbers fill whole panels, else as other operands. */
enum llmc_operand_form llmc_gemm_weight_form(const struct llmc_gemm *gemm, enum llmc_number number, int64_t rows,
                                             int64_t cols);

enum llmc_gemm_side { LLMC_GEMM_A = 1, LLMC_GEMM_B = 2 };

/* *operand = matrix as an operand: a view of it where the number format is already the form, else a converted copy in
 * scratch memory, valid until the next call for the same side. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_gemm_operand(struct llmc_gemm *gemm, enum llmc_gemm_side side, const struct llmc_matrix *matrix,
                              struct llmc_operand *operand);

/* *product = a view of the result in scratch memory, valid until the next call of this function or the next. Operands
 * are borrowed, and their room may be set to zero. They must have the same form, but for b, which may be PACKED in the
 * forms NT and NN. Errors: LLMC_ERR_ARGUMENT (shapes), LLMC_ERR_TORCH with LibTorch's text, LLMC_ERR_MEMORY. */
llmc_status llmc_gemm_run(struct llmc_gemm *gemm, enum llmc_gemm_form form, const struct llmc_operand *a,
                          const struct llmc_operand *b, struct llmc_matrix *product);

/* The same with the result in the caller's memory: out in FP32, as large as the product. */
llmc_status llmc_gemm_store(struct llmc_gemm *gemm, enum llmc_gemm_form form, const struct llmc_operand *a,
                            const struct llmc_operand *b, float *out);

/* "2.13.0" */
void llmc_torch_version(char out[16]);

#endif
