/*
 * Random numbers as a function of a position, not of a history: number `index`
 * of stream `key` is always the same. So a killed run goes on with the same
 * numbers, threads need no state, and backward recomputes the dropout of forward.
 *
 * Mixing: the finaliser "lowbias32" found by Chris Wellons' hash prospector for
 * 32 bits, and Sebastiano Vigna's splitmix64 for 64.
 */
#ifndef LLMC_BASE_RANDOM_H
#define LLMC_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t llmc_random_mix64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* The streams that a run draws from its seed, told apart by these numbers. They decide which numbers come: never change
 * one, and give a new use a new one. */
enum {
    LLMC_STREAM_ORDER = 1,         /* of texts in an epoch */
    LLMC_STREAM_DROPOUT = 2,
    LLMC_STREAM_STUDENT = 101,     /* layers of a student that start at random */
    LLMC_STREAM_CALIBRATION = 102, /* order of the batches that calibrate ranges */
    LLMC_STREAM_VARIANTS = 104,    /* of texts */
    LLMC_STREAM_HEAD = 103,        /* a pooler or classifier that the teacher's folder lacks */
    LLMC_STREAM_BASELINE = 106,    /* order of texts in the baseline's training */
    LLMC_STREAM_PROJECTION = 105,  /* projections of hidden states between other widths */
    LLMC_STREAM_SIGNS = 141,       /* of logits, to measure how much they depend on each weight */
};

/* A key for a stream from up to three numbers that tell it apart. */
static inline uint64_t llmc_random_key(uint64_t seed, uint64_t a, uint64_t b)
{
    return llmc_random_mix64(llmc_random_mix64(llmc_random_mix64(seed) ^ a) ^ b);
}

static inline uint64_t llmc_random_u64(uint64_t key, uint64_t index)
{
    return llmc_random_mix64(key ^ llmc_random_mix64(index));
}

/* 32 random bits; written so that a compiler can vectorise over `index`. */
static inline uint32_t llmc_random_u32(uint32_t key, uint32_t index)
{
    uint32_t x = index * 0x9e3779b9u ^ key;
    x = (x ^ x >> 16) * 0x21f0aaadu;
    x = (x ^ x >> 15) * 0x735a2d97u;
    return x ^ x >> 15;
}

/* Uniform in (0, 1]. */
static inline double llmc_random_uniform(uint64_t key, uint64_t index)
{
    return (double)((llmc_random_u64(key, index) >> 11) + 1) * 0x1p-53;
}

/* Shuffles order [count] (Fisher and Yates). */
static inline void llmc_random_shuffle(uint64_t key, size_t count, int64_t *order)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)(llmc_random_u64(key, i) % i);
        int64_t kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

#endif
