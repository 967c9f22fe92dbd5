/*
 * The time of a layer on this machine, by its heads and by its neurons, measured once by the runtime
 * (runtime/layer_time.h) and kept in a file, RUNS/store/layer-times-KEY.json; the key is of the processor, the kernels and
 * the shapes. Like other things in the store it may be removed at any time: it is measured anew then, with other numbers.
 */
#ifndef LLMC_PRUNE_LAYER_TIMES_H
#define LLMC_PRUNE_LAYER_TIMES_H

#include "prune/cost.h"

/* Fills `costs` with seconds for texts of `length` tokens, rising with the widths. Between measured numbers of neurons,
 * the next larger one counts: that is how kernels work. *measured = whether this took a measurement (some seconds).
 * Errors: LLMC_ERR_MEMORY, LLMC_ERR_IO. */
llmc_status llmc_costs_of_times(struct llmc_costs *costs, const struct llmc_architecture *architecture, int32_t length,
                                const char *runs_folder, bool *measured);

#endif
