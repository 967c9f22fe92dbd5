/*
 * One version of the kernels. CMake compiles this file once per version with
 * LLMC_VARIANT naming it and with the compiler flags of its processors; the
 * bodies are plain C that the compiler vectorises.
 */
#include "base/random.h"
#include "tensor/kernels/variants.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif

/* clang-format keeps this order: later parts use earlier ones. */
#include "tensor/kernels/math.h"
#include "tensor/kernels/rows.h"
#include "tensor/kernels/norm.h"
#include "tensor/kernels/attention.h"
#include "tensor/kernels/relation.h"
#include "tensor/kernels/optimizer.h"
#include "tensor/kernels/quantize.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

const struct llmc_kernels JOIN(llmc_kernels_, LLMC_VARIANT) = {
    .name = TEXT(LLMC_VARIANT),
    .widen = widen,
    .narrow = narrow,
    .add = add,
    .sum = sum,
    .sum_squares = sum_squares,
    .activation = activation,
    .activation_backward = activation_backward,
    .norm = norm,
    .norm_backward = norm_backward,
    .dropout = dropout,
    .attention = attention,
    .attention_backward = attention_backward,
    .relation = relation,
    .adamw = adamw,
    .missed_steps = missed_steps,
    .mask = apply_mask,
    .absmax = absmax,
    .min_max = min_max,
    .fake_weight = fake_weight,
    .fake_weight_backward = fake_weight_backward,
    .fake_input = fake_input,
    .fake_input_backward = fake_input_backward,
};
