/* architecture/: each limit is checked, and named; shapes, bits and sites of layers that differ. */
#include "architecture/parameters.h"

#include "tests/base/test_support.h"

#include <math.h>

/* Layers 0 and 2 lost heads and neurons. */
static const struct llmc_architecture good = {
    .vocabulary = 30522, .positions = 512, .types = 2, .hidden = 384, .head_width = 32, .labels = 2,
    .activation = LLMC_GELU, .norm_epsilon = 1e-12f, .layers = 3, .layer = {{7, 1000}, {12, 1536}, {1, 1}}};

static void limits_are_named(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        int32_t value;
        const char *words;
    } cases[] = {
        {offsetof(struct llmc_architecture, vocabulary), 0, "vocabulary is 0; allowed values are 1 to"},
        {offsetof(struct llmc_architecture, positions), -1, "positions is -1"},
        {offsetof(struct llmc_architecture, types), 257, "types is 257; allowed values are 1 to 256"},
        {offsetof(struct llmc_architecture, hidden), INT32_MAX, "hidden is 2147483647"},
        {offsetof(struct llmc_architecture, head_width), 0, "head_width is 0; allowed values are 1 to"},
        {offsetof(struct llmc_architecture, layers), 129, "layers is 129; allowed values are 1 to 128"},
        {offsetof(struct llmc_architecture, layers), 4, "layer 3: heads is 0; allowed values are 1 to 1024"},
        {offsetof(struct llmc_architecture, layer[2].heads), 0, "layer 2: heads is 0; allowed values are 1 to 1024"},
        {offsetof(struct llmc_architecture, layer[1].heads), 257, "layer 1: 257 heads of width 32; allowed are 8192"},
        {offsetof(struct llmc_architecture, layer[0].ffn), INT32_MIN, "layer 0: ffn is -2147483648"},
        {offsetof(struct llmc_architecture, layer[1].ffn), 0, "layer 1: ffn is 0; allowed values are 1 to 65536"},
        {offsetof(struct llmc_architecture, labels), 1 << 17, "labels is 131072"},
    };
    struct llmc_architecture architecture = good;
    assert_ok(llmc_architecture_check(&architecture));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        architecture = good;
        memcpy((char *)&architecture + cases[i].offset, &cases[i].value, sizeof cases[i].value);
        assert_fails(llmc_architecture_check(&architecture), LLMC_ERR_FORMAT, cases[i].words);
    }
    static const float epsilons[] = {0, -1, 1, INFINITY, NAN};
    for (size_t i = 0; i < COUNT_OF(epsilons); i++) {
        architecture = good;
        architecture.norm_epsilon = epsilons[i];
        assert_fails(llmc_architecture_check(&architecture), LLMC_ERR_FORMAT, "norm_epsilon is");
    }
}

static void equal_layers_share_the_width(void **state)
{
    (void)state;
    struct llmc_architecture a = good;
    assert_false(llmc_architecture_is_even(&a));
    assert_ok(llmc_architecture_set_layers(&a, 2, 6, 100));
    assert_true(a.layers == 2 && a.head_width == 64 && llmc_architecture_is_even(&a));
    assert_true(a.layer[1].heads == 6 && a.layer[1].ffn == 100);
    assert_true(a.layer[2].heads == 0 && a.layer[2].ffn == 0);
    assert_ok(llmc_architecture_check(&a));
    a.layer[1].ffn = 99;
    assert_false(llmc_architecture_is_even(&a));
    assert_ok(llmc_architecture_set_layers(&a, 2, 6, 100));
    a.layer[0].heads = a.layer[1].heads = 5; /* equal, but BertConfig would make their width 76.8 */
    assert_false(llmc_architecture_is_even(&a));
    assert_fails(llmc_architecture_set_layers(&a, 2, 7, 100), LLMC_ERR_FORMAT, "hidden (384) is no multiple of heads (7)");
    assert_fails(llmc_architecture_set_layers(&a, 2, 0, 100), LLMC_ERR_FORMAT, "heads is 0");
    assert_fails(llmc_architecture_set_layers(&a, 0, 6, 100), LLMC_ERR_FORMAT, "layers is 0");
    assert_fails(llmc_architecture_set_layers(&a, 129, 6, 100), LLMC_ERR_FORMAT, "layers is 129");
    assert_fails(llmc_architecture_set_layers(&a, 2, 6, -1), LLMC_ERR_FORMAT, "ffn is -1");
    a.hidden = 0;
    assert_fails(llmc_architecture_set_layers(&a, 2, 6, 100), LLMC_ERR_FORMAT, "hidden is 0");
}

static void widths_follow_the_layer(void **state)
{
    (void)state;
    assert_int_equal(llmc_architecture_attention(&good, 0), 7 * 32);
    assert_int_equal(llmc_architecture_attention(&good, 2), 32);
    struct llmc_architecture a = good;
    a.layer[2].ffn = 2000;
    assert_int_equal(llmc_architecture_widest(&a).heads, 12);
    assert_int_equal(llmc_architecture_widest(&a).ffn, 2000);
}

