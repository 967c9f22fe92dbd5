#include "runtime/kernels/kernels.h"

#if defined(LLMC_HAS_AMX_INT8)
#include <sys/syscall.h>
#include <unistd.h>

/* Linux gives tiles to a process that asks for them, because its signal frames grow by their 8 KB. */
static bool tiles_allowed(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 }; /* Linux's asm/prctl.h */
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
#endif

int llmc_rt_kernels_available(struct llmc_cpu cpu, const struct llmc_rt_kernels *out[LLMC_KERNELS_MAX])
{
    int count = 0;
    out[count++] = &llmc_rt_kernels_portable;
#if defined(__x86_64__)
    bool avx2 = cpu.avx2 && cpu.f16c && cpu.fma;
    if (avx2)
        out[count++] = &llmc_rt_kernels_avx2;
    if (avx2 && cpu.avx_vnni)
        out[count++] = &llmc_rt_kernels_avx_vnni;
    if (avx2 && cpu.avx512_vnni)
        out[count++] = &llmc_rt_kernels_avx512_vnni;
#if defined(LLMC_HAS_AMX_INT8)
    if (avx2 && cpu.amx_int8 && tiles_allowed())
        out[count++] = &llmc_rt_kernels_amx_int8;
#endif
#endif
    (void)cpu;
    return count;
}

const struct llmc_rt_kernels *llmc_rt_kernels_choose(struct llmc_cpu cpu)
{
    const struct llmc_rt_kernels *levels[LLMC_KERNELS_MAX];
    return levels[llmc_rt_kernels_available(cpu, levels) - 1];
}
