/*
 * Training against the teacher's logits: the loss and its keys, for every stage that learns from the teacher.
 *
 *     loss = (1 - w) * distance(logits, teacher's logits) + w * cross-entropy with the labels
 *
 * The distance is the mean squared error of logits, or Kullback-Leibler at a temperature (Hinton et al., 2015).
 */
#ifndef LLMC_DISTILL_AGAINST_TEACHER_H
#define LLMC_DISTILL_AGAINST_TEACHER_H

#include "stage/training.h"

enum llmc_distill_distance { LLMC_DISTANCE_KL, LLMC_DISTANCE_MSE };

struct llmc_distill_settings {
    enum llmc_distill_distance loss;
    double temperature;          /* of kl */
    double cross_entropy_weight; /* w */
};
extern const char *const llmc_distill_distances[];
#define LLMC_DISTILL_KEYS(struct_, field_)                                                                              \
    LLMC_KEY_ONE_OF("loss", struct_, field_.loss, llmc_distill_distances, "mse", "distance to the teacher's logits")    \
    LLMC_KEY_ABOVE("temperature", struct_, field_.temperature, NUMBER, "1", 0, 100, "of the kl loss")                   \
    LLMC_KEY("cross_entropy_weight", struct_, field_.cross_entropy_weight, NUMBER, "0", 0, 1,                           \
             "w in (1-w) * loss + w * cross-entropy with the labels")

/* The loss of a train stage whose loss_settings are a struct llmc_distill_settings. */
extern const struct llmc_train_loss llmc_distill_loss;

#endif
