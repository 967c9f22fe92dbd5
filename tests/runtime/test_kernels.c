/*
 * Every processor level gives the bits of the portable one, which itself is
 * compared with double precision. `test_kernels bench` prints speeds instead.
 */
#include "base/memory.h"
#include "runtime/kernels/kernels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct llmc_rt_kernels *levels[LLMC_KERNELS_MAX];
static int level_count;

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(random_state >> 8) * n >> 24);
}

static float random_float(float range)
{
    return ((float)random_below(1 << 20) / (1 << 19) - 1.0f) * range;
}

static void *make(size_t count, size_t size)
{
    void *memory;
    assert_int_equal(llmc_alloc(&memory, count, size), LLMC_OK);
    return memory;
}

/* A random integer layer; extreme: all numbers at the ends of their ranges. */
struct layer_i8 {
    struct llmc_rt_weights_i8 weights;
    int8_t *panels;
    int32_t *start;
    float *scale, *bias;
    uint8_t *x;
    size_t stride;
    int32_t m, k, panel_count;
};

static struct layer_i8 make_layer(int32_t m, int32_t k, int32_t n, int extreme)
{
    struct layer_i8 layer = {.m = m, .k = k, .panel_count = (n + 15) / 16};
    int32_t groups = (k + 63) / 64 * 16;
    size_t padded = (size_t)layer.panel_count * 16;
    layer.stride = (size_t)groups * 4 + random_below(3) * 4;
    layer.panels = make(padded * (size_t)groups * 4, 1);
    layer.start = make(padded, sizeof(int32_t));
    layer.scale = make(padded, sizeof(float));
    layer.bias = make(padded, sizeof(float));
    layer.x = make((size_t)m * layer.stride, 1);
    for (int32_t col = 0; col < n; col++) {
        for (int32_t i = 0; i < k; i++) {
            int8_t w = extreme ? (col % 2 ? 127 : -127) : (int8_t)((int)random_below(255) - 127);
            layer.panels[((size_t)(col / 16) * (size_t)groups + (size_t)(i / 4)) * 64 + (size_t)(col % 16) * 4 +
                         (size_t)(i % 4)] = w;
        }
        layer.start[col] = extreme ? 0 : (int32_t)random_below(20000) - 10000;
        layer.scale[col] = extreme ? 1.0f : random_float(1e-3f);
        layer.bias[col] = extreme ? 0.0f : random_float(1.0f);
    }
    for (size_t i = 0; i < (size_t)m * layer.stride; i++)
        layer.x[i] = extreme ? 255 : (uint8_t)random_below(256);
    layer.weights = (struct llmc_rt_weights_i8){.k_groups = groups, .n = n, .panels = layer.panels,
                                             .start = layer.start, .scale = layer.scale,
                                             .bias = layer.bias};
    return layer;
}

static void free_layer(struct layer_i8 *layer)
{
    free(layer->panels);
    free(layer->start);
    free(layer->scale);
    free(layer->bias);
    free(layer->x);
}

static void test_integer_layers_agree(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        int32_t m = 1 + (int32_t)random_below(70), k = 1 + (int32_t)random_below(70), n = 1 + (int32_t)random_below(70);
        struct layer_i8 layer = make_layer(m, k, n, 0);
        enum llmc_rt_step step = (enum llmc_rt_step)(round % 5);
        size_t out_stride = (size_t)n + 3, count = (size_t)m * out_stride;
        float *expected = make(count, sizeof(float)), *got = make(count, sizeof(float));
        uint8_t *expected_u8 = make(count, 1), *got_u8 = make(count, 1);
        struct llmc_rt_quantiser quantiser = {100.0f, (int32_t)random_below(256)};
        for (int level = 0; level < level_count; level++) {
            struct llmc_rt_target target = {.step = step, .f32 = level ? got : expected, .stride = out_stride};
            levels[level]->linear_i8(&layer.weights, 0, layer.panel_count, layer.x, layer.stride, m, &target);
            target = (struct llmc_rt_target){.step = step, .u8 = level ? got_u8 : expected_u8, .stride = out_stride,
                                          .quantiser = quantiser};
            /* In two parts, as threads do it. */
            int32_t middle = layer.panel_count / 2;
            levels[level]->linear_i8(&layer.weights, 0, middle, layer.x, layer.stride, m, &target);
            levels[level]->linear_i8(&layer.weights, middle, layer.panel_count, layer.x, layer.stride, m, &target);
            if (level && (memcmp(expected, got, count * sizeof(float)) || memcmp(expected_u8, got_u8, count)))
                fail_msg("%s differs: m=%d k=%d n=%d step=%d", levels[level]->name, m, k, n, (int)step);
        }
        free(expected);
        free(got);
        free(expected_u8);
        free(got_u8);
        free_layer(&layer);
    }
}

