/*
 * The parameters of a BERT classifier: one flat arena of FP32 numbers (the master
 * weights) with a table of names, shapes and offsets (architecture/parameter.h). Gradients and optimiser
 * state use the same offsets, so saving, clipping and AdamW are loops.
 *
 * The word embedding comes first: its gradient is kept by rows (bert.h), and
 * everything behind `dense_begin` is one block. Query, key and value of a layer
 * lie side by side, so that [Q; K; V] is one matrix [3A, H] and one bias [3A], A heads * head_width.
 */
#ifndef LLMC_ARCHITECTURE_PARAMETERS_H
#define LLMC_ARCHITECTURE_PARAMETERS_H

#include "architecture/parameter.h"
#include "base/status.h"

#include <stdint.h>

struct llmc_parameter {
    char name[LLMC_PARAMETER_NAME_NBYTES];
    enum llmc_parameter_kind kind;
    int32_t bits; /* of the integers, with one scale a row, that it becomes: 2 to 8; 0: it stays in floating point */
    int64_t step; /* of its first row in the steps of all; -1: its kind takes no bits */
    int64_t offset;
    int64_t rows, cols;
};

struct llmc_parameters {
    struct llmc_architecture architecture;
    struct llmc_parameter *table;
    int32_t count;
    int64_t dense_begin; /* first number behind the word embedding */
    int64_t total;       /* numbers in the arena, a few of padding included */
    float *values;       /* [total] */
    uint8_t *mask;       /* [total - dense_begin] 0: pruned, stays zero; 1: kept. NULL: nothing is pruned */
    int64_t step_count;  /* rows of all parameters that take bits */
    float *steps;        /* [step_count] the scale of each such row, learned in training (Esser et al., 2020); 0: it
                          * follows from the row, largest magnitude / limit. NULL: all do */
};

/* Makes the table and a zeroed arena. Errors: LLMC_ERR_FORMAT (architecture), LLMC_ERR_MEMORY. */
llmc_status llmc_parameters_init(struct llmc_parameters *parameters, const struct llmc_architecture *architecture);
void llmc_parameters_release(struct llmc_parameters *parameters);

/* Sets the bits of all linear weights, and of the embeddings of words and positions; 0: none. A single parameter's are
 * set in the table; kinds that take none (llmc_parameter_takes_bits) keep 0. Steps, which were those of other bits, go. */
void llmc_parameters_set_bits(struct llmc_parameters *parameters, int32_t weight_bits, int32_t embedding_bits);

/* Whether llmc_parameters_set_bits gives these bits, and with which numbers. */
bool llmc_parameters_bits_are_even(const struct llmc_parameters *parameters, int32_t *weight_bits,
                                   int32_t *embedding_bits);

/* The numbers of parameter `index`. */
float *llmc_parameter_values(const struct llmc_parameters *parameters, int32_t index);

/* Makes the steps, all 0, where there are none yet. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_parameters_make_steps(struct llmc_parameters *parameters);

/* The steps [rows] of parameter `index`; NULL where it has no bits, or no parameter has steps. */
float *llmc_parameter_steps(const struct llmc_parameters *parameters, int32_t index);

/* Random values as BERT starts (Devlin et al., 2019): matrices normal with standard deviation 0.02, norm
 * weights 1, biases 0. The same seed gives the same numbers. Initialises only parameter `index`. */
void llmc_parameter_randomize(struct llmc_parameters *parameters, int32_t index, uint64_t seed);

/* Makes the mask, all kept, where there is none yet. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_parameters_make_mask(struct llmc_parameters *parameters);

/* Sets pruned weights of parameter `index` to zero; nothing without a mask. */
void llmc_parameter_apply_mask(struct llmc_parameters *parameters, int32_t index);

/* Numbers in the model without padding, and how many of them are not zero. */
int64_t llmc_parameters_count(const struct llmc_parameters *parameters, int64_t *nonzero);

#endif
