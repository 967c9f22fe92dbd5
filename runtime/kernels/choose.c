#include "runtime/kernels/kernels.h"

/* One line a level, the best last, with what it needs. */
static const struct {
    const struct llmc_rt_kernels *kernels;
    enum llmc_cpu_feature needs;
} levels[] = {
    {&llmc_rt_kernels_portable, LLMC_CPU_ANY},
#if defined(__x86_64__)
    {&llmc_rt_kernels_avx2, LLMC_CPU_AVX2},
    {&llmc_rt_kernels_avx_vnni, LLMC_CPU_AVX_VNNI},
    {&llmc_rt_kernels_avx512_vnni, LLMC_CPU_AVX512_VNNI},
#endif
#if defined(LLMC_HAS_AMX_INT8) /* the compiler has the instructions */
    {&llmc_rt_kernels_amx_int8, LLMC_CPU_AMX_INT8},
#endif
};

enum { LEVELS = sizeof levels / sizeof levels[0] };

_Static_assert((int)LEVELS <= (int)LLMC_KERNELS_MAX, "lists of levels have room for all");

int llmc_rt_kernels_available(uint32_t features, const struct llmc_rt_kernels *out[LLMC_KERNELS_MAX])
{
    int count = 0;
    for (int i = 0; i < LEVELS; i++)
        if (llmc_cpu_may_use(features, levels[i].needs))
            out[count++] = levels[i].kernels;
    return count;
}

const struct llmc_rt_kernels *llmc_rt_kernels_choose(uint32_t features)
{
    const struct llmc_rt_kernels *available[LLMC_KERNELS_MAX];
    return available[llmc_rt_kernels_available(features, available) - 1];
}
