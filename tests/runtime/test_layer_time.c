/* runtime/layer_time.h: any shape is measured, and a layer that does many times the work takes longer. */
#include "tests/base/test_support.h"

#include "runtime/layer_time.h"

#include <math.h>

static double time_of(int32_t hidden, int32_t head_width, int32_t heads, int32_t ffn, int32_t length)
{
    struct llmc_architecture a = {.vocabulary = 9, .positions = 600, .types = 2, .hidden = hidden, .head_width = head_width,
                                  .labels = 3, .activation = LLMC_GELU, .norm_epsilon = 1e-12f, .layers = 1,
                                  .layer = {{heads, ffn}}};
    double seconds = -1;
    assert_ok(llmc_rt_layer_time(&a, length, &seconds));
    assert_true(isfinite(seconds) && seconds >= 0);
    return seconds;
}

static void any_shape_is_measured(void **state)
{
    (void)state;
    time_of(1, 1, 1, 1, 1);
    time_of(50, 7, 3, 33, 5);
    time_of(96, 24, 4, 384, 192);
    time_of(96, 24, 1, 32, 500);
    struct llmc_architecture none = {.hidden = 0};
    double seconds;
    assert_fails(llmc_rt_layer_time(&none, 4, &seconds), LLMC_ERR_FORMAT, "is 0");
    assert_non_null(llmc_rt_layer_time_kernels());
}

/* 16 times the products and more: no disturbance makes up for that in the shortest of two dozen passes. */
static void wide_layers_take_longer(void **state)
{
    (void)state;
    assert_true(time_of(256, 32, 8, 2048, 25) > time_of(256, 32, 1, 32, 25));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_shape_is_measured), cmocka_unit_test(wide_layers_take_longer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
