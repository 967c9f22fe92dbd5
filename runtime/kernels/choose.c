#include "runtime/kernels/kernels.h"

#if defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>

/* Linux gives a process tiles when it asks for them, and keeps asked processes apart: signal frames grow by 8 KB. */
static bool tiles_allowed(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 }; /* Linux's asm/prctl.h */
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
#endif

const struct llmc_kernels *llmc_kernels_choose(struct llmc_cpu cpu)
{
#if defined(__x86_64__)
    bool avx2 = cpu.avx2 && cpu.f16c;
#if defined(LLMC_HAS_AMX_INT8)
    if (avx2 && cpu.avx512 && cpu.amx_int8 && tiles_allowed())
        return &llmc_kernels_amx_int8;
#endif
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
