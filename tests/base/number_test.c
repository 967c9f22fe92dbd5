/* base/number.h: conversions against their definition, in double precision. */
#include "base/number.h"

#include "tests/base/test_support.h"

#include <math.h>

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void table_is_whole(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t nbytes;
    } expected[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I8", 1}, {"U8", 1}, {"I32", 4}, {"I64", 8}};
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_string_equal(llmc_number_name((enum llmc_number)i), expected[i].name);
        assert_int_equal(llmc_number_nbytes((enum llmc_number)i), expected[i].nbytes);
    }
}

/* The value of a half that is neither infinite nor NaN, by its definition. */
static double half_value(uint16_t half)
{
    int exponent = half >> 10 & 31, mantissa = half & 1023;
    double magnitude = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return half & 0x8000 ? -magnitude : magnitude;
}

static void every_half_is_exact_and_returns(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x10000; half++) {
        float value = llmc_f32_from_f16((uint16_t)half);
        if ((half & 0x7fff) > 0x7c00) {
            assert_true(isnan(value));
            assert_true((llmc_f16_from_f32(value) & 0x7e00) == 0x7e00);
            continue;
        }
        assert_int_equal(llmc_f16_from_f32(value), half);
        if ((half & 0x7fff) == 0x7c00)
            assert_true(value == (half >> 15 ? -INFINITY : INFINITY));
        else
            assert_true(value == half_value((uint16_t)half) && !signbit(value) == !(half >> 15));
    }
}

/* Around the middle between each two neighbours, ties go to the even one. */
static void halves_round_to_nearest_even(void **state)
{
    (void)state;
    for (uint16_t half = 0; half < 0x7c00; half++) {
        double next = half + 1 == 0x7c00 ? 65536 : half_value((uint16_t)(half + 1)); /* 65,536 stands for infinity */
        float middle = (float)((half_value(half) + next) / 2); /* exact */
        uint16_t even = (uint16_t)(half + (half & 1));
        assert_int_equal(llmc_f16_from_f32(middle), even);
        assert_int_equal(llmc_f16_from_f32(-middle), even | 0x8000);
        assert_int_equal(llmc_f16_from_f32(nextafterf(middle, 0)), half);
        assert_int_equal(llmc_f16_from_f32(nextafterf(middle, INFINITY)), half + 1);
    }
    assert_int_equal(llmc_f16_from_f32(3.4e38f), 0x7c00);
    assert_int_equal(llmc_f16_from_f32(-INFINITY), 0xfc00);
    assert_int_equal(llmc_f16_from_f32(1e-45f), 0);
    assert_int_equal(llmc_f16_from_f32(-0.0f), 0x8000);
}

static void every_bf16_is_exact_and_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t upper = 0; upper < 0x10000; upper++) {
        float value = llmc_f32_from_bf16((uint16_t)upper);
        assert_int_equal(bits_of(value), upper << 16);
        if (isnan(value)) {
            assert_int_equal(llmc_bf16_from_f32(value), upper | 0x40);
            assert_true(isnan(llmc_f32_from_bf16(llmc_bf16_from_f32(float_of(upper << 16 | 0xffff)))));
            continue;
        }
        assert_int_equal(llmc_bf16_from_f32(value), upper);
        if (isinf(value))
            continue;
        assert_int_equal(llmc_bf16_from_f32(float_of(upper << 16 | 0x8000)), upper + (upper & 1));
        assert_int_equal(llmc_bf16_from_f32(float_of(upper << 16 | 0x7fff)), upper);
        assert_int_equal(llmc_bf16_from_f32(float_of(upper << 16 | 0x8001)), upper + 1);
    }
    assert_int_equal(llmc_bf16_from_f32(float_of(0x7f800001)), 0x7fc0); /* NaN with low bits only */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_whole),
        cmocka_unit_test(every_half_is_exact_and_returns),
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(every_bf16_is_exact_and_rounds_to_nearest_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
