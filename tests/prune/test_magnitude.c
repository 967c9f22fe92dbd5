/* Magnitude pruning: the schedule, and which weights go, against a sorted list. */
#include "tests/base/test_support.h"

#include "base/random.h"
#include "prune/magnitude.h"

#include <math.h>

static const struct llmc_architecture shape = {40, 12, 2, 16, 8, 3, LLMC_GELU, 1e-12f, 2, {{2, 24}, {2, 24}}, 0};

static void test_schedule(void **state)
{
    (void)state;
    for (int64_t step = 0; step <= 200; step++) {
        double t = fmin((double)step / 140, 1), s = 0.9 + (0.1 - 0.9) * (1 - t) * (1 - t) * (1 - t);
        assert_true(fabs(llmc_prune_schedule(0.1, 0.9, 0.7, step, 200) - s) < 1e-12);
    }
    assert_true(llmc_prune_schedule(0, 0.8, 0.5, 0, 100) == 0);
    assert_true(llmc_prune_schedule(0, 0.8, 0.5, 50, 100) == 0.8);
    assert_true(llmc_prune_schedule(0, 0.8, 0.5, 100, 100) == 0.8);
    assert_true(llmc_prune_schedule(0.2, 0.8, 0, 0, 100) == 0.8); /* no ramp: at once */
    assert_true(llmc_prune_schedule(0, 0.8, 1, 1, 1) == 0.8);
    double before = -1;
    for (int64_t step = 0; step <= 77; step++) {
        double s = llmc_prune_schedule(0, 0.95, 1, step, 77);
        assert_true(s > before);
        before = s;
    }
}

/* levels > 0: magnitudes are multiples, so that many are equal. */
static void make_parameters(struct llmc_parameters *p, int levels)
{
    assert_ok(llmc_parameters_init(p, &shape));
    for (int32_t i = 0; i < p->count; i++) {
        float *values = llmc_parameter_values(p, i);
        for (int64_t j = 0; j < p->table[i].rows * p->table[i].cols; j++) {
            double x = llmc_random_u32((uint32_t)i + 1, (uint32_t)j) / 2147483648.0 - 1;
            values[j] = levels ? (float)(floor(x * levels) + 0.5) / (float)levels : (float)x;
        }
    }
}

struct weight {
    float magnitude;
    int64_t offset;
};

static int by_magnitude_then_place(const void *left, const void *right)
{
    const struct weight *a = left, *b = right;
    if (a->magnitude != b->magnitude)
        return a->magnitude < b->magnitude ? -1 : 1;
    return a->offset < b->offset ? -1 : 1;
}

/* All linear weights, the ones that go first in front. */
static struct weight *sorted_weights(const struct llmc_parameters *p, size_t *count)
{
    struct weight *weights = malloc((size_t)p->total * sizeof *weights);
    assert_non_null(weights);
    *count = 0;
    for (int32_t i = 0; i < p->count; i++) {
        for (int64_t j = 0; p->table[i].kind == LLMC_PARAMETER_LINEAR && j < p->table[i].rows * p->table[i].cols; j++) {
            int64_t offset = p->table[i].offset + j;
            struct weight weight = {fabsf(p->values[offset]), offset};
            weights[(*count)++] = weight;
        }
    }
    qsort(weights, *count, sizeof *weights, by_magnitude_then_place);
    return weights;
}

static void check_pruned(const struct llmc_parameters *p, const float *before, const struct weight *weights, size_t count,
                         size_t gone)
{
    uint8_t *expected = malloc((size_t)p->total);
    assert_non_null(expected);
    memset(expected, 1, (size_t)p->total);
    for (size_t i = 0; i < gone; i++)
        expected[weights[i].offset] = 0;
    for (int64_t i = 0; i < p->total; i++) {
        assert_true(p->values[i] == (expected[i] ? before[i] : 0));
        if (i >= p->dense_begin)
            assert_int_equal(p->mask[i - p->dense_begin], expected[i]);
    }
    assert_true(llmc_sparsity(p) == (double)gone / (double)count);
    free(expected);
}

