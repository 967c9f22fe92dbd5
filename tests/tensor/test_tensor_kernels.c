/*
 * Every version of every kernel on this machine, at awkward lengths and alignments.
 * What is exact must equal plain C bit for bit in every version; the rest is held
 * against double arithmetic and libm, and so within twice that against the others.
 */
#include "tests/tensor/kernel_checks.h"

/* Polynomials of 2e-7 at most, evaluated in FP32 with a few roundings of 6e-8 each. */
#define ACTIVATION_TOLERANCE 1e-6
/* Where the normal distribution is 0 or 1, its polynomial differs from that by a rounding or two, times x. */
#define FAR_RELATIVE_TOLERANCE 2e-7
/* FP32 sums of up to 1,023 numbers in vector order: 6e-8 times the square root of the length, with room. */
#define NORM_TOLERANCE 1e-5
/* A handful of FP32 roundings, the square root and the division. */
#define ADAMW_TOLERANCE 1e-6
/* Sums in double. */
#define SUM_TOLERANCE 1e-12
/* Double sums of products that were rounded to FP32. */
#define FP32_PRODUCT_TOLERANCE 1e-6

static void check_add(const struct llmc_kernels *k, size_t n)
{
    struct block x_block, y_block;
    float *x = block_open(&x_block, n, sizeof *x), *y = block_open(&y_block, n, sizeof *y);
    float expected[1023];
    fill_extreme(x, n, 1);
    fill_extreme(y, n, 2);
    for (size_t i = 0; i < n; i++)
        expected[i] = x[i] + y[i];
    k->add(x, y, n);
    assert_same(x, expected, n, "sum");
    block_close(&x_block, x);
    block_close(&y_block, y);
}

static void check_sum_squares(const struct llmc_kernels *k, size_t n)
{
    static const float bad[] = {INFINITY, -INFINITY, NAN};
    struct block block;
    float *x = block_open(&block, n, sizeof *x);
    double expected = 0;
    fill_extreme(x, n, 3);
    for (size_t i = 0; i < n; i++)
        expected += (double)x[i] * (double)x[i];
    double got = k->sum_squares(x, n);
    assert_true(isfinite(got)); /* squares of the largest floats fit a double */
    assert_near(got / fmax(expected, 1e-300), expected > 0 ? 1.0 : 0.0, SUM_TOLERANCE, "sum", 0);
    for (size_t i = 0; i < n; i += n > 100 ? 13 : 1) {
        for (size_t j = 0; j < COUNT_OF(bad); j++) {
            float kept = x[i];
            x[i] = bad[j];
            if (isfinite(k->sum_squares(x, n)))
                fail_msg("%s, n %zu: %g at %zu is lost in the sum", at.version, n, (double)bad[j], i);
            x[i] = kept;
        }
    }
    block_close(&block, x);
}

static float half_widened(enum llmc_number number, uint16_t half)
{
    return number == LLMC_F16 ? llmc_f32_from_f16(half) : llmc_f32_from_bf16(half);
}

static uint16_t half_narrowed(enum llmc_number number, float value)
{
    return number == LLMC_F16 ? llmc_f16_from_f32(value) : llmc_bf16_from_f32(value);
}

/* Equal bits, or NaN in both. */
static void assert_same_half(enum llmc_number number, uint16_t got, uint16_t expected, float from)
{
    if (got != expected && !(isnan(half_widened(number, got)) && isnan(half_widened(number, expected))))
        fail_msg("%s narrow to %s, n %zu: %.9g became %04x, not %04x", at.version, llmc_number_name(number), at.n,
                 (double)from, got, expected);
}

