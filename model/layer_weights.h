/* What forward and backward share about one layer and one pass. Inside model/ only. */
#ifndef LLMC_MODEL_LAYER_WEIGHTS_H
#define LLMC_MODEL_LAYER_WEIGHTS_H

#include "model/bert.h"

/* The head's weights, [H, H] and [L, H]. */
struct llmc_operand llmc_pooler_weight(const struct llmc_bert *model);
struct llmc_operand llmc_classifier_weight(const struct llmc_bert *model);

/* The projection of a word embedding in factors, [H, rank]. */
struct llmc_operand llmc_projection_weight(const struct llmc_bert *model);

/* How the rows of parameter `index` are rounded. */
struct llmc_rounding llmc_bert_rounding(const struct llmc_parameters *parameters, int32_t index);

/* Places that drop out, told apart in a step by layer and one of these. */
enum llmc_dropout_place {
    LLMC_DROPOUT_ATTENTION,
    LLMC_DROPOUT_ATTENTION_OUTPUT,
    LLMC_DROPOUT_OUTPUT,
    LLMC_DROPOUT_EMBEDDING,
    LLMC_DROPOUT_POOLED,
    LLMC_DROPOUT_PLACES,
};
struct llmc_dropout llmc_pass_dropout(const struct llmc_pass *pass, int32_t layer, enum llmc_dropout_place place);

/* The norm whose weight is parameter `index` and whose bias follows it. */
struct llmc_norm llmc_norm_at(const struct llmc_parameters *parameters, int32_t index);

/* The fake-quantised form of a linear layer's input, in `fake`'s memory; `x` itself where the input is not
 * quantised. */
struct llmc_matrix llmc_linear_input(struct llmc_bert *model, struct llmc_ops *ops, int32_t site,
                                     const struct llmc_matrix *x, const struct llmc_matrix *fake);

#endif
