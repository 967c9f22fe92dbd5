/*
 * Matrix products, all by LibTorch.
 *
 *   number of the operands   product is   how
 *   F32                      F32          MKL (`mm_out`) on Intel processors, else oneDNN
 *                                         (`_linear_pointwise`): each about twice as fast as the other
 *                                         on its side (210 against 500 GFLOP/s on two Zen 5 cores)
 *   BF16                     BF16         `mm_out` (oneDNN; AMX where the processor has it)
 *   F16                      F32          both operands widened to F32, then as F32: the arithmetic of
 *                                         tensor cores (FP16 operands, FP32 sums). ATen's own FP16
 *                                         product is a scalar loop on most processors.
 *
 * Two F32 calls with equal operands and thread counts give equal bits.
 */
#ifndef LLMC_TENSOR_GEMM_H
#define LLMC_TENSOR_GEMM_H

#include "base/status.h"
#include "tensor/matrix.h"

struct llmc_kernels;

/* The three products of a linear layer Y = X . W^T, W [n, k]:                a       b      product */
enum llmc_gemm_form {
    LLMC_GEMM_NT, /* forward     Y  = X . W^T                               [m, k]  [n, k]  [m, n] */
    LLMC_GEMM_NN, /* backward    dX = dY . W                                [m, n]  [n, k]  [m, k] */
    LLMC_GEMM_TN, /* backward    dW = dY^T . X                              [m, n]  [m, k]  [n, k] */
};

/* Scratch memory of products, reused from call to call; one per thread that multiplies. Zeroed is empty. */
struct llmc_gemm {
    const struct llmc_kernels *kernels;
    void *buffers[3]; /* product, widened a, widened b */
    size_t buffer_nbytes[3];
    void *handle; /* the product's tensor where LibTorch made its memory */
};

/* Errors: LLMC_ERR_UNSUPPORTED where LibTorch is older than 2.13. */
llmc_status llmc_gemm_init(struct llmc_gemm *gemm, const struct llmc_kernels *kernels);
void llmc_gemm_release(struct llmc_gemm *gemm);

/* *product = a view of the result, valid until the next call with the same
 * `gemm`. Operands are borrowed and must have the same number format.
 * Errors: LLMC_ERR_TORCH with LibTorch's text, LLMC_ERR_MEMORY. */
llmc_status llmc_gemm_run(struct llmc_gemm *gemm, enum llmc_gemm_form form, const struct llmc_matrix *a,
                          const struct llmc_matrix *b, struct llmc_matrix *product);

/* "2.13.0" */
void llmc_torch_version(char out[16]);

#endif
