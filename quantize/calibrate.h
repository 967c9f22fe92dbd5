/* The start of quantisation-aware training: ranges of the linear layers' inputs from some batches. */
#ifndef LLMC_QUANTIZE_CALIBRATE_H
#define LLMC_QUANTIZE_CALIBRATE_H

#include "quantize/ranges.h"
#include "tensor/operations.h"
#include "text/source.h"

struct llmc_calibration {
    const struct llmc_text_source *texts;
    uint64_t seed;      /* of the order in which batches are drawn */
    int32_t batch_size; /* texts */
    int32_t batches;    /* at most; a small data set ends earlier */
};

/* Makes `ranges` (released first) of the means of minimum and maximum over the batches, with the weights rounded as the
 * model's fake quantisation says and the inputs not; the model's compute copies are made anew. The caller then lets the
 * model use them. Errors: LLMC_ERR_MEMORY, those of the forward pass. */
llmc_status llmc_calibrate(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_calibration *calibration,
                           struct llmc_ranges *ranges);

#endif
