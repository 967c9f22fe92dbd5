/*
 * The ranges of the linear layers' inputs, and the quantisers made of them: what a model that answers in integers knows
 * of its activations. quantize/ranges.h has the rules by which they are found.
 */
#ifndef LLMC_MODEL_RANGES_H
#define LLMC_MODEL_RANGES_H

#include "base/status.h"
#include "model/bert.h"

struct llmc_ranges {
    int32_t count;                     /* llmc_site_count(); 0: inputs are not quantised */
    struct llmc_range *averages;       /* [count] */
    struct llmc_quantizer *quantizers; /* [count] what the model uses */
    float *m, *v;                      /* [count] Adam's moments of the log scales */
    int64_t step;                      /* of learning; of averaging while calibrating */
};

/* Makes zeroed ranges of `count` sites. Errors: LLMC_ERR_MEMORY; they are empty then. */
llmc_status llmc_ranges_init(struct llmc_ranges *ranges, int32_t count);
void llmc_ranges_release(struct llmc_ranges *ranges); /* empty ones are fine */

#endif
