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
    const double *costs;     /* of so many */
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

static struct piece best_piece(struct layer *layers, int32_t count, int32_t left, double need)
{
    struct piece best = {0};
    for (int32_t i = 0; i < count; i++) {
        struct layer *layer = &layers[i];
        if (layer->gone)
            continue;
        consider_units(&best, layer, &layer->heads, need);
        consider_units(&best, layer, &layer->neurons, need);
        if (left > 1)
            consider(&best,
                     (struct piece){layer, NULL, 0, loss_left(&layer->heads) + loss_left(&layer->neurons),
                                    cost_now(&layer->heads) + cost_now(&layer->neurons), 0},
                     need);
    }
    return best;
}

static double cost_of_layers(const struct layer *layers, int32_t count)
{
    double cost = 0;
    for (int32_t i = 0; i < count; i++)
        cost += layers[i].gone ? 0 : cost_now(&layers[i].heads) + cost_now(&layers[i].neurons);
    return cost;
}

/* Removes pieces until the budget holds. */
static llmc_status remove_pieces(struct layer *layers, int32_t count, double budget)
{
    int32_t left = count;
    double cost;
    while ((cost = cost_of_layers(layers, count)) > budget) {
        struct piece piece = best_piece(layers, count, left, cost - budget);
        if (!piece.layer)
            return llmc_error(LLMC_ERR_CONFIG, "what cannot be removed costs %.4g, more than the budget of %.4g", cost,
                              budget);
        if (piece.units)
            piece.units->gone = piece.gone;
        else
            piece.layer->gone = true, left--;
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

static struct units units_at(int32_t **places, const float *importance, const double *costs, int32_t count,
                             int32_t group)
{
    struct units units = {*places, importance, costs, count, 0, group, group < count ? group : count};
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
        layers[i].heads = units_at(&places, numbers, costs->heads, a->layer[i].heads, 1);
        layers[i].neurons =
            units_at(&places, numbers + a->layer[i].heads, costs->neurons, a->layer[i].ffn, LLMC_NEURON_GROUP);
    }
    LLMC_TRY(remove_pieces(layers, a->layers, budget));
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
