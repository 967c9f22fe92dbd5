/* The versions of the kernels, each made from variant.c. */
#ifndef LLMC_TENSOR_KERNELS_VARIANTS_H
#define LLMC_TENSOR_KERNELS_VARIANTS_H

#include "tensor/kernels.h"

extern const struct llmc_kernels llmc_kernels_portable;
extern const struct llmc_kernels llmc_kernels_avx2;
extern const struct llmc_kernels llmc_kernels_avx512;

#endif
