/*
 * The arithmetic of the runtime, in one version per processor level: a kind of
 * vectors and a way to multiply integers. Every level gives the same bits: integer
 * sums are exact, FP32 sums take their terms in one order whatever the vector width,
 * and where a product and a sum are rounded once, they are on every level (vf_fma). So
 * an answer does not depend on the machine.
 *
 * Kernels never fail and check nothing: sizes are checked when a model is loaded.
 *
 * Letters: M tokens, K inputs and N outputs of a linear layer; S tokens of a sequence.
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
struct llmc_rt_quantiser {
    float inverse_scale;
    int32_t zero_point;
};

enum llmc_rt_step { LLMC_STEP_NONE, LLMC_STEP_GELU, LLMC_STEP_GELU_TANH, LLMC_STEP_RELU, LLMC_STEP_TANH };

/* Where the rows of a linear layer go: FP32, or quantised for the next layer. */
struct llmc_rt_target {
    enum llmc_rt_step step; /* applied to the result first */
    float *f32;          /* [M, stride], or NULL */
    uint8_t *u8;         /* [M, stride], where f32 is NULL */
    size_t stride;
    struct llmc_rt_quantiser quantiser; /* of u8 */
};

/* Weights in panels of LLMC_PANEL outputs, the last one filled with zeros.
 * start, scale and bias have an entry per output, padded to whole panels. */
struct llmc_rt_weights_i8 {
    int32_t k_groups;          /* of 4 inputs: ceil(K / LLMC_K_STEP) * 16, the last ones filled with zeros */
    int32_t n;
    const int8_t *panels;      /* [panels][k_groups][LLMC_PANEL][4], aligned to a cache line */
    const int32_t *start;      /* of the sums: minus the zero point of the input times the sum of the row's weights */
    const float *scale;        /* scale of the input times scale of the row */
    const float *bias;
};

struct llmc_rt_weights_f32 {
    int32_t k;
    int32_t n;
    const float *panels; /* [panels][k][LLMC_PANEL] */
    const float *bias;   /* NULL: none */
};

/* A block of sums of integer products, corrected: what linear_i8 hands on. */
struct llmc_rt_sums {
    int64_t row; /* the first */
    int rows;
    int32_t panel; /* the first */
    int panels;
    const int32_t *sums; /* [rows][LLMC_PANEL * panels] */
};

/* One head of one sequence. */
struct llmc_rt_head {
    const float *query, *key, *value; /* [S, stride] each; of the queries the first ones */
    size_t stride;
    int32_t queries, length, width; /* length: S */
    float *scratch;                 /* [llmc_rt_head_scratch(S, width)] aligned to a cache line */
};

enum { LLMC_HEAD_PANELS = 2 }; /* of LLMC_PANEL queries that are answered at once, at most */

/* Queries, scores and context of so many panels. */
static inline size_t llmc_rt_head_scratch(int64_t length, int32_t width)
{
    return (size_t)(length + 2 * width) * LLMC_PANEL * LLMC_HEAD_PANELS;
}

/* What is done on vectors of FP32. */
struct llmc_rt_vectors {
    /* Puts rows of y = (float)sum * scale + bias, the product and the sum rounded once. */
    void (*put_sums)(const struct llmc_rt_weights_i8 *weights, const struct llmc_rt_sums *sums,
                     const struct llmc_rt_target *target);

    /* Outputs of the panels first..last-1 for M rows x [M, stride]. */
    void (*linear_f32)(const struct llmc_rt_weights_f32 *weights, int32_t first, int32_t last, const float *x,
                       size_t stride, int64_t m, const struct llmc_rt_target *target);

    /* context [queries, stride] = softmax(query . keys / sqrt(width)) . values */
    void (*attend)(const struct llmc_rt_head *head, const struct llmc_rt_target *context);

    /* x = layer norm of x + residual (NULL: of x alone) */
    void (*layer_norm)(float *x, const float *residual, int32_t n, const float *weight, const float *bias,
                       float epsilon);

    /* x = softmax(x) */
    void (*softmax)(float *x, int32_t n);

    void (*quantise)(uint8_t *q, const float *x, int32_t n, const struct llmc_rt_quantiser *quantiser);

    /* out += scale * integers; out += halves; out += x */
    void (*add_i8)(float *out, const int8_t *x, int32_t n, float scale);
    void (*add_f16)(float *out, const uint16_t *x, int32_t n);
    void (*add_f32)(float *out, const float *x, int32_t n);
};

struct llmc_rt_kernels {
    const char *name;
    const struct llmc_rt_vectors *vectors;

    /* Outputs of the panels first..last-1 for M >= 1 rows of integers x [M, stride], stride at least
     * 4 * k_groups; inputs beyond K meet weights of 0. */
    void (*linear_i8)(const struct llmc_rt_weights_i8 *weights, int32_t first, int32_t last, const uint8_t *x,
                      size_t stride, int64_t m, const struct llmc_rt_target *target);

    /* Multiplies numbers that are in registers already, so many rounds; returns the multiplications and additions
     * done. The time that takes is the peak that linear_i8 is measured by. */
    int64_t (*spin_i8)(int64_t rounds);
};

extern const struct llmc_rt_vectors llmc_rt_vectors_portable;
extern const struct llmc_rt_kernels llmc_rt_kernels_portable;
#if defined(__x86_64__)
extern const struct llmc_rt_vectors llmc_rt_vectors_avx2;
extern const struct llmc_rt_vectors llmc_rt_vectors_avx512;
extern const struct llmc_rt_kernels llmc_rt_kernels_avx2;
extern const struct llmc_rt_kernels llmc_rt_kernels_avx_vnni;
extern const struct llmc_rt_kernels llmc_rt_kernels_avx512_vnni;
extern const struct llmc_rt_kernels llmc_rt_kernels_amx_int8; /* to be used only where choose gives it: it asks Linux */
#endif

/* All levels that these features (base/cpu.h) allow, the portable one first, the best one last: at most
 * LLMC_KERNELS_MAX. Returns their number. */
enum { LLMC_KERNELS_MAX = 5 };
int llmc_rt_kernels_available(uint32_t features, const struct llmc_rt_kernels *out[LLMC_KERNELS_MAX]);

/* The best of them. */
const struct llmc_rt_kernels *llmc_rt_kernels_choose(uint32_t features);

#endif
