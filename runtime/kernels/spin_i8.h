/*
 * spin_i8 (kernels.h) of a level with integer products in vector registers. Included by its .c file behind the
 * definition of
 *
 *     spin_vector               a register of sums
 *     SPIN_OPERATIONS           multiplications and additions of spin_step
 *     spin_vector spin_step(spin_vector sums)
 *                               sums plus products of numbers that are in registers already
 */
static int64_t spin_i8(int64_t rounds)
{
    enum { SUMS = 12 }; /* as many as hide the latency of each */
    spin_vector sums[SUMS] = {{0}};
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 16
        for (int j = 0; j < SUMS; j++) {
            sums[j] = spin_step(sums[j]);
            __asm__ volatile("" : "+v"(sums[j])); /* the compiler must not know that all rounds are alike */
        }
    }
    return rounds * SUMS * SPIN_OPERATIONS;
}
