/*
 * exp, tanh and GELU by polynomials, for the runtime and for training. To be included after the definition of
 *
 *     vf, vi                        floats and 32-bit integers: vectors of them (runtime/kernels/vector_*.h), or one of
 *                                   each, where the compiler makes vectors of loops (tensor/kernels/math.h)
 *     vf_set, vf_min, vf_max, vf_clamp, vf_from_vi, vi_round, vf_fma, vf_times_power
 *                                   as in runtime/kernels/vector_portable.h
 *
 * The runtime's vectors give the same bits on every processor, with vf_fma rounded once; training's need not. Errors
 * were measured against double precision over all ranges (tests/runtime/test_kernels.c and
 * tests/tensor/test_tensor_kernels.c hold them to 1e-6).
 *
 * Two things stay apart on purpose. Training's attention has an exponential of its own, vec_exp in
 * tensor/kernels/attention_vector.h: it is 4 instructions shorter, because a softmax needs no upper bound, and keeps
 * NaN, by which training notices that it diverges. Inputs become integers in runtime/kernels/put.h and
 * tensor/kernels/quantize.h: the runtime leaves the lower bound to the instruction that packs bytes, where training
 * goes on in FP32; the definition of both is that of formats/checkpoint/compressed.h.
 */
#ifndef LLMC_BASE_KERNELS_VECTOR_FUNCTIONS_H
#define LLMC_BASE_KERNELS_VECTOR_FUNCTIONS_H

/* Relative error below 2e-7 between -87.3 and 88; clamped outside. */
static inline vf vf_exp(vf x)
{
    x = vf_min(vf_max(x, vf_set(-87.3f)), vf_set(88.0f));
    vi n = vi_round(x * vf_set(1.44269504f));
    vf whole = vf_from_vi(n);
    /* x - n ln 2 in two steps. Coefficients: Cephes' expf. */
    vf r = vf_fma(whole, vf_set(-0.693359375f), x);
    r = vf_fma(whole, vf_set(2.12194440e-4f), r);
    vf p = vf_set(1.9875691500e-4f);
    p = vf_fma(p, r, vf_set(1.3981999507e-3f));
    p = vf_fma(p, r, vf_set(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set(5.0000001201e-1f));
    vf y = vf_fma(p, r * r, r) + vf_set(1.0f);
    return vf_times_power(y, n);
}

/* Absolute error below 2e-7. */
static inline vf vf_tanh(vf x)
{
    return vf_set(1.0f) - vf_set(2.0f) / (vf_exp(x + x) + vf_set(1.0f));
}

/* x * Phi(x), absolute error below 1e-6 for |x| up to 8, below 2e-7 |x| beyond.
 * Phi(x) = 1/2 + x P(s), s = 2 (x / 5.3)^2 - 1: P is the minimax polynomial of
 * degree 13 for |x| <= 5.3, and beyond Phi differs from 0 or 1 by less than 6e-8. */
static inline vf vf_gelu(vf x)
{
    static const float coefficients[] = {-0.000521640992f, 0.00155694166f, -0.00178042473f, 0.00221144245f,
                                         -0.00511620147f,  0.00932793505f, -0.0135575887f,  0.0187915303f,
                                         -0.0252079703f,   0.0320959501f,  -0.0395981483f,  0.0492634587f,
                                         -0.0665182471f,   0.133392572f};
    vf clamped = vf_clamp(x, 5.3f);
    vf s = vf_fma(clamped * clamped, vf_set(2.0f / 28.09f), vf_set(-1.0f));
    vf p = vf_set(coefficients[0]);
#pragma GCC unroll 16
    for (int i = 1; i < 14; i++)
        p = vf_fma(p, s, vf_set(coefficients[i]));
    return x * vf_fma(p, clamped, vf_set(0.5f));
}

/* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, written with one exponential. */
static inline vf vf_gelu_tanh(vf x)
{
    vf u = x * vf_fma(vf_set(0.0713548163f), x * x, vf_set(1.5957691216f));
    return x - x / (vf_exp(u) + vf_set(1.0f));
}

#endif
