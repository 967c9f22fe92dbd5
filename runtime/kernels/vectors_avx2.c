/* AVX2, FMA and F16C. */
#include "runtime/kernels/vector_avx2.h"

#define VECTORS llmc_rt_vectors_avx2
enum { F32_ROWS = 6, F32_PANELS = 1 };

#include "runtime/kernels/vectors.h"
