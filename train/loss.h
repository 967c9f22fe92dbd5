/*
 * The cross-entropy of a batch and its gradient. Logits [S, L], FP32; sums in
 * double. Losses are means over the S texts.
 */
#ifndef LLMC_TRAIN_LOSS_H
#define LLMC_TRAIN_LOSS_H

#include <stdint.h>

/* out [count] = log softmax of logits [count] / temperature. */
void llmc_log_softmax(const float *logits, int32_t count, double temperature, double *out);

/* Returns weight * mean cross-entropy (torch.nn.functional.cross_entropy) and adds its gradient, times
 * `scale`, to dlogits. work: [L]. */
double llmc_cross_entropy(const float *logits, const int32_t *label, int32_t sequences, int32_t labels, double weight,
                          double scale, float *dlogits, double *work);

#endif
