/*
 * What the kernel tests share: buffers with guards around the numbers, random and
 * extreme data, comparisons that name the version and the sizes. Included by one
 * .c file per program, hence static inline.
 */
#ifndef LLMC_TESTS_TENSOR_KERNEL_CHECKS_H
#define LLMC_TESTS_TENSOR_KERNEL_CHECKS_H

#include "tests/base/test_support.h"

#include "base/random.h"
#include "tensor/kernels.h"

#include <float.h>
#include <math.h>

enum { GUARD_NBYTES = 128, GUARD_BYTE = 0xa5, SHIFTS = 2 };

/* What is being checked, for messages. */
static struct {
    const char *version, *kernel;
    size_t n;
    size_t shift; /* numbers between the alignment of malloc and the data */
} at;

/* A block with guard bytes on both sides. */
struct block {
    unsigned char *memory;
    size_t nbytes; /* of the data */
};

/* Memory for n numbers of `size` bytes, `at.shift` numbers off malloc's alignment, full of guard bytes. */
static inline void *block_open(struct block *block, size_t n, size_t size)
{
    block->nbytes = n * size;
    size_t whole = GUARD_NBYTES + at.shift * size + block->nbytes + GUARD_NBYTES;
    block->memory = malloc(whole);
    assert_non_null(block->memory);
    memset(block->memory, GUARD_BYTE, whole);
    return block->memory + GUARD_NBYTES + at.shift * size;
}

/* Checks the guards and frees. */
static inline void block_close(struct block *block, const void *data)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; bytes - i > block->memory; i++)
        if (bytes[-1 - (ptrdiff_t)i] != GUARD_BYTE)
            fail_msg("%s %s, n %zu: wrote %zu bytes in front of its output", at.version, at.kernel, at.n, i + 1);
    for (size_t i = 0; i < GUARD_NBYTES; i++)
        if (bytes[block->nbytes + i] != GUARD_BYTE)
            fail_msg("%s %s, n %zu: wrote %zu bytes behind its output", at.version, at.kernel, at.n, i + 1);
    free(block->memory);
    block->memory = NULL;
}

/* Uniform in [-range, range], a function of seed and place. */
static inline float random_float(uint32_t seed, size_t i, double range)
{
    return (float)((2.0 * llmc_random_u32(seed, (uint32_t)i) / 4294967295.0 - 1.0) * range);
}

static inline void fill(float *x, size_t n, uint32_t seed, double range)
{
    for (size_t i = 0; i < n; i++)
        x[i] = random_float(seed, i, range);
}

static inline float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Finite numbers of all sizes: every other one random bits, the rest borders of formats. */
static inline void fill_extreme(float *x, size_t n, uint32_t seed)
{
    static const float borders[] = {0.0f,     -0.0f,     1e-45f,   -1e-45f,  FLT_MIN,   -FLT_MIN, 1.1754942e-38f,
                                    FLT_MAX,  -FLT_MAX,  65504.0f, 65519.9f, -65520.0f, 6.0e-8f,  2.98e-8f,
                                    6.1e-5f,  1.0f,      -0.5f,    1.5f,     2.5f,      16777216, 3.3895314e38f};
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = llmc_random_u32(seed, (uint32_t)i);
        if (bits & 1)
            x[i] = borders[(bits >> 8) % COUNT_OF(borders)];
        else
            x[i] = float_from_bits((bits & 0x7f800000) == 0x7f800000 ? bits ^ 0x40000000 : bits);
    }
}

static inline bool same_float(float x, float y)
{
    return bits_from_float(x) == bits_from_float(y) || (isnan(x) && isnan(y));
}

/* Equal bits, or both NaN. */
static inline void assert_same(const float *got, const float *expected, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!same_float(got[i], expected[i]))
            fail_msg("%s %s, n %zu, shift %zu: %s[%zu] is %.9g (%08x), not %.9g (%08x)", at.version, at.kernel, at.n,
                     at.shift, what, i, (double)got[i], bits_from_float(got[i]), (double)expected[i],
                     bits_from_float(expected[i]));
}

/* |got - expected| <= tolerance * max(1, |expected|). */
static inline void assert_near(double got, double expected, double tolerance, const char *what, size_t i)
{
    if (!(fabs(got - expected) <= tolerance * fmax(1.0, fabs(expected))))
        fail_msg("%s %s, n %zu, shift %zu: %s[%zu] is %.9g, not %.9g (tolerance %g)", at.version, at.kernel, at.n,
                 at.shift, what, i, got, expected, tolerance);
}

typedef void (*check_fn)(const struct llmc_kernels *k, size_t n);

/* The lengths that vector code gets wrong: around multiples of 8, 16, 32, 64, and those of models. */
static const size_t lengths[] = {1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 255, 384, 1023};

/* Runs a check on every version, length and alignment. */
static inline void for_all_versions(const char *kernel, check_fn check)
{
    const struct llmc_kernels *list[4];
    int count = llmc_kernels_list(list);
    at.kernel = kernel;
    for (int version = 0; version < count; version++) {
        at.version = list[version]->name;
        for (size_t l = 0; l < COUNT_OF(lengths); l++)
            for (at.shift = 0; at.shift < SHIFTS; at.shift++)
                check(list[version], at.n = lengths[l]);
    }
}

#endif
