/*
 * Ranges of the linear layers' inputs: calibrated on batches, then learned or
 * averaged during quantisation-aware training, and the quantisers made of them.
 *
 * A quantiser maps [min, max], stretched to hold 0, to the integers 0..255
 * (Jacob et al., 2018). Learned: the scale follows its straight-through gradient
 * ("Learned Step Size Quantization", Esser et al., 2020) with Adam on its logarithm, so
 * that one learning rate serves scales of all sizes; the zero point rests.
 * Averaged: minimum and maximum follow those of the batches.
 */
#ifndef LLMC_QUANTIZE_RANGES_H
#define LLMC_QUANTIZE_RANGES_H

#include "model/ranges.h"

/* The learning rate of the logarithms of scales, in times that of the weights. */
#define LLMC_RANGE_RATE 10.0

/* The observation buffer of a batch, for llmc_pass.observed: empty ranges that forward widens. out [count]. */
void llmc_calibrate_clear(struct llmc_range *out, int32_t count);

/* Takes a batch's observation into the averages: the plain mean of the first batches, then an exponential
 * average with this momentum (0.99: a batch counts 1 %; 1: the plain mean of all). Makes the quantisers anew. */
void llmc_calibrate_average(struct llmc_ranges *ranges, const struct llmc_range *observed, double momentum);

/* One Adam step on the log scales. dscales [count]: gradients of loss_scale * loss. Values that are not finite
 * leave their scale as it is. */
void llmc_calibrate_learn(struct llmc_ranges *ranges, const double *dscales, double loss_scale, double learning_rate);

#endif
