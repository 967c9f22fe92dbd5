/*
 * Element-wise kernels on rows of FP32 numbers, in versions for several kinds of
 * processor. The same C source (kernels/variant.c) is compiled once per version;
 * "portable" is the fallback and the oracle that tests hold the others against.
 * A kernel runs on one thread; operations (operations.h) split rows over threads.
 *
 * Letters: n numbers in a row. `d` before a name marks a gradient.
 */
#ifndef LLMC_TENSOR_KERNELS_H
#define LLMC_TENSOR_KERNELS_H

#include "architecture/architecture.h"
#include "base/number.h"

#include <stddef.h>
#include <stdint.h>

/* Quantiser of an activation tensor: q = clamp(rint(x * inverse) + zero_point, 0, 255),
 * x' = (q - zero_point) * scale; inverse = 1.0f / scale. */
struct llmc_quantizer {
    float scale, inverse;
    float zero_point; /* an integer 0..255 */
};

struct llmc_adamw {
    float learning_rate, beta1, beta2, epsilon, weight_decay;
    float correction1, correction2; /* 1 - beta1^t, 1 - beta2^t */
    float gradient_scale;           /* factor on g: unscaling and clipping */
};

/* What some steps of AdamW without a gradient do to a number: p -= way * m / (sqrt(v) + epsilon), m *= decay1,
 * v *= decay2 (train/optimizer.c has the factors). */
struct llmc_missed_steps {
    float way, epsilon, decay1, decay2;
};

/* Rows of numbers that lie `stride` numbers apart, as the columns of one head do in a matrix of all heads. */
struct llmc_head_rows {
    void *data;
    enum llmc_number number; /* LLMC_F32, LLMC_F16, LLMC_BF16 */
    size_t stride;
};

/* One head of one sequence. */
struct llmc_attention_head {
    int32_t length, size;          /* at least 1 */
    struct llmc_head_rows q, k, v; /* [length, size]; only read */
    float scale;                   /* 1 / sqrt(size) */
    uint32_t dropout_key;
    uint32_t dropout_threshold; /* an element is dropped where its random number is below; 0: no dropout */
    float dropout_scale;        /* 1 / (1 - p) */
    float *work;                /* llmc_attention_work() floats */
};

/* Queries that meet all keys at a time. */
enum { LLMC_ATTENTION_QUERIES = 32 };

/* Floats of `work` for a head of this length and size: backward takes keys, values and their gradients, five
 * matrices of the queries at a time, and two of their scores. */
static inline size_t llmc_attention_work(int32_t length, int32_t size)
{
    size_t keys = (size_t)length, padded = ((size_t)size + 15) / 16 * 16, queries = LLMC_ATTENTION_QUERIES;
    return 4 * keys * padded + 5 * queries * padded + 2 * queries * keys + 16;
}

/* One relation head of one sequence (MiniLMv2: Wang et al., 2021): the same rows of a student and of its teacher. */
struct llmc_relation_head {
    int32_t length;                         /* at least 1 */
    int32_t student_size, teacher_size;     /* at least 1 */
    struct llmc_head_rows student, teacher; /* [length, size]; only read */
    float *work;                            /* llmc_relation_work() floats */
};

/* Floats of `work` for a head of this length and these sizes: the rows of both, a transpose, the student's gradient, and
 * the relations of both. */
static inline size_t llmc_relation_work(int32_t length, int32_t student_size, int32_t teacher_size)
{
    size_t rows = ((size_t)length + 15) / 16 * 16, s = ((size_t)student_size + 15) / 16 * 16;
    size_t t = ((size_t)teacher_size + 15) / 16 * 16;
    return rows * (2 * s + t + (s > t ? s : t) + 2 * rows) + 16;
}

struct llmc_kernels {
    const char *name;

    /* F32, F16 or BF16 to FP32 and back (nearest even). in and out may be equal where both are F32. */
    void (*widen)(const void *in, enum llmc_number number, float *out, size_t n);
    void (*narrow)(const float *in, enum llmc_number number, void *out, size_t n);

    void (*add)(float *x, const float *y, size_t n);               /* x += y */
    void (*sum)(const void *x, enum llmc_number x_number, const void *y, enum llmc_number y_number, float *out,
                size_t n);                                         /* out = x + y; out may be x where that is F32 */
    double (*sum_squares)(const float *x, size_t n);               /* inf or NaN where x has one */

