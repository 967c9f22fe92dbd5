/*
 * How good answers are beyond their accuracy, and whether they differ from the teacher's by more than chance.
 *
 *     deviation     of an accuracy p over n texts: sqrt(p (1 - p) / n), one standard deviation of the binomial
 *     calibration   expected calibration error (Guo et al., 2017): over 15 bins of the winning probability, the mean
 *                   distance between that probability and the share of right answers, weighted by texts
 *     divergence    mean Kullback-Leibler divergence KL(teacher || model) of the probabilities, in nats
 *     McNemar       of the texts on which just one of two models is right, the exact two-sided binomial probability that
 *                   chance splits them so unevenly (McNemar, 1947)
 */
#ifndef LLMC_REPORT_QUALITY_H
#define LLMC_REPORT_QUALITY_H

#include "base/status.h"
#include "report/report.h"

/* Answers to the same texts. All of it borrowed. */
struct llmc_answers {
    const int32_t *answers;     /* [count] */
    const float *probabilities; /* [count, labels]; NULL: not known */
};

/* Fills what the row says of quality: accuracy, deviation, F1, calibration; and with a teacher agreement, divergence and
 * McNemar's test. Figures that are not known stay as they are. label [count]: the true ones. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_quality_fill(struct llmc_report_row *row, const struct llmc_answers *model,
                              const struct llmc_answers *teacher, const int32_t *label, int64_t count, int32_t labels);

double llmc_quality_deviation(double accuracy, int64_t count);
double llmc_quality_calibration_error(const struct llmc_answers *model, const int32_t *label, int64_t count,
                                      int32_t labels);

/* Probabilities below 1e-7, about what FP32 tells from 0 beside 1, count as that. */
double llmc_quality_divergence(const float *teacher, const float *model, int64_t count, int32_t labels);

/* `gained` texts only the model has right, `lost` only the other; 1 where there are none. */
double llmc_quality_mcnemar(int64_t gained, int64_t lost);

#endif