static void check_conversions(const struct llmc_kernels *k, size_t n)
{
    static const enum llmc_number halves[] = {LLMC_F16, LLMC_BF16};
    struct block wide_block, half_block;
    float *wide = block_open(&wide_block, n, sizeof *wide);
    uint16_t *half = block_open(&half_block, n, sizeof *half);
    for (size_t h = 0; h < COUNT_OF(halves); h++) {
        fill_extreme(wide, n, 4);
        wide[n / 2] = n % 2 ? NAN : -INFINITY;
        k->narrow(wide, halves[h], half, n);
        for (size_t i = 0; i < n; i++)
            assert_same_half(halves[h], half[i], half_narrowed(halves[h], wide[i]), wide[i]);
        for (size_t i = 0; i < n; i++)
            half[i] = (uint16_t)llmc_random_u32(5, (uint32_t)i);
        k->widen(half, halves[h], wide, n);
        for (size_t i = 0; i < n; i++)
            if (!same_float(wide[i], half_widened(halves[h], half[i])))
                fail_msg("%s widen from %s, n %zu: %04x became %.9g", at.version, llmc_number_name(halves[h]), n,
                         half[i], (double)wide[i]);
    }
    fill_extreme(wide, n, 6);
    struct block copy_block;
    float *copy = block_open(&copy_block, n, sizeof *copy);
    k->widen(wide, LLMC_F32, copy, n);
    assert_same(copy, wide, n, "F32 widened");
    k->narrow(copy, LLMC_F32, copy, n); /* in place */
    k->widen(copy, LLMC_F32, copy, n);
    assert_same(copy, wide, n, "F32 in place");
    block_close(&copy_block, copy);
    block_close(&wide_block, wide);
    block_close(&half_block, half);
}

/* All 65,536 halves, and the float32 numbers where rounding turns: halfway between two halves and its neighbours. */
static void test_all_halves(void **state)
{
    (void)state;
    const struct llmc_kernels *list[4];
    static uint16_t half[65536], narrowed[3 * 65536];
    static float wide[65536], turns[3 * 65536];
    at.n = 65536;
    for (int i = 0; i < 65536; i++)
        half[i] = (uint16_t)i;
    int count = llmc_kernels_list(list);
    for (int version = 0; version < count; version++) {
        at.version = list[version]->name;
        for (int h = 0; h < 2; h++) {
            enum llmc_number number = h ? LLMC_BF16 : LLMC_F16;
            list[version]->widen(half, number, wide, 65536);
            for (int i = 0; i < 65536; i++)
                if (!same_float(wide[i], half_widened(number, half[i])))
                    fail_msg("%s widen: %04x became %.9g", at.version, half[i], (double)wide[i]);
            for (int i = 0; i < 65536; i++) {
                float next = half_widened(number, (uint16_t)(i + 1));
                float middle = isfinite(wide[i]) && isfinite(next) ? wide[i] + (next - wide[i]) / 2 : wide[i];
                turns[3 * i] = nextafterf(middle, -INFINITY);
                turns[3 * i + 1] = middle;
                turns[3 * i + 2] = nextafterf(middle, INFINITY);
            }
            list[version]->narrow(turns, number, narrowed, 3 * 65536);
            for (int i = 0; i < 3 * 65536; i++)
                assert_same_half(number, narrowed[i], half_narrowed(number, turns[i]), turns[i]);
        }
    }
}

static double gelu(double x)
{
    return 0.5 * x * erfc(-x / sqrt(2.0));
}

static double gelu_slope(double x)
{
    return 0.5 * erfc(-x / sqrt(2.0)) + x * exp(-0.5 * x * x) / sqrt(2.0 * M_PI);
}

