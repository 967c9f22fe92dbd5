#include "distill/loss.h"

#include "architecture/task.h"

#include <math.h>

double llmc_distill_kl(const float *student, const float *teacher, int32_t sequences, int32_t labels,
                       double temperature, double weight, double scale, float *dlogits, double *work)
{
    double *p = work, *q = work + labels; /* log probabilities of student and teacher */
    double loss = 0, factor = weight * temperature * temperature / sequences;
    for (int32_t s = 0; s < sequences; s++) {
        int64_t row = (int64_t)s * labels;
        llmc_task_log_softmax(student + row, labels, temperature, p);
        llmc_task_log_softmax(teacher + row, labels, temperature, q);
        for (int32_t i = 0; i < labels; i++) {
            loss += exp(q[i]) * (q[i] - p[i]);
            dlogits[row + i] += (float)(scale * factor / temperature * (exp(p[i]) - exp(q[i])));
        }
    }
    return loss * factor;
}

double llmc_distill_mse(const float *student, const float *teacher, int32_t sequences, int32_t labels, double weight,
                        double scale, float *dlogits)
{
    int64_t count = (int64_t)sequences * labels;
    double loss = 0, factor = weight / (double)count;
    for (int64_t i = 0; i < count; i++) {
        double difference = (double)student[i] - (double)teacher[i];
        loss += difference * difference;
        dlogits[i] += (float)(scale * factor * 2.0 * difference);
    }
    return loss * factor;
}
