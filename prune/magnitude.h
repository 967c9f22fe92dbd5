/*
 * L1 (magnitude) pruning: the smallest weights of all linear layers together
 * become zero and stay so (Han et al., 2015), at a sparsity that rises along a
 * cubic schedule (Zhu and Gupta, 2017).
 */
#ifndef LLMC_PRUNE_MAGNITUDE_H
#define LLMC_PRUNE_MAGNITUDE_H

#include "base/status.h"
#include "architecture/parameters.h"

/* final + (initial - final) * (1 - t)^3, where t runs from 0 to 1 over the first `ramp` fraction of the
 * steps; `final` from then on. */
double llmc_prune_schedule(double initial, double final, double ramp, int64_t step, int64_t steps);

/* The share of pruned weights among all weights of linear layers; 0 without a mask. */
double llmc_sparsity(const struct llmc_parameters *parameters);

/* Prunes until `sparsity` of the linear weights are masked, smallest magnitude first over all layers (of
 * equals, the one with the lower index). Weights that are masked stay so: a lower sparsity changes nothing.
 * Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_prune_to(struct llmc_parameters *parameters, double sparsity);

#endif