static double gelu_tanh(double x)
{
    return 0.5 * x * (1.0 + tanh(sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double gelu_tanh_slope(double x)
{
    double t = tanh(sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x));
    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * sqrt(2.0 / M_PI) * (1.0 + 3 * 0.044715 * x * x);
}

static double relu(double x)
{
    return x > 0 ? x : 0;
}

static double relu_slope(double x)
{
    return x > 0;
}

static void check_activation(const struct llmc_kernels *k, size_t n)
{
    static double (*const values[])(double) = {[LLMC_GELU] = gelu, [LLMC_GELU_TANH] = gelu_tanh, [LLMC_RELU] = relu};
    static double (*const slopes[])(double) = {gelu_slope, gelu_tanh_slope, relu_slope};
    static const float far[] = {0.0f, -0.0f, 1e-40f, -1e-40f, 30.0f, -30.0f, 13.19f, -13.19f, 1e9f, -1e9f};
    static const double ranges[] = {0.1, 1.5, 6, 40};
    struct block x_block, y_block, dy_block;
    float *x = block_open(&x_block, n, sizeof *x), *y = block_open(&y_block, n, sizeof *y);
    float *dy = block_open(&dy_block, n, sizeof *dy), start[1023];
    for (int kind = 0; kind < 3; kind++) {
        for (uint32_t r = 0; r < COUNT_OF(ranges); r++) {
            fill(x, n, 7 + r, ranges[r]);
            for (size_t i = 0; i < n; i += 5)
                x[i] = far[(i / 5 + r) % COUNT_OF(far)];
            fill(dy, n, 8 + r, 2);
            memcpy(start, dy, n * sizeof *dy);
            k->activation_backward((enum llmc_activation)kind, x, dy, y, n);
            k->activation_backward((enum llmc_activation)kind, x, dy, dy, n); /* in place */
            assert_same(dy, y, n, "dx in place");
            for (size_t i = 0; i < n; i++)
                assert_near((double)y[i], (double)start[i] * slopes[kind]((double)x[i]), 2 * ACTIVATION_TOLERANCE, "dx", i);
            memcpy(start, x, n * sizeof *x);
            k->activation((enum llmc_activation)kind, x, n);
            for (size_t i = 0; i < n; i++)
                assert_near((double)x[i], values[kind]((double)start[i]),
                            ACTIVATION_TOLERANCE + FAR_RELATIVE_TOLERANCE * fabs((double)start[i]), "activation", i);
        }
        if (kind != LLMC_RELU) { /* an overflow must not look like a number */
            fill(x, n, 9, 1);
            x[n - 1] = NAN;
            k->activation((enum llmc_activation)kind, x, n);
            assert_true(isnan(x[n - 1]));
        }
    }
    block_close(&x_block, x);
    block_close(&y_block, y);
    block_close(&dy_block, dy);
}

static void check_norm(const struct llmc_kernels *k, size_t n)
{
    struct block x_block, y_block, dweight_block, dbias_block, dx_block;
    float *x = block_open(&x_block, n, sizeof *x), *y = block_open(&y_block, n, sizeof *y);
    float *dweight = block_open(&dweight_block, n, sizeof *x), *dbias = block_open(&dbias_block, n, sizeof *x);
    float *dx = block_open(&dx_block, n, sizeof *x);
    float start[1023], weight[1023], bias[1023], dy[1023];
    const float epsilon = 1e-5f;
    fill(x, n, 10, 3);
    fill(weight, n, 11, 2);
    fill(bias, n, 12, 1);
    fill(dy, n, 13, 1);
    memcpy(start, x, n * sizeof *x);
    double mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++)
        mean += (double)x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
    double rstd = 1 / sqrt(variance + (double)epsilon);
    float got = k->norm(x, weight, bias, epsilon, y, n);
    assert_near((double)got / rstd, 1, NORM_TOLERANCE, "rstd", 0);
    for (size_t i = 0; i < n; i++) {
        assert_near((double)x[i], ((double)start[i] - mean) * rstd, NORM_TOLERANCE, "normalised", i);
        assert_near((double)y[i], ((double)start[i] - mean) * rstd * (double)weight[i] + (double)bias[i],
                    NORM_TOLERANCE, "y", i);
    }

    double sum = 0, product = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)dy[i] * (double)weight[i] / (double)n;
        product += (double)dy[i] * (double)weight[i] * (double)x[i] / (double)n;
    }
    fill(dweight, n, 14, 1);
    fill(dbias, n, 15, 1);
    k->norm_backward(x, got, weight, dy, dx, dweight, dbias, n);
    for (size_t i = 0; i < n; i++) {
        double d = (double)dy[i];
        assert_near((double)dx[i] / rstd, d * (double)weight[i] - sum - (double)x[i] * product, NORM_TOLERANCE, "dx", i);
        assert_near((double)dweight[i], (double)random_float(14, i, 1) + d * (double)x[i], NORM_TOLERANCE, "dweight", i);
        assert_near((double)dbias[i], (double)random_float(15, i, 1) + d, NORM_TOLERANCE, "dbias", i);
    }
    k->norm_backward(x, got, weight, dy, dy, dweight, dbias, n); /* dx may be dy */
    assert_same(dy, dx, n, "dx in place");
    block_close(&x_block, x);
    block_close(&y_block, y);
    block_close(&dweight_block, dweight);
    block_close(&dbias_block, dbias);
    block_close(&dx_block, dx);
}

