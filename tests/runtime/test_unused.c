/*
 * Heads and neurons without effect: how many a layer has, and what is left of its tensors without them.
 */
#include "runtime/unused.h"
#include "tests/runtime/sample_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HIDDEN = 32, HEADS = 2, WIDTH = HIDDEN / HEADS, FFN = 64 };

static struct llmc_compressed content;
static struct llmc_compressed_tensor *layer;

static int make(void **state)
{
    (void)state;
    if (sample_model_make(&content, 100, HIDDEN, 2) != LLMC_OK)
        return -1;
    layer = &content.tensors[llmc_layer_parameter(1, 0)];
    return 0;
}

static int release(void **state)
{
    (void)state;
    llmc_compressed_release(&content);
    return 0;
}

static int8_t *integers(int which)
{
    return layer[which].data;
}

static void zero_columns(int which, int64_t first, int64_t count)
{
    for (int64_t row = 0; row < layer[which].rows; row++)
        memset(integers(which) + row * layer[which].cols + first, 0, (size_t)count);
}

static void test_nothing_is_unused(void **state)
{
    (void)state;
    struct llmc_rt_unused unused = llmc_rt_unused_count(&content.architecture, layer);
    assert_int_equal(unused.heads, 0);
    assert_int_equal(unused.neurons, 0);
    llmc_rt_unused_drop(&content.architecture, layer);
    assert_int_equal(layer[LLMC_QUERY_WEIGHT].rows, HIDDEN);
    assert_int_equal(layer[LLMC_OUTPUT_WEIGHT].cols, FFN);
}

static void test_what_is_unused_goes(void **state)
{
    (void)state;
    const int64_t gone[] = {0, 7, 8, FFN - 1};
    zero_columns(LLMC_ATTENTION_OUTPUT_WEIGHT, 0, WIDTH);
    for (int i = 0; i < 4; i++)
        zero_columns(LLMC_OUTPUT_WEIGHT, gone[i], 1);
    struct llmc_rt_unused unused = llmc_rt_unused_count(&content.architecture, layer);
    assert_int_equal(unused.heads, 1);
    assert_int_equal(unused.neurons, 4);

    int8_t key[WIDTH * HIDDEN], wide[HIDDEN], narrow[HIDDEN];
    float key_bias[WIDTH], scale = layer[LLMC_INTERMEDIATE_WEIGHT].scales[9];
    memcpy(key, integers(LLMC_KEY_WEIGHT) + WIDTH * HIDDEN, sizeof key);
    memcpy(key_bias, (float *)layer[LLMC_KEY_BIAS].data + WIDTH, sizeof key_bias);
    memcpy(wide, integers(LLMC_INTERMEDIATE_WEIGHT) + 9 * HIDDEN, sizeof wide);
    for (int row = 0; row < HIDDEN; row++)
        narrow[row] = integers(LLMC_OUTPUT_WEIGHT)[row * FFN + 9];
    llmc_rt_unused_drop(&content.architecture, layer);
    assert_int_equal(layer[LLMC_KEY_WEIGHT].rows, WIDTH);
    assert_int_equal(layer[LLMC_KEY_BIAS].cols, WIDTH);
    assert_int_equal(layer[LLMC_ATTENTION_OUTPUT_WEIGHT].cols, WIDTH);
    assert_memory_equal(layer[LLMC_KEY_WEIGHT].data, key, sizeof key);
    assert_memory_equal(layer[LLMC_KEY_BIAS].data, key_bias, sizeof key_bias);
    assert_int_equal(layer[LLMC_INTERMEDIATE_WEIGHT].rows, FFN - 4);
    assert_int_equal(layer[LLMC_OUTPUT_WEIGHT].cols, FFN - 4);
    assert_memory_equal(integers(LLMC_INTERMEDIATE_WEIGHT) + 6 * HIDDEN, wide, sizeof wide); /* neurons 0, 7, 8 before it */
    assert_true(layer[LLMC_INTERMEDIATE_WEIGHT].scales[6] == scale);
    for (int row = 0; row < HIDDEN; row++)
        assert_int_equal(integers(LLMC_OUTPUT_WEIGHT)[row * (FFN - 4) + 6], narrow[row]);
}

static void test_one_of_each_stays(void **state)
{
    (void)state;
    zero_columns(LLMC_ATTENTION_OUTPUT_WEIGHT, 0, HIDDEN);
    zero_columns(LLMC_OUTPUT_WEIGHT, 0, FFN);
    llmc_rt_unused_drop(&content.architecture, layer);
    assert_int_equal(layer[LLMC_VALUE_WEIGHT].rows, WIDTH);
    assert_int_equal(layer[LLMC_OUTPUT_WEIGHT].cols, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_unused, make, release),
        cmocka_unit_test_setup_teardown(test_what_is_unused_goes, make, release),
        cmocka_unit_test_setup_teardown(test_one_of_each_stays, make, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
