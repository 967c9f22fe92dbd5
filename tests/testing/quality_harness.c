/* Measures of answers and the baseline, for reference tests. */
#include "baseline/nbsvm.h"
#include "report/quality.h"

#include <string.h>

/* figures [8]: accuracy, deviation, F1, agreement, divergence, calibration, p, gained - lost */
int harness_quality(const int32_t *answers, const float *probabilities, const int32_t *teacher,
                    const float *teacher_probabilities, const int32_t *label, int64_t count, int32_t labels, double *figures);
int harness_nbsvm(int64_t *offsets, int32_t *ids, uint8_t *types, int32_t *label, int64_t count, int64_t train_count,
                  int32_t labels, int32_t *answers);

int harness_quality(const int32_t *answers, const float *probabilities, const int32_t *teacher,
                    const float *teacher_probabilities, const int32_t *label, int64_t count, int32_t labels, double *figures)
{
    struct llmc_report_row row;
    const struct llmc_answers model = {answers, probabilities}, other = {teacher, teacher_probabilities};
    llmc_report_row_clear(&row);
    llmc_status status = llmc_quality_fill(&row, &model, &other, label, count, labels);
    const double all[8] = {row.dev_accuracy, row.accuracy_deviation, row.dev_f1, row.teacher_agreement,
                           row.teacher_divergence, row.calibration_error, row.mcnemar_p,
                           (double)(row.texts_gained - row.texts_lost)};
    memcpy(figures, all, sizeof all);
    return (int)status;
}

/* Trains on the first `train_count` rows and answers all. */
int harness_nbsvm(int64_t *offsets, int32_t *ids, uint8_t *types, int32_t *label, int64_t count, int64_t train_count,
                  int32_t labels, int32_t *answers)
{
    struct llmc_nbsvm model;
    struct llmc_dataset data = {.count = (size_t)train_count, .offsets = offsets, .ids = ids, .types = types, .label = label};
    for (int64_t i = 0; i < count; i++)
        if (offsets[i + 1] - offsets[i] > data.tokens_max)
            data.tokens_max = (int32_t)(offsets[i + 1] - offsets[i]);
    llmc_status status = llmc_nbsvm_train(&model, &data, labels, 1);
    if (status != LLMC_OK)
        return (int)status;
    data.count = (size_t)count;
    status = llmc_nbsvm_predict(&model, &data, answers);
    llmc_nbsvm_release(&model);
    return (int)status;
}
