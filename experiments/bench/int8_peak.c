#include "experiments/bench/int8_peak.h"

#include "base/clock.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
enum { ROUNDS = 8, TURNS = 1 << 14 };

/* One turn of a loop: as many products as hide the latency of each, into registers of their own. In assembly, so that
 * neither compiler flags nor optimisation decide what is measured. */
struct peak {
    const char *kernels;  /* how the name of the kernels begins */
    double multiply_adds; /* of a turn */
    void (*run)(int64_t turns);
};

#define LOOP(PRODUCTS, END)                                                                                   \
    __asm__ volatile("1:\n" PRODUCTS "sub $1, %0\n jnz 1b\n" END                                              \
                     : "+r"(turns)                                                                            \
                     :                                                                                        \
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",  \
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

#define FOUR(OP, R, A, B, C, D)                                                                               \
    OP " %%" R "14, %%" R "15, %%" R A "\n" OP " %%" R "14, %%" R "15, %%" R B "\n"                           \
    OP " %%" R "14, %%" R "15, %%" R C "\n" OP " %%" R "14, %%" R "15, %%" R D "\n"
#define TWELVE(OP, R) FOUR(OP, R, "0", "1", "2", "3") FOUR(OP, R, "4", "5", "6", "7") FOUR(OP, R, "8", "9", "10", "11")

static void run_avx512_vnni(int64_t turns)
{
    LOOP(TWELVE("vpdpbusd", "zmm"), "vzeroupper");
}

static void run_avx_vnni(int64_t turns)
{
    LOOP(TWELVE("%{vex%} vpdpbusd", "ymm"), "vzeroupper");
}

/* Products of 16 bits, two summed in each lane, and an addition to the sums. */
#define MULTIPLY(N) "vpmaddwd %%ymm14, %%ymm15, %%ymm13\n vpaddd %%ymm13, %%ymm" N ", %%ymm" N "\n"

static void run_avx2(int64_t turns)
{
    LOOP(MULTIPLY("0") MULTIPLY("1") MULTIPLY("2") MULTIPLY("3") MULTIPLY("4") MULTIPLY("5"), "vzeroupper");
}

/* 2 x 2 tiles of sums. The process may use tiles, or kernels of this level would not run. */
static void run_amx(int64_t turns)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_nbytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int i = 0; i < 8; i++)
        config.row_nbytes[i] = 64, config.rows[i] = 16;
    __asm__ volatile("ldtilecfg %0" : : "m"(config));
    LOOP("tdpbusd %%tmm6, %%tmm4, %%tmm0\n tdpbusd %%tmm7, %%tmm4, %%tmm1\n"
         "tdpbusd %%tmm6, %%tmm5, %%tmm2\n tdpbusd %%tmm7, %%tmm5, %%tmm3\n",
         "tilerelease");
}

static const struct peak peaks[] = {
    {"amx", 4 * 16 * 16 * 64, run_amx},
    {"avx512_vnni", 12 * 64, run_avx512_vnni},
    {"avx_vnni", 12 * 32, run_avx_vnni},
    {"avx2", 6 * 16, run_avx2},
};

double llmc_int8_peak(const char *kernels, int threads)
{
    const struct peak *peak = peaks;
    const struct peak *const end = peaks + sizeof peaks / sizeof peaks[0];
    double best = 0;
    while (peak < end && strncmp(kernels, peak->kernels, strlen(peak->kernels)) != 0)
        peak++;
    if (peak == end)
        return 0;
    for (int i = 0; i < ROUNDS; i++) {
        double start = llmc_clock();
#pragma omp parallel num_threads(threads)
        peak->run(TURNS);
        double rate = 2.0 * peak->multiply_adds * TURNS * threads / (llmc_clock() - start);
        best = rate > best ? rate : best;
    }
    return best;
}
#else
double llmc_int8_peak(const char *kernels, int threads)
{
    (void)kernels, (void)threads;
    return 0;
}
#endif