static void check_dropout(const struct llmc_kernels *k, size_t n)
{
    static const uint32_t firsts[] = {0, 12345, 0xfffffff0u}; /* the last one wraps around */
    static const uint32_t thresholds[] = {1, 0x19999999, 0x80000000u, 0xffffffffu};
    struct block block;
    float *x = block_open(&block, n, sizeof *x), expected[1023];
    for (size_t f = 0; f < COUNT_OF(firsts); f++) {
        for (size_t t = 0; t < COUNT_OF(thresholds); t++) {
            fill_extreme(x, n, 16);
            x[n / 2] = INFINITY; /* zero where it drops, not inf * 0 */
            for (size_t i = 0; i < n; i++) {
                bool drops = llmc_random_u32(77, firsts[f] + (uint32_t)i) < thresholds[t];
                expected[i] = drops ? 0 : x[i] * 1.25f;
            }
            k->dropout(x, 77, firsts[f], thresholds[t], 1.25f, n);
            assert_same(x, expected, n, "x");
        }
    }
    block_close(&block, x);
}

/* Sums of all pairs of number formats, in place too, are those of the widened numbers. */
static void check_sum(const struct llmc_kernels *k, size_t n)
{
    static const enum llmc_number formats[] = {LLMC_F32, LLMC_F16, LLMC_BF16};
    float wide[2][1023], expected;
    uint16_t half[2][1023];
    for (int left = 0; left < 3; left++) {
        for (int right = 0; right < 3; right++) {
            const enum llmc_number number[2] = {formats[left], formats[right]};
            struct block block;
            float *out = block_open(&block, n, sizeof *out);
            for (int side = 0; side < 2; side++) {
                fill(wide[side], n, 40 + (uint32_t)side, 3);
                k->narrow(wide[side], number[side] == LLMC_F32 ? LLMC_F16 : number[side], half[side], n);
                if (number[side] != LLMC_F32)
                    k->widen(half[side], number[side], wide[side], n);
            }
            const void *x = number[0] == LLMC_F32 ? (const void *)wide[0] : half[0];
            const void *y = number[1] == LLMC_F32 ? (const void *)wide[1] : half[1];
            if (number[0] == LLMC_F32) {
                memcpy(out, wide[0], n * sizeof *out);
                x = out;
            }
            k->sum(x, number[0], y, number[1], out, n);
            for (size_t i = 0; i < n; i++) {
                expected = wide[0][i] + wide[1][i];
                assert_true(out[i] == expected);
            }
            block_close(&block, out);
        }
    }
}

