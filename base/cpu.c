#include "base/cpu.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The names of features, and what each is of no use without. What is needed stands above. */
static const struct {
    const char *name;
    uint32_t feature, needs;
} features_known[] = {
    {"fma", LLMC_CPU_FMA, 0},
    {"f16c", LLMC_CPU_F16C, 0},
    {"avx2", LLMC_CPU_AVX2, LLMC_CPU_FMA | LLMC_CPU_F16C},
    {"avx_vnni", LLMC_CPU_AVX_VNNI, LLMC_CPU_AVX2},
    {"avx512", LLMC_CPU_AVX512, LLMC_CPU_AVX2},
    {"avx512_vnni", LLMC_CPU_AVX512_VNNI, LLMC_CPU_AVX512},
    {"amx_bf16", LLMC_CPU_AMX_BF16, LLMC_CPU_AVX512},
    {"amx_int8", LLMC_CPU_AMX_INT8, LLMC_CPU_AVX512},
};

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6, XCR0_TILES = 0x60000 };

/* Which register states the operating system saves on a task switch. Inline
 * assembly, because the intrinsic needs a compiler flag for the whole file. */
static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static uint32_t detect(void)
{
    uint32_t a, b, c, d, found = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
        return 0;
    uint64_t saved = read_xcr0();
    if ((saved & XCR0_AVX) != XCR0_AVX)
        return 0;
    found |= c & bit_FMA ? LLMC_CPU_FMA : 0;
    found |= c & bit_F16C ? LLMC_CPU_F16C : 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return found;
    uint32_t subleaves = a;
    found |= b & bit_AVX2 ? LLMC_CPU_AVX2 : 0;
    if ((saved & XCR0_AVX512) == XCR0_AVX512) {
        uint32_t wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
        found |= (b & wanted) == wanted ? LLMC_CPU_AVX512 : 0;
        found |= c & bit_AVX512VNNI ? LLMC_CPU_AVX512_VNNI : 0;
        bool tiles = (saved & XCR0_TILES) == XCR0_TILES && (d >> 24 & 1); /* AMX-TILE */
        found |= tiles && (d >> 22 & 1) ? LLMC_CPU_AMX_BF16 : 0;
        found |= tiles && (d >> 25 & 1) ? LLMC_CPU_AMX_INT8 : 0;
    }
    if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
        found |= a >> 4 & 1 ? LLMC_CPU_AVX_VNNI : 0;
    return found;
}

static bool ask_for_tiles(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 }; /* Linux's asm/prctl.h */
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

bool llmc_cpu_is_intel(void)
{
    uint32_t a, b, c, d;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_INTEL_ebx && c == signature_INTEL_ecx;
}
#else
static uint32_t detect(void)
{
    return 0;
}

static bool ask_for_tiles(void)
{
    return false;
}

bool llmc_cpu_is_intel(void)
{
    return false;
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

uint32_t llmc_cpu_features(void)
{
    uint32_t features = detect();
    const char *disabled = getenv("LLMC_DISABLE_CPU_FEATURES");
    for (size_t i = 0; i < sizeof features_known / sizeof features_known[0]; i++) {
        uint32_t needs = features_known[i].needs;
        if ((features & needs) != needs || (disabled && listed(disabled, features_known[i].name)))
            features &= ~features_known[i].feature;
    }
    return features;
}

bool llmc_cpu_may_use(uint32_t features, enum llmc_cpu_feature feature)
{
    const uint32_t tiles = LLMC_CPU_AMX_BF16 | LLMC_CPU_AMX_INT8;
    return (features & feature) == (uint32_t)feature && (!(feature & tiles) || ask_for_tiles());
}

void llmc_cpu_name(char *out, size_t nbytes)
{
    char line[512];
    snprintf(out, nbytes, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file)
        return;
    while (fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(out, nbytes, "%.*s", (int)strcspn(colon, "\n"), colon);
        break;
    }
    fclose(file);
}