/* 255 * 127 in every place: sums that 16 bits would saturate are exact. */
static void test_integer_extremes_do_not_saturate(void **state)
{
    (void)state;
    const int32_t sizes[] = {1, 2, 4, 5, 63, 64, 1536};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        int32_t k = sizes[s], m = 7, n = 67;
        struct layer_i8 layer = make_layer(m, k, n, 1);
        float *out = make((size_t)(m * n), sizeof(float));
        struct llmc_rt_target target = {.f32 = out, .stride = (size_t)n};
        for (int level = 0; level < level_count; level++) {
            levels[level]->linear_i8(&layer.weights, 0, layer.panel_count, layer.x, layer.stride, m, &target);
            for (int32_t i = 0; i < m * n; i++)
                assert_true(out[i] == (float)(k * 255 * 127) * (i % n % 2 ? 1.0f : -1.0f));
        }
        free(out);
        free_layer(&layer);
    }
}

static void test_float_layers_agree(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        int32_t m = 1 + (int32_t)random_below(70), k = 1 + (int32_t)random_below(70), n = 1 + (int32_t)random_below(70);
        int32_t panels = (n + 15) / 16;
        size_t weight_count = (size_t)panels * 16 * (size_t)k, x_count = (size_t)m * (size_t)k;
        size_t count = (size_t)m * (size_t)n;
        float *w = make(weight_count, sizeof(float)), *x = make(x_count, sizeof(float));
        float *bias = make((size_t)panels * 16, sizeof(float));
        float *expected = make(count, sizeof(float)), *got = make(count, sizeof(float));
        for (size_t i = 0; i < weight_count; i++)
            w[i] = random_float(1.0f);
        for (size_t i = 0; i < x_count; i++)
            x[i] = random_float(2.0f);
        for (int32_t i = 0; i < n; i++)
            bias[i] = random_float(1.0f);
        struct llmc_rt_weights_f32 weights = {.k = k, .n = n, .panels = w, .bias = round % 2 ? bias : NULL};
        for (int level = 0; level < level_count; level++) {
            struct llmc_rt_target target = {.step = (enum llmc_rt_step)(round % 5), .f32 = level ? got : expected,
                                         .stride = (size_t)n};
            levels[level]->vectors->linear_f32(&weights, 0, panels, x, (size_t)k, m, &target);
            if (level && memcmp(expected, got, count * sizeof(float)))
                fail_msg("%s differs: m=%d k=%d n=%d", levels[level]->name, m, k, n);
        }
        for (int32_t i = 0; round % 5 == 0 && i < m * n; i++) {
            double sum = weights.bias ? (double)bias[i % n] : 0.0;
            for (int32_t j = 0; j < k; j++)
                sum += (double)x[i / n * k + j] *
                       (double)w[((size_t)(i % n / 16) * (size_t)k + (size_t)j) * 16 + (size_t)(i % n % 16)];
            assert_true(fabs(sum - (double)expected[i]) < 1e-4);
        }
        free(w);
        free(x);
        free(bias);
        free(expected);
        free(got);
    }
}

