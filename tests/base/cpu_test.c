/* LLMC_DISABLE_CPU_FEATURES switches features off, and with them those that need them. */
#include "base/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct llmc_cpu without(const char *list)
{
    setenv("LLMC_DISABLE_CPU_FEATURES", list, 1);
    struct llmc_cpu cpu = llmc_cpu_features();
    unsetenv("LLMC_DISABLE_CPU_FEATURES");
    return cpu;
}

static void nothing_listed_changes_nothing(void **state)
{
    (void)state;
    struct llmc_cpu all = llmc_cpu_features();
    const char *const lists[] = {"", ",", "unknown", ",,mmx,", "AVX2", "avx2x,xavx2,avx"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct llmc_cpu cpu = without(lists[i]);
        assert_memory_equal(&cpu, &all, sizeof all);
    }
}

static void a_listed_feature_is_off(void **state)
{
    (void)state;
    struct llmc_cpu all = llmc_cpu_features();
    struct llmc_cpu cpu = without("avx512_vnni,fma");
    assert_false(cpu.avx512_vnni || cpu.fma);
    assert_true(cpu.avx2 == all.avx2 && cpu.avx512 == all.avx512 && cpu.avx_vnni == all.avx_vnni);
}

static void what_needs_it_is_off_too(void **state)
{
    (void)state;
    struct llmc_cpu cpu = without("avx512");
    assert_false(cpu.avx512 || cpu.avx512_vnni || cpu.avx512_fp16 || cpu.amx_bf16 || cpu.amx_int8);
    cpu = without("x,avx2");
    assert_false(cpu.avx2 || cpu.avx512 || cpu.avx512_vnni || cpu.avx512_fp16 || cpu.avx_vnni);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_listed_changes_nothing),
        cmocka_unit_test(a_listed_feature_is_off),
        cmocka_unit_test(what_needs_it_is_off_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
