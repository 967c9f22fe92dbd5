/*
 * How long the runtime takes for a layer of given widths on this machine, in integers: narrow layers do not cost their
 * share (kernels work on whole blocks, attention and norms stay), so who removes heads and neurons for speed measures.
 * Not in the runtime library; programs that train link it.
 */
#ifndef LLMC_RUNTIME_LAYER_TIME_H
#define LLMC_RUNTIME_LAYER_TIME_H

#include "architecture/architecture.h"
#include "base/status.h"

/* What one layer takes, in seconds: before another one; as the last one, which answers for the first tokens alone (with
 * the pooler, which is little beside it). */
struct llmc_layer_time {
    double inner, last;
};

/* *out = the time of a layer of the shape architecture->layer[0] for LLMC_LAYER_TIME_TOKENS tokens in texts of `length`
 * (at least 1; the last may be shorter), by one thread: what each thread does with a batch of texts (predict.c). Its
 * weights are random numbers of 8 bits. The shortest of some passes counts, in the thread's own time, so that other
 * programs disturb it little. Takes some tens of milliseconds. Errors: LLMC_ERR_MEMORY, LLMC_ERR_FORMAT (architecture). */
llmc_status llmc_rt_layer_time(const struct llmc_architecture *architecture, int32_t length, struct llmc_layer_time *out);

enum { LLMC_LAYER_TIME_TOKENS = 192 };

/* The kernels that are measured, as llmc_model_kernels names them. */
const char *llmc_rt_layer_time_kernels(void);

#endif