static void check_mask(const struct llmc_kernels *k, size_t n)
{
    struct block block;
    float *x = block_open(&block, n, sizeof *x), kept[1023];
    uint8_t mask[1023];
    fill(x, n, 42, 1);
    memcpy(kept, x, n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        mask[i] = i % 3 != 0;
    k->mask(x, mask, n);
    for (size_t i = 0; i < n; i++)
        assert_true(x[i] == (mask[i] ? kept[i] : 0));
    block_close(&block, x);
}

static void check_adamw(const struct llmc_kernels *k, size_t n)
{
    struct llmc_adamw s = {1e-2f, 0.9f, 0.999f, 1e-8f, 0.1f, 0.271f, 0.002997f, 0.5f};
    struct block p_block, m_block, v_block;
    float *p = block_open(&p_block, n, sizeof *p), *m = block_open(&m_block, n, sizeof *m);
    float *v = block_open(&v_block, n, sizeof *v), g[1023], kept[1023];
    fill(p, n, 17, 1);
    fill(m, n, 18, 0.1);
    fill(g, n, 19, 1);
    for (size_t i = 0; i < n; i++)
        v[i] = fabsf(random_float(20, i, 0.01));
    g[0] = 0, m[0] = 0, v[0] = 0; /* such a weight only decays */
    memcpy(kept, g, sizeof *g * n);
    k->adamw(&s, p, m, v, g, n);
    assert_memory_equal(g, kept, n * sizeof *g);
    for (size_t i = 0; i < n; i++) {
        double d = (double)g[i] * (double)s.gradient_scale;
        double mean = i ? 0.9 * (double)random_float(18, i, 0.1) + 0.1 * d : 0;
        double square = i ? 0.999 * fabs((double)random_float(20, i, 0.01)) + 0.001 * d * d : 0;
        double step = (double)s.learning_rate / (double)s.correction1 * mean /
                      (sqrt(square / (double)s.correction2) + (double)s.epsilon);
        assert_near((double)m[i], mean, ADAMW_TOLERANCE, "m", i);
        assert_near((double)v[i], square, ADAMW_TOLERANCE, "v", i);
        assert_near((double)p[i], (double)random_float(17, i, 1) * (1 - 1e-2 * 0.1) - step, ADAMW_TOLERANCE, "p", i);
    }
    block_close(&p_block, p);
    block_close(&m_block, m);
    block_close(&v_block, v);
}

static void check_missed_steps(const struct llmc_kernels *k, size_t n)
{
    struct llmc_missed_steps s = {2e-2f, 1e-8f, 0.729f, 0.997f};
    struct block p_block, m_block, v_block;
    float *p = block_open(&p_block, n, sizeof *p), *m = block_open(&m_block, n, sizeof *m);
    float *v = block_open(&v_block, n, sizeof *v);
    fill(p, n, 17, 1);
    fill(m, n, 18, 0.1);
    for (size_t i = 0; i < n; i++)
        v[i] = 0.001f + fabsf(random_float(20, i, 0.01));
    m[0] = 0, v[0] = 0; /* such a weight rests */
    k->missed_steps(&s, p, m, v, n);
    for (size_t i = 0; i < n; i++) {
        double mean = i ? (double)random_float(18, i, 0.1) : 0;
        double square = i ? (double)(0.001f + fabsf(random_float(20, i, 0.01))) : 0;
        double step = (double)s.way * mean / (sqrt(square) + (double)s.epsilon);
        assert_near((double)m[i], mean * (double)s.decay1, ADAMW_TOLERANCE, "m", i);
        assert_near((double)v[i], square * (double)s.decay2, ADAMW_TOLERANCE, "v", i);
        assert_near((double)p[i], (double)random_float(17, i, 1) - step, ADAMW_TOLERANCE, "p", i);
    }
    block_close(&p_block, p);
    block_close(&m_block, m);
    block_close(&v_block, v);
}

static void check_ranges(const struct llmc_kernels *k, size_t n)
{
    struct block block;
    float *x = block_open(&block, n, sizeof *x);
    for (uint32_t kind = 0; kind < 3; kind++) {
        if (kind)
            fill_extreme(x, n, 20 + kind);
        else
            fill(x, n, 21, 3);
        if (kind == 2)
            x[n - 1] = -INFINITY;
        float largest = 0, low = 0.25f, high = 0.5f, min = low, max = high;
        for (size_t i = 0; i < n; i++) {
            largest = fmaxf(largest, fabsf(x[i]));
            low = fminf(low, x[i]);
            high = fmaxf(high, x[i]);
        }
        float got = k->absmax(x, n);
        assert_same(&got, &largest, 1, "absmax");
        k->min_max(x, &min, &max, n);
        assert_same(&min, &low, 1, "min");
        assert_same(&max, &high, 1, "max");
    }
    block_close(&block, x);
}

static float clamped(float x, float low, float high)
{
    return fminf(fmaxf(x, low), high);
}

static void check_fake_weight(const struct llmc_kernels *k, size_t n)
{
    static const float limits[] = {1, 3, 7, 15, 31, 63, 127};
    struct block x_block, y_block;
    float *x = block_open(&x_block, n, sizeof *x), *y = block_open(&y_block, n, sizeof *y), expected[1023];
    for (size_t l = 0; l < COUNT_OF(limits); l++) {
        fill(x, n, 22, 2);
        for (size_t i = 0; i < n; i += 3)
            x[i] = 0.0625f * (floorf(random_float(23, i, 130)) + 0.5f); /* ties at the second scale */
        float scales[] = {k->absmax(x, n) / limits[l], 0.0625f, 1e-40f / limits[l] * 100};
        for (size_t s = 0; s < COUNT_OF(scales); s++) {
            if (s == 2)
                for (size_t i = 0; i < n; i++)
                    x[i] = random_float(24, i, 1e-38); /* denormal numbers */
            if (s == 2 && k->absmax(x, n) / scales[s] > 1e6f)
                continue;
            for (size_t i = 0; i < n; i++)
                expected[i] = scales[s] * (clamped(rintf(x[i] / scales[s]), -limits[l], limits[l]) + 0.0f);
            k->fake_weight(x, scales[s], limits[l], y, n);
            assert_same(y, expected, n, "y");
        }
        k->fake_weight(x, scales[2], limits[l], x, n); /* y may be x */
        for (size_t i = 0; i < n; i++)
            assert_true(fabsf(x[i]) <= scales[2] * limits[l]);
    }
    block_close(&x_block, x);
    block_close(&y_block, y);
}

static void check_fake_weight_backward(const struct llmc_kernels *k, size_t n)
{
    static const float limits[] = {1, 3, 127};
    struct block x_block, y_block;
    float *x = block_open(&x_block, n, sizeof *x), *dy = block_open(&y_block, n, sizeof *dy), expected[1023];
    for (size_t l = 0; l < COUNT_OF(limits); l++) {
        double sum = 0, magnitude = 1e-30;
        float scale = 0.7f * 2 / limits[l]; /* cuts off some of [-2, 2] */
        fill(x, n, 25, 2);
        fill(dy, n, 26, 1);
        for (size_t i = 0; i < n; i++) {
            float u = x[i] / scale, inside = fabsf(u) <= limits[l] ? 1.0f : 0.0f;
            float term = dy[i] * (rintf(clamped(u, -limits[l], limits[l])) - inside * u);
            sum += (double)term;
            magnitude += fabs((double)term);
            expected[i] = dy[i] * inside;
        }
        double got = k->fake_weight_backward(x, scale, limits[l], dy, n);
        assert_same(dy, expected, n, "dy");
        assert_true(fabs(got - sum) <= 1e-6 * magnitude); /* products may be fused with sums */
    }
    block_close(&x_block, x);
    block_close(&y_block, dy);
}

static void check_fake_input(const struct llmc_kernels *k, size_t n)
{
    static const struct llmc_quantizer quantizers[] = {
        {0.03125f, 32.0f, 0}, {0.03125f, 32.0f, 128}, {0.03125f, 32.0f, 255}, {0.0123f, 1.0f / 0.0123f, 77}};
    struct block x_block, y_block, dx_block;
    float *x = block_open(&x_block, n, sizeof *x), *y = block_open(&y_block, n, sizeof *y);
    float *dx = block_open(&dx_block, n, sizeof *dx), expected[1023], dy[1023];
    for (size_t q = 0; q < COUNT_OF(quantizers); q++) {
        const struct llmc_quantizer *s = &quantizers[q];
        float low = -s->zero_point, high = 255 - s->zero_point;
        fill(x, n, 25, 10);
        for (size_t i = 0; i < n; i += 3)
            x[i] = 0.03125f * (floorf(random_float(26, i, 270)) + 0.5f); /* ties */
        for (size_t i = 1; i < n; i += 50)
            x[i] = i % 100 == 1 ? 1e30f : -1e30f;
        fill(dy, n, 27, 1);
        double sum = 0, magnitude = 1;
        for (size_t i = 0; i < n; i++) {
            float u = x[i] * s->inverse, rounded = rintf(u);
            bool inside = rounded >= low && rounded <= high;
            float integer = clamped(rounded, low, high);
            expected[i] = integer * s->scale;
            sum += (double)dy[i] * ((double)integer - (inside ? (double)u : 0));
            magnitude += fabs((double)dy[i] * (double)integer);
        }
        k->fake_input(s, x, y, n);
        for (size_t i = 0; i < n; i++)
            expected[i] += 0.0f; /* zero has no sign */
        for (size_t i = 0; i < n; i++)
            y[i] += 0.0f;
        assert_same(y, expected, n, "y");
        for (size_t i = 0; i < n; i++) {
            float rounded = rintf(x[i] * s->inverse);
            expected[i] = dy[i] * (rounded >= low && rounded <= high ? 1.0f : 0.0f);
        }
        double dscale = k->fake_input_backward(s, x, dy, dx, n);
        assert_same(dx, expected, n, "dx");
        assert_near((dscale - sum) / magnitude, 0, FP32_PRODUCT_TOLERANCE, "dscale", 0);
        k->fake_input_backward(s, x, dy, dy, n); /* dx may be dy */
        assert_same(dy, expected, n, "dx in place");
        k->fake_input(s, x, x, n); /* y may be x */
        for (size_t i = 0; i < n; i++)
            x[i] += 0.0f;
        assert_same(x, y, n, "y in place");
    }
    block_close(&x_block, x);
    block_close(&y_block, y);
    block_close(&dx_block, dx);
}

#define KERNEL_TEST(name)                                                                                              \
    static void test_##name(void **state)                                                                              \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        for_all_versions(#name, check_##name);                                                                         \
    }
