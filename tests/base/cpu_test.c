/* LLMC_DISABLE_CPU_FEATURES switches features off, and with them those that need them. */
#include "base/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t without(const char *list)
{
    setenv("LLMC_DISABLE_CPU_FEATURES", list, 1);
    uint32_t features = llmc_cpu_features();
    unsetenv("LLMC_DISABLE_CPU_FEATURES");
    return features;
}

static void nothing_listed_changes_nothing(void **state)
{
    (void)state;
    const char *const lists[] = {"", ",", "unknown", ",,mmx,", "AVX2", "avx2x,xavx2,avx"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        assert_int_equal(without(lists[i]), llmc_cpu_features());
}

static void a_listed_feature_is_off(void **state)
{
    (void)state;
    uint32_t off = LLMC_CPU_AVX512_VNNI | LLMC_CPU_AVX_VNNI;
    assert_int_equal(without("avx512_vnni,avx_vnni"), llmc_cpu_features() & ~off);
}

static void what_needs_it_is_off_too(void **state)
{
    (void)state;
    uint32_t above_avx512 = LLMC_CPU_AVX512_VNNI | LLMC_CPU_AMX_BF16 | LLMC_CPU_AMX_INT8;
    uint32_t above_avx2 = LLMC_CPU_AVX_VNNI | LLMC_CPU_AVX512 | above_avx512;
    uint32_t all = llmc_cpu_features();
    assert_int_equal(without("avx512"), all & ~(LLMC_CPU_AVX512 | above_avx512));
    assert_int_equal(without("x,avx2"), all & ~(LLMC_CPU_AVX2 | above_avx2));
    assert_int_equal(without("fma"), all & ~(LLMC_CPU_FMA | LLMC_CPU_AVX2 | above_avx2));
    assert_int_equal(without("f16c"), all & ~(LLMC_CPU_F16C | LLMC_CPU_AVX2 | above_avx2));
}

static void what_is_missing_may_not_be_used(void **state)
{
    (void)state;
    assert_true(llmc_cpu_may_use(0, LLMC_CPU_ANY));
    assert_true(llmc_cpu_may_use(LLMC_CPU_AVX2, LLMC_CPU_AVX2));
    assert_false(llmc_cpu_may_use(LLMC_CPU_AVX2, LLMC_CPU_AVX512));
    assert_false(llmc_cpu_may_use(LLMC_CPU_AVX512, LLMC_CPU_AMX_INT8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_listed_changes_nothing),
        cmocka_unit_test(a_listed_feature_is_off),
        cmocka_unit_test(what_needs_it_is_off_too),
        cmocka_unit_test(what_is_missing_may_not_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
