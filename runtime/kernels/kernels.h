/*
 * The arithmetic of the runtime, in one version per processor level. Every level
 * gives the same bits: integer sums are exact, FP32 sums group their terms in 16
 * lanes whatever the vector width, products and sums are rounded separately (no
 * fused multiply-add). So an answer does not depend on the machine.
 *
 * Kernels never fail and check nothing: sizes are checked when a model is loaded.
 *
 * Letters: M tokens, K inputs and N outputs of a linear layer.
 */
#ifndef LLMC_RUNTIME_KERNELS_H
#define LLMC_RUNTIME_KERNELS_H

#include "base/cpu.h"
#include "base/number.h"

#include <stddef.h>
#include <stdint.h>

enum {
    LLMC_PANEL = 16, /* outputs that lie side by side in packed weights */
    LLMC_K_STEP = 64 /* integer inputs are padded to a multiple: what one tile instruction takes */
};

/* q = clamp(round_to_even(x * inverse_scale) + zero_point, 0, 255) */
struct llmc_quantiser {
    float inverse_scale;
    int32_t zero_point;
};

enum llmc_step { LLMC_STEP_NONE, LLMC_STEP_GELU, LLMC_STEP_GELU_TANH, LLMC_STEP_RELU, LLMC_STEP_TANH };

/* Where the rows of a linear layer go: FP32, or quantised for the next layer. */
struct llmc_target {
    enum llmc_step step; /* applied to the result first */
    float *f32;          /* [M, stride], or NULL */
    uint8_t *u8;         /* [M, stride], where f32 is NULL */
    size_t stride;
    struct llmc_quantiser quantiser; /* of u8 */
};

/* Weights in panels of LLMC_PANEL outputs, the last one filled with zeros.
 * correction, scale and bias have an entry per output, padded to whole panels. */
struct llmc_weights_i8 {
    int32_t k_groups;          /* of 4 inputs: ceil(K / LLMC_K_STEP) * 16, the last ones filled with zeros */
    int32_t n;
    const int8_t *panels;      /* [panels][k_groups][LLMC_PANEL][4], aligned to a cache line */
    const int32_t *correction; /* zero point of the input times the sum of the row's weights */
    const float *scale;        /* scale of the input times scale of the row */
    const float *bias;
};

struct llmc_weights_f32 {
    int32_t k;
    int32_t n;
    const float *panels; /* [panels][k][LLMC_PANEL] */
    const float *bias;   /* NULL: none */
};

struct llmc_kernels {
    const char *name;

    /* Outputs of the panels first..last-1 for M >= 1 rows of integers x [M, stride], stride
     * at least 4 * k_groups; inputs beyond K meet weights of 0. y = (float)(sum q*w - correction) * scale + bias. */
    void (*linear_i8)(const struct llmc_weights_i8 *weights, int32_t first, int32_t last, const uint8_t *x,
                      size_t stride, int64_t m, const struct llmc_target *target);

    /* The same of x [M, stride] in FP32. */
    void (*linear_f32)(const struct llmc_weights_f32 *weights, int32_t first, int32_t last, const float *x,
                       size_t stride, int64_t m, const struct llmc_target *target);

    /* x = layer norm of x + residual (NULL: of x alone) */
    void (*layer_norm)(float *x, const float *residual, int32_t n, const float *weight, const float *bias,
                       float epsilon);

    /* x = softmax(x * scale) */
    void (*softmax)(float *x, int32_t n, float scale);

    void (*quantise)(uint8_t *q, const float *x, int32_t n, const struct llmc_quantiser *quantiser);

    /* out += scale * integers; out += halves; out += x */
    void (*add_i8)(float *out, const int8_t *x, int32_t n, float scale);
    void (*add_f16)(float *out, const uint16_t *x, int32_t n);
    void (*add_f32)(float *out, const float *x, int32_t n);
};

extern const struct llmc_kernels llmc_kernels_portable;
#if defined(__x86_64__)
extern const struct llmc_kernels llmc_kernels_avx2;
extern const struct llmc_kernels llmc_kernels_avx_vnni;
extern const struct llmc_kernels llmc_kernels_avx512_vnni;
extern const struct llmc_kernels llmc_kernels_amx_int8; /* only where choose allows it */
#endif

/* The best kernels for these features. */
const struct llmc_kernels *llmc_kernels_choose(struct llmc_cpu cpu);

#endif
