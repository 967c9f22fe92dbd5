#include "report/quality.h"

#include "architecture/task.h"
#include "base/memory.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { CALIBRATION_BINS = 15 };
#define PROBABILITY_MIN 1e-7

double llmc_quality_deviation(double accuracy, int64_t count)
{
    return sqrt(accuracy * (1 - accuracy) / (double)count);
}

double llmc_quality_calibration_error(const struct llmc_answers *model, const int32_t *label, int64_t count,
                                      int32_t labels)
{
    double confidence[CALIBRATION_BINS] = {0}, right[CALIBRATION_BINS] = {0}, sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double p = (double)model->probabilities[i * labels + model->answers[i]];
        /* Bins are (0, 1/15], (1/15, 2/15], ... */
        int bin = (int)ceil(p * CALIBRATION_BINS) - 1;
        bin = bin < 0 ? 0 : bin >= CALIBRATION_BINS ? CALIBRATION_BINS - 1 : bin;
        confidence[bin] += p;
        right[bin] += model->answers[i] == label[i];
    }
    for (int bin = 0; bin < CALIBRATION_BINS; bin++)
        sum += fabs(confidence[bin] - right[bin]);
    return sum / (double)count;
}

double llmc_quality_divergence(const float *teacher, const float *model, int64_t count, int32_t labels)
{
    double sum = 0;
    for (int64_t i = 0; i < count * labels; i++) {
        double p = fmax((double)teacher[i], PROBABILITY_MIN), q = fmax((double)model[i], PROBABILITY_MIN);
        sum += p * log(p / q);
    }
    return fmax(sum / (double)count, 0); /* rounding may leave less */
}

double llmc_quality_mcnemar(int64_t gained, int64_t lost)
{
    int64_t n = gained + lost, few = gained < lost ? gained : lost;
    double tail = 0;
    for (int64_t k = 0; k <= few; k++)
        tail += exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) - (double)n * log(2));
    return fmin(2 * tail, 1);
}

static void compare(struct llmc_report_row *row, const struct llmc_answers *model, const struct llmc_answers *teacher,
                    const int32_t *label, int64_t count, int32_t labels)
{
    int64_t equal = 0;
    row->texts_gained = row->texts_lost = 0;
    for (int64_t i = 0; i < count; i++) {
        bool right = model->answers[i] == label[i], teacher_right = teacher->answers[i] == label[i];
        equal += model->answers[i] == teacher->answers[i];
        row->texts_gained += right && !teacher_right;
        row->texts_lost += teacher_right && !right;
    }
    row->teacher_agreement = (double)equal / (double)count;
    row->mcnemar_p = llmc_quality_mcnemar(row->texts_gained, row->texts_lost);
    if (model->probabilities && teacher->probabilities)
        row->teacher_divergence = llmc_quality_divergence(teacher->probabilities, model->probabilities, count, labels);
}

llmc_status llmc_quality_fill(struct llmc_report_row *row, const struct llmc_answers *model,
                              const struct llmc_answers *teacher, const int32_t *label, int64_t count, int32_t labels)
{
    int64_t *confusion = NULL;
    llmc_status status = llmc_alloc(&confusion, (size_t)labels * (size_t)labels, sizeof *confusion);
    if (status != LLMC_OK)
        return status;
    for (int64_t i = 0; i < count; i++)
        confusion[(int64_t)label[i] * labels + model->answers[i]]++;
    row->dev_accuracy = llmc_task_single_label.measures[0].of(confusion, labels);
    row->accuracy_deviation = llmc_quality_deviation(row->dev_accuracy, count);
    row->dev_f1 = llmc_task_single_label.measures[1].of(confusion, labels);
    if (model->probabilities)
        row->calibration_error = llmc_quality_calibration_error(model, label, count, labels);
    if (teacher)
        compare(row, model, teacher, label, count, labels);
    free(confusion);
    return LLMC_OK;
}
