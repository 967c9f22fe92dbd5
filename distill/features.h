/*
 * Losses beyond the logits: a student follows its teacher's hidden states, embedding output and attention relations, mixed
 * by weights (hidden.h, relations.h have the papers).
 *
 * The teacher answers every batch anew, in the number format of the run and without dropout: its features are too many to
 * keep. So both must see the same tokens: after a stage that gives the student another tokenizer this is refused.
 *
 * The projections train with the model, in one clipping and one AdamW, and end with the stage. The student's layers are as
 * many as when the stage began; their heads and widths may change on the way.
 */
#ifndef LLMC_DISTILL_FEATURES_H
#define LLMC_DISTILL_FEATURES_H

#include "stage/training.h"

struct llmc_feature_settings {
    double hidden_weight, embedding_weight, relations_weight; /* 0: without */
    struct llmc_int_list teacher_layers; /* [student's layers] whose output each of them follows, -1: none; empty: below */
    int32_t relation_layer;              /* of the teacher, for the student's last; -1: its last */
    int32_t relation_heads;              /* 0: the attention heads of the teacher's layer, or the most below that fit both */
};

/* Without teacher_layers, a student's layer follows the teacher's that stood before the next one that the student has a
 * copy of, and the last follows the last: of from_layers [0, 2, 4], layers 1, 3, 5 of six. Without copies, or where layers
 * were removed since, layer l of M follows (l + 1) N / M - 1 of N (TinyBERT: Jiao et al., 2020). */

/* Whether any weight is above 0. */
bool llmc_features_wanted(const struct llmc_feature_settings *settings);

/* Errors: LLMC_ERR_CONFIG with key and allowed values, where `student` cannot follow `teacher` so. */
llmc_status llmc_features_check(const struct llmc_feature_settings *settings, const struct llmc_architecture *teacher,
                                const struct llmc_architecture *student);

/* Loads the teacher, gives train->training its taps and projections. The settings are borrowed. Errors: as above, those of
 * the teacher's checkpoint; *features is then NULL. */
struct llmc_features;
llmc_status llmc_features_open(struct llmc_features **features, struct llmc_train_stage *train,
                               const struct llmc_feature_settings *settings);
void llmc_features_close(struct llmc_features **features); /* NULL inside is fine */

/* Adds the losses of a batch to *loss, and leaves their gradients in the taps and beside the model. Errors: LLMC_ERR_CONFIG
 * (the student lost layers, or widths that relation_heads divides), LLMC_ERR_MEMORY, LLMC_ERR_TORCH. */
llmc_status llmc_features_run(struct llmc_features *features, const struct llmc_loss_input *input, double *loss);

#endif
