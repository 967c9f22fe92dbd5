#include "base/cpu.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6, XCR0_TILES = 0x60000 };

/* Which register states the operating system saves on a task switch. Inline
 * assembly, because the intrinsic needs a compiler flag for the whole file. */
static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static struct llmc_cpu detect(void)
{
    struct llmc_cpu cpu = {0};
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
        return cpu;
    uint64_t saved = read_xcr0();
    if ((saved & XCR0_AVX) != XCR0_AVX)
        return cpu;
    cpu.fma = c & bit_FMA;
    cpu.f16c = c & bit_F16C;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return cpu;
    uint32_t subleaves = a;
    cpu.avx2 = b & bit_AVX2;
    if ((saved & XCR0_AVX512) == XCR0_AVX512) {
        uint32_t wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
        cpu.avx512 = (b & wanted) == wanted;
        cpu.avx512_vnni = c & bit_AVX512VNNI;
        cpu.avx512_fp16 = d >> 23 & 1;
        bool tiles = (saved & XCR0_TILES) == XCR0_TILES && (d >> 24 & 1); /* AMX-TILE */
        cpu.amx_bf16 = tiles && (d >> 22 & 1);
        cpu.amx_int8 = tiles && (d >> 25 & 1);
    }
    if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
        cpu.avx_vnni = a >> 4 & 1;
    return cpu;
}
#else
static struct llmc_cpu detect(void)
{
    return (struct llmc_cpu){0};
}
#endif

/* Whether `name` stands in `list`, names separated by commas. */
static bool listed(const char *list, const char *name)
{
    size_t nbytes = strlen(name);
    while (*list) {
        size_t item = strcspn(list, ",");
        if (item == nbytes && memcmp(list, name, nbytes) == 0)
            return true;
        list += item + (list[item] == ',');
    }
    return false;
}

struct llmc_cpu llmc_cpu_features(void)
{
    struct llmc_cpu cpu = detect();
    const char *disabled = getenv("LLMC_DISABLE_CPU_FEATURES");
    if (disabled) {
        const struct {
            const char *name;
            bool *feature;
        } features[] = {
            {"fma", &cpu.fma},         {"f16c", &cpu.f16c},
            {"avx2", &cpu.avx2},       {"avx512", &cpu.avx512},
            {"avx_vnni", &cpu.avx_vnni}, {"avx512_vnni", &cpu.avx512_vnni},
            {"avx512_fp16", &cpu.avx512_fp16}, {"amx_bf16", &cpu.amx_bf16},
            {"amx_int8", &cpu.amx_int8},
        };
        for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
            *features[i].feature &= !listed(disabled, features[i].name);
    }
    cpu.avx512 &= cpu.avx2;
    cpu.avx_vnni &= cpu.avx2;
    cpu.avx512_vnni &= cpu.avx512;
    cpu.avx512_fp16 &= cpu.avx512;
    cpu.amx_bf16 &= cpu.avx512;
    cpu.amx_int8 &= cpu.avx512;
    return cpu;
}
