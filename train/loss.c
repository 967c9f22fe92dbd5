#include "train/loss.h"

#include <math.h>

void llmc_log_softmax(const float *logits, int32_t count, double temperature, double *out)
{
    double max = -INFINITY, sum = 0;
    for (int32_t i = 0; i < count; i++) {
        out[i] = (double)logits[i] / temperature;
        max = out[i] > max ? out[i] : max; /* fmax here makes GCC 12 fail for arm64 */
    }
    for (int32_t i = 0; i < count; i++)
        sum += exp(out[i] - max);
    double shift = max + log(sum);
    for (int32_t i = 0; i < count; i++)
        out[i] -= shift;
}

double llmc_cross_entropy(const float *logits, const int32_t *label, int32_t sequences, int32_t labels, double weight,
                          double scale, float *dlogits, double *work)
{
    double loss = 0, factor = weight / sequences;
    for (int32_t s = 0; s < sequences; s++) {
        llmc_log_softmax(logits + (int64_t)s * labels, labels, 1.0, work);
        loss -= work[label[s]];
        for (int32_t i = 0; i < labels; i++)
            dlogits[(int64_t)s * labels + i] += (float)(scale * factor * (exp(work[i]) - (i == label[s])));
    }
    return loss * factor;
}
