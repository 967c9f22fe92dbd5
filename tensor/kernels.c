#include "tensor/kernels.h"

#include "base/cpu.h"
#include "tensor/kernels/variants.h"

int llmc_kernels_list(const struct llmc_kernels *out[4])
{
    int count = 0;
    out[count++] = &llmc_kernels_portable;
#ifdef __x86_64__
    struct llmc_cpu cpu = llmc_cpu_features();
    if (cpu.avx2 && cpu.fma && cpu.f16c) {
        out[count++] = &llmc_kernels_avx2;
        if (cpu.avx512)
            out[count++] = &llmc_kernels_avx512;
    }
#endif
    return count;
}

const struct llmc_kernels *llmc_kernels_best(void)
{
    const struct llmc_kernels *list[4];
    return list[llmc_kernels_list(list) - 1];
}