static void test_rows_agree(void **state)
{
    (void)state;
    enum { N = 100 };
    for (int round = 0; round < 300; round++) {
        int32_t n = 1 + (int32_t)random_below(N);
        float x[N], residual[N], weight[N], bias[N], expected[N], got[N];
        int8_t bytes[N];
        uint16_t halves[N];
        uint8_t expected_q[N], got_q[N];
        for (int i = 0; i < N; i++) {
            x[i] = random_float(4.0f);
            residual[i] = random_float(4.0f);
            weight[i] = random_float(1.0f);
            bias[i] = random_float(1.0f);
            bytes[i] = (int8_t)((int)random_below(255) - 127);
            halves[i] = llmc_f16_from_f32(random_float(1.0f));
        }
        struct llmc_rt_quantiser quantiser = {40.0f, (int32_t)random_below(256)};
        for (int level = 0; level < level_count; level++) {
            const struct llmc_rt_vectors *vectors = levels[level]->vectors;
            float *out = level ? got : expected;
            uint8_t *q = level ? got_q : expected_q;
            memcpy(out, x, sizeof x);
            vectors->add_i8(out, bytes, n, 0.01f);
            vectors->add_f16(out, halves, n);
            vectors->add_f32(out, bias, n);
            vectors->layer_norm(out, round % 2 ? residual : NULL, n, weight, bias, 1e-12f);
            vectors->quantise(q, out, n, &quantiser);
            if (round % 3 == 0)
                vectors->softmax(out, n);
            if (level && (memcmp(expected, got, (size_t)n * sizeof(float)) || memcmp(expected_q, got_q, (size_t)n)))
                fail_msg("%s differs: n=%d", levels[level]->name, n);
        }
    }
}

/* The quantiser is the documented one, ties to even included. */
static void test_quantiser(void **state)
{
    (void)state;
    enum { N = 4096 };
    static float x[N];
    static uint8_t q[N];
    const struct llmc_rt_quantiser quantisers[] = {{1.0f, 0}, {2.0f, 255}, {1.0f / 0.037f, 128}, {1e6f, 7}};
    for (size_t s = 0; s < sizeof quantisers / sizeof quantisers[0]; s++) {
        for (int i = 0; i < N; i++)
            x[i] = i % 2 ? (float)(i - N / 2) * 0.25f : random_float(i % 4 ? 10.0f : 1e30f);
        for (int level = 0; level < level_count; level++) {
            levels[level]->vectors->quantise(q, x, N, &quantisers[s]);
            for (int i = 0; i < N; i++) {
                float value = rintf(x[i] * quantisers[s].inverse_scale) + (float)quantisers[s].zero_point;
                assert_int_equal(q[i], (int)fminf(fmaxf(value, 0.0f), 255.0f));
            }
        }
    }
}

/* Activations against double precision, through a layer with one input of weight 1. */
static double worst_step(enum llmc_rt_step step, double (*exact)(double), float from, float to)
{
    enum { N = 200001 };
    float *x = make(N, sizeof(float)), *y = make(N, sizeof(float)), panel[16] = {1.0f};
    struct llmc_rt_weights_f32 weights = {.k = 1, .n = 1, .panels = panel};
    struct llmc_rt_target target = {.step = step, .f32 = y, .stride = 1};
    double worst = 0;
    for (int i = 0; i < N; i++)
        x[i] = from + (to - from) * (float)i / (N - 1);
    llmc_rt_vectors_portable.linear_f32(&weights, 0, 1, x, 1, N, &target);
    for (int i = 0; i < N; i++)
        worst = fmax(worst, fabs((double)y[i] - exact((double)x[i])));
    free(x);
    free(y);
    return worst;
}

static double gelu(double x)
{
    return 0.5 * x * erfc(-x / sqrt(2));
}

static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

static void test_activations_are_accurate(void **state)
{
    (void)state;
    assert_true(worst_step(LLMC_STEP_GELU, gelu, -8, 8) < 1e-6);
    assert_true(worst_step(LLMC_STEP_GELU, gelu, -60, 60) < 1.2e-5);
    assert_true(worst_step(LLMC_STEP_GELU_TANH, gelu_tanh, -8, 8) < 1e-6);
    assert_true(worst_step(LLMC_STEP_GELU_TANH, gelu_tanh, -60, 60) < 1.2e-5);
    assert_true(worst_step(LLMC_STEP_TANH, tanh, -20, 20) < 1e-6);
}

