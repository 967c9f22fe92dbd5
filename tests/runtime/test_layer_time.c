/* runtime/layer_time.h: any shape is measured, and a layer that does many times the work takes longer. */
#include "tests/base/test_support.h"

#include "runtime/layer_time.h"

#include <math.h>

static struct llmc_layer_time time_of(int32_t hidden, int32_t head_width, int32_t heads, int32_t ffn, int32_t length)
{
    struct llmc_architecture a = {.vocabulary = 9, .positions = 600, .types = 2, .hidden = hidden, .head_width = head_width,
                                  .labels = 3, .activation = LLMC_GELU, .norm_epsilon = 1e-12f, .layers = 1,
                                  .layer = {{heads, ffn}}};
    struct llmc_layer_time time = {-1, -1};
    assert_ok(llmc_rt_layer_time(&a, length, &time));
    assert_true(isfinite(time.inner) && time.inner >= 0 && isfinite(time.last) && time.last >= 0);
    return time;
}

static void any_shape_is_measured(void **state)
{
    (void)state;
    time_of(1, 1, 1, 1, 1);
    time_of(50, 7, 3, 33, 5);
    time_of(96, 24, 4, 384, 192);
    time_of(96, 24, 1, 32, 500);
    struct llmc_architecture none = {.hidden = 0};
    struct llmc_layer_time time;
    assert_fails(llmc_rt_layer_time(&none, 4, &time), LLMC_ERR_FORMAT, "is 0");
    assert_non_null(llmc_rt_layer_time_kernels());
}

/* 16 times the products and more: no disturbance makes up for that in the shortest of two dozen passes. */
static void wide_layers_take_longer(void **state)
{
    (void)state;
    struct llmc_layer_time wide = time_of(256, 32, 8, 2048, 25), narrow = time_of(256, 32, 1, 32, 25);
    assert_true(wide.inner > narrow.inner && wide.last > narrow.last);
}

/* As the last one, a layer computes its neurons for 8 of 192 tokens. */
static void the_last_layer_takes_less(void **state)
{
    (void)state;
    struct llmc_layer_time time = time_of(256, 32, 8, 2048, 25);
    assert_true(time.last < time.inner / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_shape_is_measured), cmocka_unit_test(wide_layers_take_longer),
                                       cmocka_unit_test(the_last_layer_takes_less)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
