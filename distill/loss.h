/*
 * Distillation losses against the teacher's logits (Hinton, Vinyals and Dean,
 * 2015), and their gradients. Logits [S, L], FP32; sums in double.
 */
#ifndef LLMC_DISTILL_LOSS_H
#define LLMC_DISTILL_LOSS_H

#include <stdint.h>

/* weight * T^2 * mean over texts of KL(softmax(teacher / T) || softmax(student / T)): torch's
 * kl_div(log_softmax(s / T), softmax(t / T), reduction="batchmean") * T^2. Adds scale * its gradient to
 * dlogits. work: [2 L]. */
double llmc_distill_kl(const float *student, const float *teacher, int32_t sequences, int32_t labels,
                       double temperature, double weight, double scale, float *dlogits, double *work);

/* weight * mean of (student - teacher)^2 over all S * L logits: torch's mse_loss. */
double llmc_distill_mse(const float *student, const float *teacher, int32_t sequences, int32_t labels, double weight,
                        double scale, float *dlogits);

#endif
