/* architecture/architecture.h: each limit is checked, and named. */
#include "architecture/architecture.h"

#include "tests/base/test_support.h"

#include <math.h>

static const struct llmc_architecture good = {30522, 512, 2, 384, 6, 12, 1536, 2, LLMC_GELU, 1e-12f};

static void limits_are_named(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        int32_t value;
        const char *words;
    } cases[] = {
        {offsetof(struct llmc_architecture, vocabulary), 0, "vocabulary is 0; legal are 1 to"},
        {offsetof(struct llmc_architecture, positions), -1, "positions is -1"},
        {offsetof(struct llmc_architecture, types), 257, "types is 257; legal are 1 to 256"},
        {offsetof(struct llmc_architecture, hidden), INT32_MAX, "hidden is 2147483647"},
        {offsetof(struct llmc_architecture, layers), 129, "layers is 129; legal are 1 to 128"},
        {offsetof(struct llmc_architecture, heads), 7, "hidden (384) is no multiple of heads (7)"},
        {offsetof(struct llmc_architecture, ffn), INT32_MIN, "ffn is -2147483648"},
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

static void activations_have_names(void **state)
{
    (void)state;
    for (int i = LLMC_GELU; i <= LLMC_RELU; i++) {
        enum llmc_activation parsed;
        assert_ok(llmc_activation_parse(llmc_activation_name((enum llmc_activation)i), &parsed));
        assert_int_equal(parsed, i);
    }
    enum llmc_activation parsed;
    assert_fails(llmc_activation_parse("silu", &parsed), LLMC_ERR_UNSUPPORTED, "\"silu\"; legal are gelu, gelu_new, relu");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_named),
        cmocka_unit_test(activations_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
