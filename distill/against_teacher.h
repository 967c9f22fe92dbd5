/*
 * Training against the teacher: the loss and its keys, for every stage that learns from it.
 *
 *     loss = logits_weight * ((1 - w) * distance(logits, teacher's logits) + w * cross-entropy with the labels)
 *            + losses beyond the logits (features.h)
 *
 * Two stages of one kind make phases, as of TinyBERT: the first with logits_weight 0. The distance is the mean squared error of logits, or Kullback-Leibler at a temperature (Hinton et al., 2015).
 */
#ifndef LLMC_DISTILL_AGAINST_TEACHER_H
#define LLMC_DISTILL_AGAINST_TEACHER_H

#include "distill/features.h"
#include "stage/training.h"

enum llmc_distill_distance { LLMC_DISTANCE_KL, LLMC_DISTANCE_MSE };

struct llmc_distill_settings {
    enum llmc_distill_distance loss;
    double temperature;          /* of kl */
    double cross_entropy_weight; /* w */
    double logits_weight;
    struct llmc_feature_settings features;
};
extern const char *const llmc_distill_distances[];
#define LLMC_DISTILL_KEYS(struct_, field_)                                                                              \
    LLMC_KEY_ONE_OF("loss", struct_, field_.loss, llmc_distill_distances, "mse", "distance to the teacher's logits")    \
    LLMC_KEY_ABOVE("temperature", struct_, field_.temperature, NUMBER, "1", 0, 100, "of the kl loss")                   \
    LLMC_KEY("cross_entropy_weight", struct_, field_.cross_entropy_weight, NUMBER, "0", 0, 1,                           \
             "w in (1-w) * loss + w * cross-entropy with the labels")                                                   \
    LLMC_KEY("logits_weight", struct_, field_.logits_weight, NUMBER, "1", 0, 1e6,                                       \
             "of all that compares logits or labels; 0: a phase with the losses below alone")                           \
    LLMC_KEY("hidden_weight", struct_, field_.features.hidden_weight, NUMBER, "0", 0, 1e6,                              \
             "of the squared error of hidden states behind a learned projection; the teacher answers every batch")      \
    LLMC_KEY("embedding_weight", struct_, field_.features.embedding_weight, NUMBER, "0", 0, 1e6,                        \
             "of the same for the output of the embeddings")                                                            \
    LLMC_KEY("relations_weight", struct_, field_.features.relations_weight, NUMBER, "0", 0, 1e6,                        \
             "of the relations between queries, keys and values in the last layer (MiniLMv2)")                          \
    LLMC_KEY("teacher_layers", struct_, field_.features.teacher_layers, INTS, "[]", -1, LLMC_INT_LIST_MAX - 1,          \
             "teacher layers whose hidden states each layer follows, -1: none; []: those before the next copied one")   \
    LLMC_KEY("relation_layer", struct_, field_.features.relation_layer, INT, "-1", -1, LLMC_INT_LIST_MAX - 1,           \
             "teacher layer whose relations the last one follows; -1: the last")                                        \
    LLMC_KEY("relation_heads", struct_, field_.features.relation_heads, INT, "0", 0, 8192,                              \
             "into which queries, keys and values are divided; 0: the teacher's attention heads, or the most "          \
             "below that fit both")

/* Refuses before the first stage of a run what `settings` cannot do for the student that the configuration describes.
 * Errors: LLMC_ERR_CONFIG. */
llmc_status llmc_distill_check(const struct llmc_stage_work *work, const struct llmc_distill_settings *settings);

/* The loss of a train stage whose loss_settings are a struct llmc_distill_settings. */
extern const struct llmc_train_loss llmc_distill_loss;

#endif
