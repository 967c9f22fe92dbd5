/*
 * Where the time of predictions goes: for benchmarks, which give a predictor one
 * profile a thread to add to (llmc_rt_predictor_profile).
 */
#ifndef LLMC_RUNTIME_PROFILE_H
#define LLMC_RUNTIME_PROFILE_H

#include "include/llmc_runtime.h"

#include <stdint.h>

enum llmc_rt_part {
    LLMC_PART_TOKENS,     /* text to ids */
    LLMC_PART_EMBEDDING,  /* rows of the embeddings and their layer norm */
    LLMC_PART_INTEGERS,   /* linear layers in integers, with bias, activation and rounding */
    LLMC_PART_FLOATS,     /* linear layers in FP32, likewise */
    LLMC_PART_ATTENTION,  /* scores, softmax, context */
    LLMC_PART_NORM,       /* residual, layer norm, rounding */
    LLMC_PART_WAITING,    /* for the other threads of a team */
    LLMC_PARTS
};

struct llmc_rt_profile {
    double seconds[LLMC_PARTS];
    double integer_operations; /* multiplications and additions that LLMC_PART_INTEGERS was for: 2 M N K, without padding */
};

/* From now on, predictions add to profiles [llmc_predictor_threads()], the caller's; NULL: no longer. */
void llmc_rt_predictor_profile(struct llmc_predictor *predictor, struct llmc_rt_profile *profiles);

#endif
