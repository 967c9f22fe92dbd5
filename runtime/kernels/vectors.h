/*
 * What all kinds of vectors do alike. Included once by each vectors_*.c behind its
 * vector_*.h and the definitions of
 *
 *     VECTORS                   the symbol
 *     F32_ROWS, F32_PANELS      the largest tile of the FP32 product; chosen so
 *                               that its sums stay in registers
 *
 * Nothing here may depend on the vector width VL but the order of independent work.
 */
#include <math.h>

#include "runtime/kernels/put.h"

struct meanwhile;

INLINE void meanwhile_some(struct meanwhile *nothing)
{
    (void)nothing;
}

#include "runtime/kernels/put_sums.h"

static void put_sums(const struct llmc_rt_weights_i8 *weights, const struct llmc_rt_sums *sums,
                     const struct llmc_rt_target *target)
{
    put_sums_meanwhile(weights, sums, target, NULL);
}

#include "runtime/kernels/linear_f32.h"
#include "runtime/kernels/attend.h"
#include "runtime/kernels/rows.h"

const struct llmc_rt_vectors VECTORS = {
    .put_sums = put_sums,
    .linear_f32 = linear_f32,
    .attend = attend,
    .layer_norm = layer_norm,
    .softmax = softmax,
    .quantise = quantise,
    .add_i8 = add_i8,
    .add_f16 = add_f16,
    .add_f32 = add_f32,
};
