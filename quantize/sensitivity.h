/*
 * How much the model's answers depend on each number: the mean over texts of its
 * squared gradients of the logits, the diagonal of the Gauss-Newton matrix of half
 * their squared distance. Small independent errors e of the numbers then move the
 * logits by sum(sensitivity * e^2) in the mean square, as HAWQ-V2 (Dong et al.,
 * 2020) and Fisher masks (Kwon et al., 2022) use it. No labels and no teacher are
 * needed: the loss of distillation is about least at the student, and its own
 * gradient says little there. Signs drawn at random for each text and logit make
 * one backward pass over a batch do for all of its texts (Hutchinson, 1989).
 */
#ifndef LLMC_QUANTIZE_SENSITIVITY_H
#define LLMC_QUANTIZE_SENSITIVITY_H

#include "quantize/calibrate.h"

/* Fills squares [parameters.total] from the batches, with the model as it is and its inputs not rounded; the model's
 * compute copies are made anew. Errors: LLMC_ERR_MEMORY, those of the passes; LLMC_ERR_DATA where gradients are not
 * finite. */
llmc_status llmc_quantize_sensitivity(struct llmc_bert *model, struct llmc_ops *ops,
                                      const struct llmc_calibration *calibration, float *squares);

#endif