    /* x = activation(x);  dx = dy * activation'(x) with x before the activation; dx may be dy. */
    void (*activation)(enum llmc_activation kind, float *x, size_t n);
    void (*activation_backward)(enum llmc_activation kind, const float *x, const float *dy, float *dx, size_t n);

    /* Layer norm (Ba, Kiros and Hinton, 2016): x becomes the normalised x, y = x * weight + bias;
     * returns 1 / standard deviation. */
    float (*norm)(float *x, const float *weight, const float *bias, float epsilon, float *y, size_t n);
    /* x: the normalised input that forward left. dweight += dy * x; dbias += dy; dx may be dy. */
    void (*norm_backward)(const float *x, float rstd, const float *weight, const float *dy, float *dx,
                          float *dweight, float *dbias, size_t n);

    /* x = 0 where llmc_random_u32(key, first + i) < threshold, else x * scale (Srivastava et al., 2014). */
    void (*dropout)(float *x, uint32_t key, uint32_t first, uint32_t threshold, float scale, size_t n);

    /* out [length, size] = softmax(q k^T * scale) v for each query; lse [length] = log of the sum of exponents,
     * kept for backward as in FlashAttention (Dao et al., 2022). Probability (i, j) is dropped by random number
     * i * length + j of stream dropout_key, in every version. */
    void (*attention)(const struct llmc_attention_head *head, const struct llmc_head_rows *out, float *lse);
    /* dq, dk, dv [length, size] are overwritten; lse from forward, dout the gradient of its out. */
    void (*attention_backward)(const struct llmc_attention_head *head, const float *lse,
                               const struct llmc_head_rows *dout, const struct llmc_head_rows *dq,
                               const struct llmc_head_rows *dk, const struct llmc_head_rows *dv);

    /* With relations r(x) = softmax(x x^T / sqrt(size)) [length, length], row by row: returns the sum over the rows of
     * KL(r(teacher) || r(student)); gradient [length, student_size] = factor * that sum's, overwritten. */
    double (*relation)(const struct llmc_relation_head *head, float factor, const struct llmc_head_rows *gradient);

    /* AdamW (Loshchilov and Hutter, 2019) with torch.optim.AdamW's arithmetic. g is not changed. */
    void (*adamw)(const struct llmc_adamw *settings, float *p, float *m, float *v, const float *g, size_t n);
    /* Steps of it without a gradient, all at once. */
    void (*missed_steps)(const struct llmc_missed_steps *missed, float *p, float *m, float *v, size_t n);

    /* x = 0 where mask is 0. */
    void (*mask)(float *x, const uint8_t *mask, size_t n);

    float (*absmax)(const float *x, size_t n);
    void (*min_max)(const float *x, float *min, float *max, size_t n); /* widens [*min, *max] */
    /* Fake quantisation of weights: y = scale * clamp(rint(x / scale), -limit, limit). y may be x. */
    void (*fake_weight)(const float *x, float scale, float limit, float *y, size_t n);
    /* Its straight-through estimator (Esser et al., 2020, "Learned Step Size Quantization"): dy, the gradient of y,
     * becomes 0 where x / scale lies beyond the limit; returns the gradient of the scale. */
    double (*fake_weight_backward)(const float *x, float scale, float limit, float *dy, size_t n);
    /* Fake quantisation of activations; y may be x. */
    void (*fake_input)(const struct llmc_quantizer *quantizer, const float *x, float *y, size_t n);
    /* Straight-through estimator: dx = dy where x was inside the range, else 0; returns the gradient of
     * the scale (Esser et al., 2020, "Learned Step Size Quantization"). dx may be dy. */
    double (*fake_input_backward)(const struct llmc_quantizer *quantizer, const float *x, const float *dy, float *dx,
                                  size_t n);
};

/* The versions this machine can run, best last; "portable" is always first. Features named in the
 * environment variable LLMC_DISABLE_CPU_FEATURES count as missing (base/cpu.h). */
int llmc_kernels_list(const struct llmc_kernels *out[4]);
/* The best of them. */
const struct llmc_kernels *llmc_kernels_best(void);

#endif
