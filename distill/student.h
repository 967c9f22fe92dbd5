/*
 * The student: its shape, and what it takes over from the teacher (as DistilBERT,
 * Sanh et al., 2019, starts from every other layer).
 */
#ifndef LLMC_DISTILL_STUDENT_H
#define LLMC_DISTILL_STUDENT_H

#include "base/status.h"
#include "architecture/parameters.h"
#include "config/config.h"
#include "distill/projected_start.h"

struct llmc_student_shape {
    /* hidden, ffn, heads 0: the teacher's, those of the layer that is copied; the largest where none is. A smaller hidden
     * with from_layers: those layers projected (projected_start.h), with all their heads; a smaller ffn: the neurons of
     * the largest weights. */
    int32_t layers, hidden, ffn, heads;
    int32_t positions;                  /* the longest text in tokens; at most the teacher's */
    const int32_t *from_layers;         /* [layers] teacher layers to start from; NULL: random layers */
};

/* What the configuration says of it. Borrows. */
struct llmc_student_shape llmc_student_shape_of(const struct llmc_config *config);

/* *out = what a student of this shape is. Errors: LLMC_ERR_CONFIG (a layer that the teacher does not have;
 * from_layers with other shapes; heads that do not divide hidden). */
llmc_status llmc_student_architecture(struct llmc_architecture *out, const struct llmc_architecture *teacher,
                                      const struct llmc_student_shape *shape);

/* Makes the student's parameters. Embeddings, pooler and classifier are the teacher's where `hidden` is the
 * same; layers are copied from `from_layers`, projected as `projected` says where `hidden` is smaller; the rest is random by
 * `seed`. Errors: LLMC_ERR_CONFIG as above, LLMC_ERR_MEMORY, those of llmc_projected_start. */
llmc_status llmc_student_init(struct llmc_parameters *student, const struct llmc_parameters *teacher,
                              const struct llmc_student_shape *shape, uint64_t seed,
                              const struct llmc_projected_start *projected);

#endif