/* Every parameter has the shape of its layer, and the arena holds them one after the other. */
static void parameters_follow_the_layer(void **state)
{
    (void)state;
    static const struct {
        int32_t layer, which;
        int64_t rows, cols;
    } shapes[] = {
        {0, LLMC_QUERY_WEIGHT, 224, 384},           {0, LLMC_VALUE_BIAS, 1, 224},
        {0, LLMC_ATTENTION_OUTPUT_WEIGHT, 384, 224}, {0, LLMC_ATTENTION_OUTPUT_BIAS, 1, 384},
        {0, LLMC_INTERMEDIATE_WEIGHT, 1000, 384},   {1, LLMC_KEY_WEIGHT, 384, 384},
        {1, LLMC_OUTPUT_WEIGHT, 384, 1536},         {2, LLMC_INTERMEDIATE_BIAS, 1, 1},
        {2, LLMC_OUTPUT_WEIGHT, 384, 1},            {2, LLMC_KEY_BIAS, 1, 32},
    };
    struct llmc_architecture small = good;
    struct llmc_parameters p;
    small.vocabulary = small.positions = 10;
    assert_ok(llmc_parameters_init(&p, &small));
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        const struct llmc_parameter *parameter = &p.table[llmc_layer_parameter(shapes[i].layer, shapes[i].which)];
        assert_int_equal(parameter->rows, shapes[i].rows);
        assert_int_equal(parameter->cols, shapes[i].cols);
    }
    for (int32_t i = 0; i < p.count; i++)
        assert_true(p.table[i].offset + p.table[i].rows * p.table[i].cols <= (i + 1 < p.count ? p.table[i + 1].offset : p.total));
    const struct llmc_parameter *query = &p.table[llmc_layer_parameter(0, LLMC_QUERY_WEIGHT)];
    assert_true(query[1].offset == query->offset + 224 * 384 && query[2].offset == query->offset + 2 * 224 * 384);
    assert_true(query[5].offset == query[3].offset + 2 * 224);
    llmc_parameters_release(&p);
}

static void bits_are_of_parameters(void **state)
{
    (void)state;
    struct llmc_architecture small = good;
    struct llmc_parameters p;
    int32_t weight_bits, embedding_bits;
    small.vocabulary = small.positions = 10;
    assert_ok(llmc_parameters_init(&p, &small));
    assert_true(llmc_parameters_bits_are_even(&p, &weight_bits, &embedding_bits));
    assert_true(weight_bits == 0 && embedding_bits == 0);
    llmc_parameters_set_bits(&p, 4, 6);
    assert_true(llmc_parameters_bits_are_even(&p, &weight_bits, &embedding_bits));
    assert_true(weight_bits == 4 && embedding_bits == 6);
    for (int32_t i = 0; i < p.count; i++) {
        const char *name = p.table[i].name;
        bool linear = strstr(name, "query.weight") || strstr(name, "key.weight") || strstr(name, "value.weight") ||
                      strstr(name, "dense.weight");
        bool embedding = strstr(name, "word_embeddings") || strstr(name, "position_embeddings");
        assert_int_equal(p.table[i].bits, linear ? 4 : embedding ? 6 : 0);
        assert_true(llmc_parameter_takes_bits(p.table[i].kind) == (p.table[i].bits > 0));
    }
    p.table[llmc_layer_parameter(1, LLMC_OUTPUT_WEIGHT)].bits = 3;
    assert_false(llmc_parameters_bits_are_even(&p, &weight_bits, &embedding_bits));
    llmc_parameters_set_bits(&p, 4, 6);
    p.table[LLMC_POSITIONS].bits = 8;
    assert_false(llmc_parameters_bits_are_even(&p, &weight_bits, &embedding_bits));
    llmc_parameters_release(&p);
}

static void sites_are_inputs(void **state)
{
    (void)state;
    assert_int_equal(llmc_site_count(&good), 3 * 4 + 1);
    assert_int_equal(llmc_site_of_parameter(&good, LLMC_WORDS), -1);
    assert_int_equal(llmc_site_of_parameter(&good, llmc_layer_parameter(1, LLMC_VALUE_WEIGHT)), 4);
    assert_int_equal(llmc_site_of_parameter(&good, llmc_layer_parameter(1, LLMC_VALUE_BIAS)), -1);
    assert_int_equal(llmc_site_of_parameter(&good, llmc_layer_parameter(2, LLMC_OUTPUT_WEIGHT)), 11);
    assert_int_equal(llmc_site_of_parameter(&good, llmc_head_parameter(&good, LLMC_POOLER_WEIGHT)), 12);
    assert_int_equal(llmc_site_of_parameter(&good, llmc_head_parameter(&good, LLMC_CLASSIFIER_WEIGHT)), -1);
    assert_int_equal(llmc_site_of_parameter(&good, llmc_head_parameter(&good, LLMC_HEAD_PARAMETERS)), -1);
}

static void activations_have_names(void **state)
{
    (void)state;
    for (int i = LLMC_GELU; i <= LLMC_RELU; i++) {
        enum llmc_activation parsed;
        assert_ok(llmc_activation_parse(llmc_activation_name((enum llmc_activation)i), &parsed));
        assert_int_equal(parsed, i);
    }
    enum llmc_activation parsed;
    assert_fails(llmc_activation_parse("silu", &parsed), LLMC_ERR_UNSUPPORTED, "\"silu\"; allowed are gelu, gelu_new, relu");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_named),
        cmocka_unit_test(equal_layers_share_the_width),
        cmocka_unit_test(widths_follow_the_layer),
        cmocka_unit_test(parameters_follow_the_layer),
        cmocka_unit_test(bits_are_of_parameters),
        cmocka_unit_test(sites_are_inputs),
        cmocka_unit_test(activations_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
