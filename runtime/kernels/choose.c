#include "runtime/kernels/kernels.h"

const struct llmc_kernels *llmc_kernels_choose(struct llmc_cpu cpu)
{
#if defined(__x86_64__)
    bool avx2 = cpu.avx2 && cpu.f16c;
    if (avx2 && cpu.avx512_vnni)
        return &llmc_kernels_avx512_vnni;
    if (avx2 && cpu.avx_vnni)
        return &llmc_kernels_avx_vnni;
    if (avx2)
        return &llmc_kernels_avx2;
#endif
    (void)cpu;
    return &llmc_kernels_portable;
}
