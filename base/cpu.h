/*
 * What this processor can do and the operating system lets it do: the one place
 * where kernels of all folders learn which of their versions may run.
 */
#ifndef LLMC_BASE_CPU_H
#define LLMC_BASE_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Features that kernels are made for. Each counts only together with those that its line says it needs. */
enum llmc_cpu_feature {
    LLMC_CPU_ANY = 0,              /* what every processor has */
    LLMC_CPU_FMA = 1 << 0,
    LLMC_CPU_F16C = 1 << 1,
    LLMC_CPU_AVX2 = 1 << 2,        /* FMA, F16C */
    LLMC_CPU_AVX_VNNI = 1 << 3,    /* the 256-bit form; AVX2 */
    LLMC_CPU_AVX512 = 1 << 4,      /* F, BW, VL and DQ; AVX2 */
    LLMC_CPU_AVX512_VNNI = 1 << 5, /* AVX512 */
    LLMC_CPU_AMX_BF16 = 1 << 6,    /* tiles of BF16; AVX512 */
    LLMC_CPU_AMX_INT8 = 1 << 7,    /* tiles of 8-bit integers; AVX512 */
};

/* The set of features: one counts only where the operating system saves its registers (XCR0). The environment
 * variable LLMC_DISABLE_CPU_FEATURES, names as above in lower case and separated by commas
 * ("avx512_vnni,avx_vnni"), switches features off, and with them those that need them; unknown names are ignored, so
 * that one list serves several versions. Empty on processors that are not x86-64.
 *
 * It costs microseconds and keeps no state: callers choose their kernels once.
 * Any thread may call it, as long as none changes the environment meanwhile. */
uint32_t llmc_cpu_features(void);

/* Whether `feature` is in the set and this process may use it. Linux gives tiles (AMX) to a process that asks for
 * them, because its signal frames grow by their 8 KB: it is asked here, and only where they are in the set. */
bool llmc_cpu_may_use(uint32_t features, enum llmc_cpu_feature feature);

/* out = "AMD EPYC 9B45": the first "model name" of /proc/cpuinfo, or "unknown processor". */
void llmc_cpu_name(char *out, size_t nbytes);

/* Whether Intel made it: libraries of others run at other speeds there. */
bool llmc_cpu_is_intel(void);

#endif
