#include "tensor/kernels.h"

#include "base/cpu.h"
#include "tensor/kernels/variants.h"

/* One line a version, the best last, with what it needs. */
static const struct {
    const struct llmc_kernels *kernels;
    enum llmc_cpu_feature needs;
} versions[] = {
    {&llmc_kernels_portable, LLMC_CPU_ANY},
#ifdef __x86_64__
    {&llmc_kernels_avx2, LLMC_CPU_AVX2},
    {&llmc_kernels_avx512, LLMC_CPU_AVX512},
#endif
};

int llmc_kernels_list(const struct llmc_kernels *out[4])
{
    uint32_t features = llmc_cpu_features();
    int count = 0;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (llmc_cpu_may_use(features, versions[i].needs))
            out[count++] = versions[i].kernels;
    return count;
}

const struct llmc_kernels *llmc_kernels_best(void)
{
    const struct llmc_kernels *list[4];
    return list[llmc_kernels_list(list) - 1];
}
