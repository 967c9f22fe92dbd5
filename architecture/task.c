#include "architecture/task.h"

#include <math.h>
#include <stdbool.h>

void llmc_task_log_softmax(const float *logits, int32_t count, double temperature, double *out)
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

/* torch.nn.functional.cross_entropy with ignore_index=-1; 0 without labels */
static double cross_entropy(const float *logits, const int32_t *label, int32_t sequences, int32_t labels, double weight,
                            double scale, float *dlogits, double *work)
{
    double loss = 0;
    int32_t labelled = 0;
    for (int32_t s = 0; s < sequences; s++)
        labelled += label[s] >= 0;
    double factor = labelled ? weight / labelled : 0;
    for (int32_t s = 0; s < sequences; s++) {
        if (label[s] < 0)
            continue;
        llmc_task_log_softmax(logits + (int64_t)s * labels, labels, 1.0, work);
        loss -= work[label[s]];
        for (int32_t i = 0; i < labels; i++)
            dlogits[(int64_t)s * labels + i] += (float)(scale * factor * (exp(work[i]) - (i == label[s])));
    }
    return loss * factor;
}

static int32_t highest(const float *scores, int32_t labels)
{
    int32_t best = 0;
    for (int32_t label = 1; label < labels; label++)
        best = scores[label] > scores[best] ? label : best;
    return best;
}

/* The share on the diagonal; 0 without texts. */
static double accuracy(const int64_t *confusion, int32_t labels)
{
    int64_t right = 0, all = 0;
    for (int32_t row = 0; row < labels; row++) {
        right += confusion[(int64_t)row * labels + row];
        for (int32_t col = 0; col < labels; col++)
            all += confusion[(int64_t)row * labels + col];
    }
    return all ? (double)right / (double)all : 0;
}

/* False: the label is neither there nor predicted. */
static bool f1_of(const int64_t *confusion, int32_t labels, int32_t label, double *f1)
{
    int64_t right = confusion[(int64_t)label * labels + label], there = 0, said = 0;
    for (int32_t other = 0; other < labels; other++) {
        there += confusion[(int64_t)label * labels + other];
        said += confusion[(int64_t)other * labels + label];
    }
    *f1 = there + said ? 2.0 * (double)right / (double)(there + said) : 0;
    return there + said > 0;
}

/* Of two labels the F1 of label 1; of more the mean over the labels (macro) that are there or predicted, as in
 * scikit-learn. */
static double f1(const int64_t *confusion, int32_t labels)
{
    double sum = 0, one;
    int32_t counted = 0;
    for (int32_t label = labels == 2; label < labels; label++) {
        counted += f1_of(confusion, labels, label, &one);
        sum += one;
    }
    return counted > 0 ? sum / counted : 0;
}

const struct llmc_task llmc_task_single_label = {
    .name = "single label",
    .model = "ForSequenceClassification",
    .loss = cross_entropy,
    .answer = highest,
    .measures = {{"accuracy", accuracy}, {"f1", f1}},
};
