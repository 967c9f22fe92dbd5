/*
 * Parts of a model as a model of its own: chosen layers, in each of them chosen heads and ffn neurons, and chosen rows
 * of the word embedding, all in any order. What a stage removes (heads, neurons, layers, words) is left out of a
 * selection, and everything that lies as the parameters do (masks, moments of an optimiser) follows the same selection.
 */
#ifndef LLMC_ARCHITECTURE_SELECT_H
#define LLMC_ARCHITECTURE_SELECT_H

#include "architecture/parameters.h"

#include <stddef.h>

/* Layer `from` of the old model. NULL: all of its heads; all of its neurons (numbers between its feed-forward layers). */
struct llmc_layer_selection {
    int32_t from;
    const int32_t *heads; /* [head_count] */
    int32_t head_count;
    const int32_t *neurons; /* [neuron_count] */
    int32_t neuron_count;
};

/* The new model's parts by their places in the old one; zeroed: all of them. Borrowed. */
struct llmc_selection {
    const struct llmc_layer_selection *layers; /* [layer_count] from the first new layer on; NULL: all, whole */
    int32_t layer_count;
    const int32_t *words; /* [word_count] rows of the word embedding; NULL: all */
    int32_t word_count;
};

/* *to = the shape of the selected parts. Errors: LLMC_ERR_FORMAT: a part that `from` does not have, a layer without heads
 * or neurons, no layer, no word. */
llmc_status llmc_select_architecture(const struct llmc_selection *selection, const struct llmc_architecture *from,
                                     struct llmc_architecture *to);

/* Makes `to` of the selected parts of `from`: values, masks, bits, steps, and whatever else a parameter carries. Errors: as
 * above, LLMC_ERR_MEMORY; `to` is empty then. The caller releases `to`. */
llmc_status llmc_parameters_select(struct llmc_parameters *to, const struct llmc_parameters *from,
                                   const struct llmc_selection *selection);

/* The same for other numbers that lie as the values do, `nbytes` bytes each: source [from->total] into target [to->total];
 * dense: without those of the word embedding, both arrays begin at dense_begin. `to` was selected from `from`. Padding in
 * the target is left as it is. */
void llmc_select_numbers(const struct llmc_parameters *to, const struct llmc_parameters *from,
                         const struct llmc_selection *selection, bool dense, size_t nbytes, const void *source,
                         void *target);

/* The same for numbers that lie as the steps do: source [from->step_count] into target [to->step_count]. */
void llmc_select_steps(const struct llmc_parameters *to, const struct llmc_parameters *from,
                       const struct llmc_selection *selection, const float *source, float *target);

#endif
