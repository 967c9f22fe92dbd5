/* Ranges of inputs: averages, the quantisers made of them, and scales that learn. */
#include "tests/base/test_support.h"

#include "base/random.h"
#include "quantize/pack.h"
#include "quantize/ranges.h"

#include <math.h>

/* One FP32 rounding a batch. */
#define AVERAGE_TOLERANCE 1e-5

static void observe(struct llmc_ranges *ranges, float min, float max, double momentum)
{
    struct llmc_range observed[8];
    for (int32_t i = 0; i < ranges->count; i++) {
        observed[i].min = min * (float)(i + 1);
        observed[i].max = max * (float)(i + 1);
    }
    llmc_calibrate_average(ranges, observed, momentum);
}

/* The first batch counts whole, then the plain mean, and from 1 / (1 - momentum) batches on an exponential average. */
static void test_averages(void **state)
{
    (void)state;
    static const double momenta[] = {1, 0.75};
    for (size_t m = 0; m < COUNT_OF(momenta); m++) {
        struct llmc_ranges ranges;
        double min = 0, max = 0;
        assert_ok(llmc_ranges_init(&ranges, 3));
        for (int batch = 0; batch < 40; batch++) {
            float low = -1 - (float)(llmc_random_u32(1, (uint32_t)batch) % 100) / 10;
            float high = 2 + (float)(llmc_random_u32(2, (uint32_t)batch) % 100) / 10;
            double weight = fmax(1.0 / (batch + 1), 1 - momenta[m]);
            min += weight * ((double)low - min);
            max += weight * ((double)high - max);
            observe(&ranges, low, high, momenta[m]);
            for (int i = 0; i < 3; i++) {
                assert_true(fabs((double)ranges.averages[i].min / (i + 1) - min) < AVERAGE_TOLERANCE * 10);
                assert_true(fabs((double)ranges.averages[i].max / (i + 1) - max) < AVERAGE_TOLERANCE * 10);
                assert_true(fabs((double)ranges.quantizers[i].scale / (i + 1) - (max - min) / 255) < AVERAGE_TOLERANCE);
            }
        }
        llmc_ranges_release(&ranges);
    }
}

/* Zero is one of the 256 values, whatever the range; the range is covered. */
static void test_quantizers(void **state)
{
    (void)state;
    static const struct llmc_range cases[] = {{-1, 1},    {0, 6},     {-3, 0},      {2, 5},     {-5, -2},
                                              {0, 0},     {-1e-20f, 0}, {-0.17f, 9.3f}, {-1e30f, 1e30f}, {-100, 1e-3f}};
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct llmc_ranges ranges;
        assert_ok(llmc_ranges_init(&ranges, 1));
        llmc_calibrate_average(&ranges, &cases[c], 1);
        const struct llmc_quantizer *q = &ranges.quantizers[0];
        float low = fminf(cases[c].min, 0), high = fmaxf(cases[c].max, 0);
        assert_true(q->zero_point >= 0 && q->zero_point <= 255 && q->zero_point == rintf(q->zero_point));
        assert_true(q->scale > 0 && isfinite(q->scale) && q->inverse == 1.0f / q->scale);
        const struct llmc_kernels *list[4];
        int versions = llmc_kernels_list(list);
        for (int v = 0; v < versions; v++) {
            float x[3] = {0, low, high}, y[3];
            list[v]->fake_input(q, x, y, 3);
            assert_true(y[0] == 0);
            assert_true(fabsf(y[1] - low) <= q->scale * 0.501f && fabsf(y[2] - high) <= q->scale * 0.501f);
        }
        llmc_ranges_release(&ranges);
    }
}

static void test_clear(void **state)
{
    (void)state;
    struct llmc_range observed[2];
    const struct llmc_kernels *k = llmc_kernels_best();
    llmc_calibrate_clear(observed, 2);
    float x[3] = {-2, 5, 1};
    k->min_max(x, &observed[1].min, &observed[1].max, 3);
    assert_true(observed[1].min == -2 && observed[1].max == 5 && observed[0].min > observed[0].max);
}

