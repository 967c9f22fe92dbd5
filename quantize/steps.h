/*
 * Where learned steps start: the step of each row with the least squared error of
 * rounding, as few bits need it. For one normal row in 2 bits, that of its largest
 * magnitude is two and a half times too wide. Training moves them from there by
 * their gradient ("Learned Step Size Quantization", Esser et al., 2020;
 * train/optimizer.h).
 */
#ifndef LLMC_QUANTIZE_STEPS_H
#define LLMC_QUANTIZE_STEPS_H

#include "architecture/parameters.h"

/* Parameters with more bits than this keep the step of the largest magnitude: of 127 steps, clipping saves nothing that
 * was seen. */
#define LLMC_STEPS_BITS_MAX 7

/* The steps [rows] of weights [rows, cols] that lower the squared error most, of 64 between the largest magnitude / limit
 * and a 25th of it; 1 for a row of zeros. */
void llmc_quantize_best_steps(const float *weights, int64_t rows, int64_t cols, int bits, float *steps);

/* Gives the parameters with at most LLMC_STEPS_BITS_MAX bits these steps. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_quantize_start_steps(struct llmc_parameters *parameters);

#endif
