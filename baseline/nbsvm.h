/*
 * NBSVM (Wang and Manning, "Baselines and Bigrams", 2012): what counts of words and a linear model reach on the same
 * texts, so that a user sees when no network is needed.
 *
 * A text is the set of its word pieces and pairs of neighbouring pieces. Each label has its own weights: the logarithm of
 * how much more often a feature stands in texts of the label than in others (add-one smoothing), times the weights of a
 * linear SVM on features that are scaled by it. The SVM (L2 loss, C = 1) is trained by dual coordinate descent (Hsieh et
 * al., 2008); its weights are interpolated with their mean magnitude by 0.25, as in the paper. Of two labels one has
 * weights, the other has score 0.
 */
#ifndef LLMC_BASELINE_NBSVM_H
#define LLMC_BASELINE_NBSVM_H

#include "base/status.h"
#include "text/dataset.h"

struct llmc_nbsvm {
    int32_t labels;
    int32_t columns;   /* labels with weights: 1 of two labels, else all */
    int64_t features;
    uint64_t *ngrams;  /* [features] rising; llmc_nbsvm_ngram */
    float *weights;    /* [features, columns] */
    float *bias;       /* [columns] */
};

/* The number of a piece (second < 0) or of a pair of pieces, in a first (type 0) or second text. */
uint64_t llmc_nbsvm_ngram(int32_t first, int32_t second, uint8_t type);

/* Trains on the labelled rows of `data`. The same numbers for any number of threads. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_nbsvm_train(struct llmc_nbsvm *model, const struct llmc_dataset *data, int32_t labels, uint64_t seed);
void llmc_nbsvm_release(struct llmc_nbsvm *model); /* an empty one is fine */

/* answers [data->count]: the label with the highest score, the first of equals. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_nbsvm_predict(const struct llmc_nbsvm *model, const struct llmc_dataset *data, int32_t *answers);

#endif
