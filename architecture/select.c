#include "architecture/select.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static llmc_status check_places(const char *what, int32_t layer, const int32_t *places, int32_t count, int32_t there)
{
    for (int32_t i = 0; i < count; i++) {
        if (places[i] >= 0 && places[i] < there)
            continue;
        llmc_status status = llmc_error(LLMC_ERR_FORMAT, "there is no %s %d to select; allowed are 0 to %d", what,
                                        places[i], there - 1);
        return layer < 0 ? status : llmc_error_prefix(status, "layer %d", layer);
    }
    return LLMC_OK;
}

llmc_status llmc_select_architecture(const struct llmc_selection *selection, const struct llmc_architecture *from,
                                     struct llmc_architecture *to)
{
    llmc_status status = LLMC_OK;
    *to = *from;
    if (selection->words) {
        LLMC_TRY(check_places("word", -1, selection->words, selection->word_count, from->vocabulary));
        to->vocabulary = selection->word_count;
    }
    if (selection->layers) {
        to->layers = selection->layer_count;
        memset(to->layer, 0, sizeof to->layer);
    }
    for (int32_t i = 0; selection->layers && i < selection->layer_count && i < LLMC_LAYERS_MAX; i++) {
        const struct llmc_layer_selection *layer = &selection->layers[i];
        LLMC_TRY(check_places("layer", -1, &layer->from, 1, from->layers));
        const struct llmc_layer_shape *shape = &from->layer[layer->from];
        LLMC_TRY(check_places("head", layer->from, layer->heads, layer->heads ? layer->head_count : 0, shape->heads));
        LLMC_TRY(check_places("neuron", layer->from, layer->neurons, layer->neurons ? layer->neuron_count : 0,
                              shape->ffn));
        to->layer[i].heads = layer->heads ? layer->head_count : shape->heads;
        to->layer[i].ffn = layer->neurons ? layer->neuron_count : shape->ffn;
    }
    LLMC_TRY(llmc_architecture_check(to));
exit:
    return status;
}

/* Rows or columns that are selected: block i of the new ones, `width` of them, is block places[i] of the old. */
struct places {
    const int32_t *places; /* NULL: all */
    int64_t width;
};

static int64_t old_place(const struct places *places, int64_t i)
{
    return places->places ? places->places[i / places->width] * places->width + i % places->width : i;
}

static struct places places_of(const struct llmc_selection *selection, const struct llmc_architecture *to,
                               int32_t new_layer, enum llmc_extent extent)
{
    const struct llmc_layer_selection *layer =
        selection->layers && new_layer >= 0 && new_layer < to->layers ? &selection->layers[new_layer] : NULL;
    switch (extent) {
    case LLMC_EXTENT_VOCABULARY: return (struct places){selection->words, 1};
    case LLMC_EXTENT_ATTENTION: return (struct places){layer ? layer->heads : NULL, to->head_width};
    case LLMC_EXTENT_FFN: return (struct places){layer ? layer->neurons : NULL, 1};
    default: return (struct places){NULL, 1};
    }
}

/* The old parameter that the new one at `index` is made of. */
static int32_t old_parameter(const struct llmc_selection *selection, const struct llmc_architecture *from,
                             const struct llmc_architecture *to, int32_t index)
{
    int32_t new_layer;
    llmc_parameter_row(to, index, &new_layer);
    if (new_layer < 0)
        return index;
    int32_t layer = new_layer == to->layers ? from->layers
                    : selection->layers     ? selection->layers[new_layer].from
                                            : new_layer;
    return index + llmc_layer_parameter(layer, 0) - llmc_layer_parameter(new_layer, 0);
}

void llmc_select_numbers(const struct llmc_parameters *to, const struct llmc_parameters *from,
                         const struct llmc_selection *selection, bool dense, size_t nbytes, const void *source,
                         void *target)
{
    const struct llmc_architecture *a = &to->architecture;
    for (int32_t i = dense ? LLMC_WORDS + 1 : LLMC_WORDS; i < to->count; i++) {
        const struct llmc_parameter *new = &to->table[i];
        const struct llmc_parameter *old = &from->table[old_parameter(selection, &from->architecture, a, i)];
        int32_t layer;
        const struct llmc_parameter_row *row = llmc_parameter_row(a, i, &layer);
        struct places rows = places_of(selection, a, layer, row->rows), cols = places_of(selection, a, layer, row->cols);
        int64_t run = cols.places ? cols.width : new->cols; /* numbers that stay side by side */
        const char *in = (const char *)source + (size_t)(old->offset - (dense ? from->dense_begin : 0)) * nbytes;
        char *out = (char *)target + (size_t)(new->offset - (dense ? to->dense_begin : 0)) * nbytes;
        for (int64_t r = 0; r < new->rows; r++)
            for (int64_t c = 0; c < new->cols; c += run)
                memcpy(out + (size_t)(r * new->cols + c) * nbytes,
                       in + (size_t)(old_place(&rows, r) * old->cols + old_place(&cols, c)) * nbytes,
                       (size_t)run * nbytes);
    }
}

void llmc_select_steps(const struct llmc_parameters *to, const struct llmc_parameters *from,
                       const struct llmc_selection *selection, const float *source, float *target)
{
    const struct llmc_architecture *a = &to->architecture;
    for (int32_t i = 0; i < to->count; i++) {
        const struct llmc_parameter *new = &to->table[i];
        const struct llmc_parameter *old = &from->table[old_parameter(selection, &from->architecture, a, i)];
        int32_t layer;
        const struct llmc_parameter_row *kind = llmc_parameter_row(a, i, &layer);
        struct places rows = places_of(selection, a, layer, kind->rows);
        for (int64_t row = 0; new->step >= 0 && row < new->rows; row++)
            target[new->step + row] = source[old->step + old_place(&rows, row)];
    }
}

llmc_status llmc_parameters_select(struct llmc_parameters *to, const struct llmc_parameters *from,
                                   const struct llmc_selection *selection)
{
    llmc_status status = LLMC_OK;
    struct llmc_architecture architecture;
    memset(to, 0, sizeof *to);
    LLMC_TRY(llmc_select_architecture(selection, &from->architecture, &architecture));
    LLMC_TRY(llmc_parameters_init(to, &architecture));
    for (int32_t i = 0; i < to->count; i++)
        to->table[i].bits = from->table[old_parameter(selection, &from->architecture, &architecture, i)].bits;
    llmc_select_numbers(to, from, selection, false, sizeof *to->values, from->values, to->values);
    if (from->mask) {
        LLMC_TRY(llmc_parameters_make_mask(to));
        llmc_select_numbers(to, from, selection, true, sizeof *to->mask, from->mask, to->mask);
    }
    if (from->steps) {
        LLMC_TRY(llmc_parameters_make_steps(to));
        llmc_select_steps(to, from, selection, from->steps, to->steps);
    }
exit:
    if (status != LLMC_OK)
        llmc_parameters_release(to);
    return status;
}
