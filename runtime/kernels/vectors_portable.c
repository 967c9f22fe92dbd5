/* Vectors for every processor: what the compiler makes of plain C. The oracle of the others. */
#include "runtime/kernels/vector_portable.h"

#define VECTORS llmc_rt_vectors_portable
enum { F32_ROWS = 2, F32_PANELS = 1 };

#include "runtime/kernels/vectors.h"
