/*
 * What this processor can do and the operating system lets it do: the one place
 * where kernels of all folders learn which of their versions may run.
 */
#ifndef LLMC_BASE_CPU_H
#define LLMC_BASE_CPU_H

#include <stdbool.h>

struct llmc_cpu {
    bool fma;
    bool f16c;
    bool avx2;
    bool avx512;      /* F, BW, VL and DQ; implies avx2 */
    bool avx512_vnni; /* implies avx512 */
    bool avx512_fp16; /* implies avx512 */
    bool avx_vnni;    /* the 256-bit form; implies avx2 */
    bool amx_bf16;    /* tiles of BF16; implies avx512 */
    bool amx_int8;    /* tiles of 8-bit integers; implies avx512 */
};

/* Detects the features: a feature counts only where the operating system saves
 * its registers (XCR0). The environment variable LLMC_DISABLE_CPU_FEATURES, names as above
 * separated by commas ("avx512_vnni,avx_vnni"), switches features off, and with
 * them those that imply them; unknown names are ignored, so that one list
 * serves several versions. All false on processors that are not x86-64.
 *
 * It costs microseconds and keeps no state: callers choose their kernels once.
 * Any thread may call it, as long as none changes the environment meanwhile. */
struct llmc_cpu llmc_cpu_features(void);

#endif