static void test_softmax_is_accurate(void **state)
{
    (void)state;
    enum { N = 77 };
    float x[N];
    double exact[N], sum = 0;
    for (int i = 0; i < N; i++) {
        x[i] = random_float(30.0f);
        sum += exact[i] = exp((double)x[i]);
    }
    llmc_rt_vectors_portable.softmax(x, N);
    for (int i = 0; i < N; i++)
        assert_true(fabs((double)x[i] - exact[i] / sum) < 1e-6);
}

static void test_disabled_features_choose_lower_levels(void **state)
{
    (void)state;
    uint32_t all = LLMC_CPU_FMA | LLMC_CPU_F16C | LLMC_CPU_AVX2 | LLMC_CPU_AVX512 | LLMC_CPU_AVX512_VNNI | LLMC_CPU_AVX_VNNI;
    assert_string_equal(llmc_rt_kernels_choose(LLMC_CPU_ANY)->name, "portable");
#if defined(__x86_64__)
    assert_string_equal(llmc_rt_kernels_choose(all)->name, "avx512_vnni");
    all &= ~(uint32_t)LLMC_CPU_AVX512_VNNI;
    assert_string_equal(llmc_rt_kernels_choose(all)->name, "avx_vnni");
    all &= ~(uint32_t)LLMC_CPU_AVX_VNNI;
    assert_string_equal(llmc_rt_kernels_choose(all)->name, "avx2");
#endif
    (void)all;
}

/* ---- speed ---- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void bench(int32_t m, int32_t k, int32_t n)
{
    struct layer_i8 layer = make_layer(m, k, n, 0);
    int32_t panels = layer.panel_count;
    layer.stride = (size_t)(k + 63) / 64 * 64;
    float *w = make((size_t)panels * 16 * (size_t)k, sizeof(float)), *x = make((size_t)m * (size_t)k, sizeof(float));
    float *y = make((size_t)m * (size_t)n, sizeof(float));
    uint8_t *q = make((size_t)m * (size_t)n, 1);
    struct llmc_rt_weights_f32 weights = {.k = k, .n = n, .panels = w};
    struct llmc_rt_target out = {.f32 = y, .stride = (size_t)n};
    struct llmc_rt_target out_gelu = {.step = LLMC_STEP_GELU, .u8 = q, .stride = (size_t)n, .quantiser = {1.0f, 128}};
    double operations = 2.0 * m * k * n;
    enum { ROUNDS = 1000000 };
    for (int level = 0; level < level_count; level++) {
        double speed[3], began = seconds();
        double peak = (double)levels[level]->spin_i8(ROUNDS) / (seconds() - began) * 1e-9;
        for (int what = 0; what < 3; what++) {
            int calls = 0;
            double start = seconds(), spent;
            do {
                if (what == 2)
                    levels[level]->vectors->linear_f32(&weights, 0, panels, x, (size_t)k, m, &out);
                else
                    levels[level]->linear_i8(&layer.weights, 0, panels, layer.x, layer.stride, m,
                                             what ? &out_gelu : &out);
                calls++;
            } while ((spent = seconds() - start) < 0.2);
            speed[what] = operations * calls / spent * 1e-9;
        }
        printf("%5d x %4d x %4d  %-12s i8 %7.1f GOP/s (peak %7.1f)  i8+gelu+quantise %7.1f GOP/s  f32 %6.1f GFLOP/s\n",
               m, k, n, levels[level]->name, speed[0], peak, speed[1], speed[2]);
    }
    free(w);
    free(x);
    free(y);
    free(q);
    free_layer(&layer);
}

int main(int argc, char **argv)
{
    level_count = llmc_rt_kernels_available(llmc_cpu_features(), levels);
    if (argc > 1 && strcmp(argv[1], "bench") == 0) {
        bench(25, 384, 1536);
        bench(200, 384, 384);
        bench(200, 384, 1536);
        bench(200, 1536, 384);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integer_layers_agree),
        cmocka_unit_test(test_integer_extremes_do_not_saturate),
        cmocka_unit_test(test_float_layers_agree),
        cmocka_unit_test(test_rows_agree),
        cmocka_unit_test(test_quantiser),
        cmocka_unit_test(test_activations_are_accurate),
        cmocka_unit_test(test_softmax_is_accurate),
        cmocka_unit_test(test_disabled_features_choose_lower_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