static void test_counts_and_order(void **state)
{
    (void)state;
    static const double sparsities[] = {0, 1e-9, 0.0002, 0.1, 0.25, 0.333, 0.5, 0.75, 0.9, 0.99, 0.9999, 1};
    static const int levels[] = {0, 5, 1}; /* 1: all magnitudes are equal */
    for (size_t l = 0; l < COUNT_OF(levels); l++) {
        for (size_t s = 0; s < COUNT_OF(sparsities); s++) {
            struct llmc_parameters p;
            size_t count;
            make_parameters(&p, levels[l]);
            assert_true(llmc_sparsity(&p) == 0);
            struct weight *weights = sorted_weights(&p, &count);
            float *before = malloc((size_t)p.total * sizeof *before);
            assert_non_null(before);
            memcpy(before, p.values, (size_t)p.total * sizeof *before);
            assert_ok(llmc_prune_to(&p, sparsities[s]));
            check_pruned(&p, before, weights, count, (size_t)floor(sparsities[s] * (double)count + 0.5));
            free(before);
            free(weights);
            llmc_parameters_release(&p);
        }
    }
}

/* Step by step: masks only grow, zeros that were trained away from zero stay masked, a lower sparsity changes nothing. */
static void test_masks_grow(void **state)
{
    (void)state;
    struct llmc_parameters p;
    size_t count;
    make_parameters(&p, 0);
    struct weight *weights = sorted_weights(&p, &count);
    size_t nbytes = (size_t)(p.total - p.dense_begin);
    uint8_t *before = malloc(nbytes);
    assert_non_null(before);
    assert_ok(llmc_prune_to(&p, 0));
    for (int step = 1; step <= 30; step++) {
        double sparsity = step * 0.03;
        memcpy(before, p.mask, nbytes);
        for (size_t i = 0; i < count; i++) /* training moves all weights, masked ones (wrongly) too */
            p.values[weights[i].offset] += (float)(llmc_random_u32((uint32_t)step, (uint32_t)i) / 4294967296.0 - 0.5);
        assert_ok(llmc_prune_to(&p, sparsity));
        int64_t masked = 0;
        for (size_t i = 0; i < nbytes; i++) {
            assert_true(p.mask[i] <= before[i]);
            masked += !p.mask[i];
            if (!p.mask[i])
                assert_true(p.values[p.dense_begin + (int64_t)i] == 0);
        }
        assert_int_equal(masked, (int64_t)(sparsity * (double)count + 0.5));
        memcpy(before, p.mask, nbytes);
        assert_ok(llmc_prune_to(&p, sparsity / 2));
        assert_ok(llmc_prune_to(&p, sparsity));
        assert_memory_equal(p.mask, before, nbytes);
    }
    free(before);
    free(weights);
    llmc_parameters_release(&p);
}

/* Weights that are zero already go first; infinities and NaN last. */
static void test_special_weights(void **state)
{
    (void)state;
    struct llmc_parameters p;
    size_t count;
    make_parameters(&p, 0);
    struct weight *weights = sorted_weights(&p, &count);
    int64_t zero = weights[count - 1].offset, tiny = weights[count - 2].offset, infinite = weights[0].offset;
    p.values[zero] = -0.0f;
    p.values[tiny] = -1e-45f;
    p.values[infinite] = -INFINITY;
    assert_ok(llmc_prune_to(&p, 2.0 / (double)count));
    assert_true(p.mask[zero - p.dense_begin] == 0 && p.mask[tiny - p.dense_begin] == 0);
    assert_ok(llmc_prune_to(&p, ((double)count - 1) / (double)count));
    assert_true(isinf(p.values[infinite]) && p.mask[infinite - p.dense_begin] == 1);
    free(weights);
    llmc_parameters_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_schedule), cmocka_unit_test(test_counts_and_order),
                                       cmocka_unit_test(test_masks_grow), cmocka_unit_test(test_special_weights)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
