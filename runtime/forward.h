/*
 * The forward pass over packed sequences: tokens of all texts one behind the
 * other, without padding.
 */
#ifndef LLMC_RUNTIME_FORWARD_H
#define LLMC_RUNTIME_FORWARD_H

#include "runtime/model.h"
#include "runtime/profile.h"

/* Sequence i is ids[offsets[i]] .. ids[offsets[i + 1] - 1]; every sequence has at least one token. */
struct llmc_rt_sequences {
    int32_t count;
    const int32_t *offsets; /* [count + 1] */
    const int32_t *ids;
    const uint8_t *types;
};

/* Activations of one forward pass. T: its tokens. */
struct llmc_rt_work {
    int64_t tokens_max; /* capacity */
    float *x, *y;       /* [T, hidden] */
    float *context;     /* [T, heads * head_width of a layer]; NULL where all layers run in integers */
    float *ffn;         /* [T, ffn of a layer]; NULL where all layers run in integers */
    uint8_t *x_u8;      /* [T, hidden rounded up to LLMC_K_STEP] */
    uint8_t *context_u8; /* as context, likewise rounded up */
    uint8_t *ffn_u8;    /* as ffn, likewise */
};

/* Attention, for one thread. */
struct llmc_rt_scratch {
    int64_t length_max; /* capacity: tokens of a sequence */
    int64_t qkv_count;  /* capacity of qkv */
    float *numbers;     /* [llmc_rt_head_scratch()] of one sequence and head */
    float *qkv;         /* [T, 3, columns] queries, keys and values of some heads */
};

/* As many of `heads` at once as keep their queries, keys and values near, in the second-level cache, until
 * attention has used them: at least one. */
int32_t llmc_rt_heads_at_once(const struct llmc_architecture *architecture, int32_t heads, int64_t tokens);

/* The threads that work on one forward pass together. */
struct llmc_rt_team {
    int rank, size;
};

/* Make room for `tokens` tokens, and sequences of `length` tokens; keep what is there when it is
 * enough. Errors: LLMC_ERR_MEMORY. A zeroed struct is empty; release leaves one. */
llmc_status llmc_rt_work_reserve(struct llmc_rt_work *work, const struct llmc_model *model, int64_t tokens);
void llmc_rt_work_release(struct llmc_rt_work *work);
llmc_status llmc_rt_scratch_reserve(struct llmc_rt_scratch *scratch, const struct llmc_model *model, int64_t tokens,
                                    int64_t length);
void llmc_rt_scratch_release(struct llmc_rt_scratch *scratch);

/* logits [sequences->count, labels]. Called by every member of the team, each with its own
 * scratch and profile (NULL: none), inside a parallel region when team.size > 1. */
void llmc_rt_forward(const struct llmc_model *model, const struct llmc_rt_sequences *sequences,
                     struct llmc_rt_work *work, struct llmc_rt_scratch *scratch, struct llmc_rt_team team,
                     struct llmc_rt_profile *profile, float *logits);

#endif