/* mean (fake(x) - x)^2 and its gradient with respect to the scale, times loss_scale. */
static double rounding_loss(const struct llmc_quantizer *quantizer, double loss_scale, double *dscale)
{
    enum { COUNT = 4096 };
    static float x[COUNT], y[COUNT], dy[COUNT];
    const struct llmc_kernels *k = llmc_kernels_best();
    double loss = 0;
    for (int i = 0; i < COUNT; i++) /* a sum of uniforms: most numbers near zero */
        x[i] = (float)(llmc_random_u32(3, (uint32_t)i) / 2147483648.0 + llmc_random_u32(4, (uint32_t)i) / 2147483648.0 - 2);
    k->fake_input(quantizer, x, y, COUNT);
    for (int i = 0; i < COUNT; i++) {
        double difference = (double)y[i] - (double)x[i];
        loss += difference * difference / COUNT;
        dy[i] = (float)(loss_scale * 2 * difference / COUNT);
    }
    *dscale = k->fake_input_backward(quantizer, x, dy, dy, COUNT);
    return loss;
}

/* Scales that clip or that are too coarse both learn towards the least loss, of any size and loss scale. */
static void test_learning(void **state)
{
    (void)state;
    static const float starts[] = {1.0f / 255, 32.0f / 255};
    static const double loss_scales[] = {1, 65536};
    for (size_t s = 0; s < COUNT_OF(starts); s++) {
        float ends[2];
        for (size_t l = 0; l < COUNT_OF(loss_scales); l++) {
            struct llmc_ranges ranges;
            double dscales[1], first, last = 0;
            assert_ok(llmc_ranges_init(&ranges, 1));
            struct llmc_quantizer start = {starts[s], 1.0f / starts[s], 128};
            ranges.quantizers[0] = start;
            first = rounding_loss(&ranges.quantizers[0], 1, dscales);
            for (int step = 0; step < 300; step++) {
                last = rounding_loss(&ranges.quantizers[0], loss_scales[l], dscales);
                llmc_calibrate_learn(&ranges, dscales, loss_scales[l], 0.02);
                assert_true(ranges.quantizers[0].inverse == 1.0f / ranges.quantizers[0].scale);
                assert_true(ranges.quantizers[0].zero_point == 128);
            }
            assert_true(last < first / 10);
            ends[l] = ranges.quantizers[0].scale;
            llmc_ranges_release(&ranges);
        }
        assert_true(fabsf(ends[0] / ends[1] - 1) < 1e-3f);
    }
}

static void test_bad_gradients_are_ignored(void **state)
{
    (void)state;
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    struct llmc_ranges ranges;
    assert_ok(llmc_ranges_init(&ranges, 2));
    observe(&ranges, -1, 1, 1);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        float kept = ranges.quantizers[0].scale, moved = ranges.quantizers[1].scale;
        double dscales[2] = {bad[i], 3};
        llmc_calibrate_learn(&ranges, dscales, 1, 0.01);
        assert_true(ranges.quantizers[0].scale == kept && ranges.m[0] == 0 && ranges.v[0] == 0);
        assert_true(ranges.quantizers[1].scale < moved);
    }
    double good[2] = {3, 3};
    float kept = ranges.quantizers[0].scale;
    llmc_calibrate_learn(&ranges, good, 1, 0.01);
    assert_true(ranges.quantizers[0].scale < kept && ranges.quantizers[0].scale > kept * 0.5f);
    llmc_ranges_release(&ranges);
}

static void test_limits(void **state)
{
    (void)state;
    static const int32_t limits[] = {0, 0, 1, 3, 7, 15, 31, 63, 127};
    for (int bits = 2; bits <= 8; bits++)
        assert_int_equal(llmc_integer_limit(bits), limits[bits]);
    assert_int_equal(llmc_integer_limit(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_averages), cmocka_unit_test(test_quantizers), cmocka_unit_test(test_clear),
        cmocka_unit_test(test_learning), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bad_gradients_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
