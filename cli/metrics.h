/* How good answers are: figures from a table of what was right and what was said. */
#ifndef LLMC_CLI_METRICS_H
#define LLMC_CLI_METRICS_H

#include <stdint.h>

/* confusion [labels, labels]: row the true label, column the predicted one.
 * Fraction of all texts on the diagonal; 0 without texts. */
double llmc_metrics_accuracy(const int64_t *confusion, int32_t labels);

/* Of two labels the F1 of label 1; of more the mean over the labels (macro).
 * A label that is neither there nor predicted counts as 0, as in scikit-learn. */
double llmc_metrics_f1(const int64_t *confusion, int32_t labels);

#endif
