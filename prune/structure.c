#include "prune/structure.h"

#include "base/memory.h"
#include "prune/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Heads or neurons of a layer, by rising importance: the first `gone` of them go. */
struct units {
    int32_t *order;          /* [count] */
    const float *importance; /* [count] by place, not by order */
    const double *costs;     /* of so many, in the layer's place */
    int32_t count, gone;
    int32_t group, least; /* a removal leaves a multiple of `group`, and at least `least` */
};

struct layer {
    struct units heads, neurons;
    bool gone;
};

/* A removal under consideration: so many units more, or, units NULL, the whole layer. */
struct piece {
    struct layer *layer;
    struct units *units;
    int32_t gone;
    double loss, saved;
    double ratio;
};

static void sort(struct units *units)
{
    /* Insertion keeps equals in their order; a few thousand numbers, nearly sorted for none. */
    for (int32_t i = 0; i < units->count; i++) {
        int32_t at = i;
        while (at > 0 && units->importance[units->order[at - 1]] > units->importance[i]) {
            units->order[at] = units->order[at - 1];
            at--;
        }
        units->order[at] = i;
    }
}

static void set_costs(struct layer *layer, const struct llmc_layer_costs *costs)
{
    layer->heads.costs = costs->heads;
    layer->neurons.costs = costs->neurons;
}

static double cost_now(const struct units *units)
{
    return units->costs[units->count - units->gone];
}

static double loss_left(const struct units *units)
{
    double loss = 0;
    for (int32_t i = units->gone; i < units->count; i++)
        loss += (double)units->importance[units->order[i]];
    return loss;
}

static void consider(struct piece *best, struct piece piece, double need)
{
    if (!(piece.saved > 0))
        return;
    piece.ratio = piece.loss / fmin(piece.saved, need);
    if (!best->layer || piece.ratio < best->ratio)
        *best = piece;
}

static void consider_units(struct piece *best, struct layer *layer, struct units *units, double need)
{
    double loss = 0;
    for (int32_t gone = units->gone + 1; units->count - gone >= units->least; gone++) {
        loss += (double)units->importance[units->order[gone - 1]];
        if ((units->count - gone) % units->group != 0)
            continue;
        struct piece piece = {layer, units, gone, loss, cost_now(units) - units->costs[units->count - gone], 0};
        consider(best, piece, need);
    }
}

static double cost_of_layer(const struct layer *layer)
{
    return cost_now(&layer->heads) + cost_now(&layer->neurons);
}

/* The layers that are left, of which the last one has costs of its own. */
struct stack {
    struct layer *layers; /* [count] */
    const struct llmc_costs *costs;
    int32_t count, left;
};

/* The layer that would be the last one without the layers from `end` on; NULL: none. */
static struct layer *last_below(const struct stack *stack, int32_t end)
{
    for (int32_t i = end - 1; i >= 0; i--) {
        if (!stack->layers[i].gone)
            return &stack->layers[i];
    }
    return NULL;
}

/* What is saved without the layer: another one may take its place as the last. */
static double saved_without(const struct stack *stack, const struct layer *layer)
{
    double saved = cost_of_layer(layer);
    if (layer == last_below(stack, stack->count)) {
        struct layer next = *last_below(stack, (int32_t)(layer - stack->layers));
        saved += cost_of_layer(&next);
        set_costs(&next, &stack->costs->last);
        saved -= cost_of_layer(&next);
    }
    return saved;
}

static struct piece best_piece(const struct stack *stack, double need)
{
    struct piece best = {0};
    for (int32_t i = 0; i < stack->count; i++) {
        struct layer *layer = &stack->layers[i];
        if (layer->gone)
            continue;
        consider_units(&best, layer, &layer->heads, need);
        consider_units(&best, layer, &layer->neurons, need);
        if (stack->left > 1)
            consider(&best,
                     (struct piece){layer, NULL, 0, loss_left(&layer->heads) + loss_left(&layer->neurons),
                                    saved_without(stack, layer), 0},
                     need);
    }
    return best;
}

static double cost_of_layers(const struct stack *stack)
{
    double cost = 0;
    for (int32_t i = 0; i < stack->count; i++)
        cost += stack->layers[i].gone ? 0 : cost_of_layer(&stack->layers[i]);
    return cost;
}

/* Removes pieces until the budget holds. */
static llmc_status remove_pieces(struct stack *stack, double budget)
{
    double cost;
    set_costs(last_below(stack, stack->count), &stack->costs->last);
    while ((cost = cost_of_layers(stack)) > budget) {
        struct piece piece = best_piece(stack, cost - budget);
        if (!piece.layer)
            return llmc_error(LLMC_ERR_CONFIG, "what cannot be removed costs %.4g, more than the budget of %.4g", cost,
                              budget);
        if (piece.units) {
            piece.units->gone = piece.gone;
        } else {
            piece.layer->gone = true, stack->left--;
            set_costs(last_below(stack, stack->count), &stack->costs->last);
        }
    }
    return LLMC_OK;
}

static int ascending(const void *left, const void *right)
{
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

/* The places that stay, in the units' own array. */
static const int32_t *kept_places(struct units *units, int32_t *count)
{
    *count = units->count - units->gone;
    qsort(units->order + units->gone, (size_t)*count, sizeof *units->order, ascending);
    return units->order + units->gone;
}

static struct units units_at(int32_t **places, const float *importance, int32_t count, int32_t group)
{
    struct units units = {*places, importance, NULL, count, 0, group, group < count ? group : count};
    *places += count;
    sort(&units);
    return units;
}

llmc_status llmc_structure_choose(struct llmc_structure *out, const struct llmc_architecture *a,
                                  const float *importance, const struct llmc_costs *costs, double budget)
{
    llmc_status status = LLMC_OK;
    struct layer *layers = NULL;
    memset(out, 0, sizeof *out);
    LLMC_TRY(llmc_alloc(&layers, (size_t)a->layers, sizeof *layers));
    LLMC_TRY(llmc_alloc(&out->places, (size_t)llmc_importance_count(a), sizeof *out->places));
    int32_t *places = out->places;
    for (int32_t i = 0; i < a->layers; i++) {
        const float *numbers = importance + llmc_importance_place(a, i);
        layers[i].heads = units_at(&places, numbers, a->layer[i].heads, 1);
        layers[i].neurons = units_at(&places, numbers + a->layer[i].heads, a->layer[i].ffn, LLMC_NEURON_GROUP);
        set_costs(&layers[i], &costs->inner);
    }
    LLMC_TRY(remove_pieces(&(struct stack){layers, costs, a->layers, a->layers}, budget));
    for (int32_t i = 0; i < a->layers; i++) {
        struct llmc_layer_selection *layer = &out->layers[out->selection.layer_count];
        if (layers[i].gone)
            continue;
        layer->from = i;
        layer->heads = kept_places(&layers[i].heads, &layer->head_count);
        layer->neurons = kept_places(&layers[i].neurons, &layer->neuron_count);
        out->selection.layer_count++;
    }
    out->selection.layers = out->layers;
exit:
    free(layers);
    if (status != LLMC_OK)
        llmc_structure_release(out);
    return status;
}

void llmc_structure_release(struct llmc_structure *structure)
{
    free(structure->places);
    memset(structure, 0, sizeof *structure);
}