KERNEL_TEST(add)
KERNEL_TEST(sum_squares)
KERNEL_TEST(conversions)
KERNEL_TEST(activation)
KERNEL_TEST(norm)
KERNEL_TEST(dropout)
KERNEL_TEST(adamw)
KERNEL_TEST(missed_steps)
KERNEL_TEST(sum)
KERNEL_TEST(mask)
KERNEL_TEST(ranges)
KERNEL_TEST(fake_weight)
KERNEL_TEST(fake_weight_backward)
KERNEL_TEST(fake_input)

/* The environment takes versions away, from the best down; portable stays. */
static void test_disabled_features(void **state)
{
    (void)state;
    const struct llmc_kernels *list[4];
    const char *given = getenv("LLMC_DISABLE_CPU_FEATURES");
    char kept[256] = "";
    if (given)
        snprintf(kept, sizeof kept, "%s", given);
    unsetenv("LLMC_DISABLE_CPU_FEATURES");
    int all = llmc_kernels_list(list);
    assert_ptr_equal(llmc_kernels_best(), list[all - 1]);
    assert_string_equal(list[0]->name, "portable");
    setenv("LLMC_DISABLE_CPU_FEATURES", "avx512", 1);
    assert_int_equal(llmc_kernels_list(list), all > 2 ? 2 : all);
    assert_string_equal(llmc_kernels_best()->name, all > 1 ? "avx2" : "portable");
    static const char *const without_avx2[] = {"avx2", "fma", "f16c"};
    for (size_t i = 0; i < COUNT_OF(without_avx2); i++) {
        setenv("LLMC_DISABLE_CPU_FEATURES", without_avx2[i], 1);
        assert_string_equal(llmc_kernels_best()->name, "portable");
    }
    if (given)
        setenv("LLMC_DISABLE_CPU_FEATURES", kept, 1);
    else
        unsetenv("LLMC_DISABLE_CPU_FEATURES");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),         cmocka_unit_test(test_sum_squares), cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_all_halves), cmocka_unit_test(test_activation),  cmocka_unit_test(test_norm),
        cmocka_unit_test(test_dropout),     cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_missed_steps), cmocka_unit_test(test_sum), cmocka_unit_test(test_mask), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_fake_weight), cmocka_unit_test(test_fake_weight_backward),
        cmocka_unit_test(test_fake_input),  cmocka_unit_test(test_disabled_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
