/* AVX-512: F, BW, VL and DQ. */
#include "runtime/kernels/vector_avx512.h"

#define VECTORS llmc_rt_vectors_avx512
enum { F32_ROWS = 12, F32_PANELS = 2 };

#include "runtime/kernels/vectors.h"
