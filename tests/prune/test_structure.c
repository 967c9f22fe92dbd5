/* Structured pruning: what goes under a budget, against plain searches; costs; what a selection keeps. */
#include "tests/base/test_support.h"

#include "base/random.h"
#include "prune/importance.h"
#include "prune/structure.h"

#include <math.h>

static const struct llmc_architecture shape = {40, 12, 2, 16, 4, 3, LLMC_GELU, 1e-12f, 3, {{4, 96}, {2, 64}, {4, 40}}, 0};

enum { NUMBERS = 1 + 4 + 96 + 2 + 64 + 4 + 40 };

static void make_importance(float *importance, uint32_t seed)
{
    assert_int_equal(llmc_importance_count(&shape), NUMBERS);
    importance[0] = 3;
    for (int32_t i = 1; i < NUMBERS; i++)
        importance[i] = (float)(llmc_random_u32(seed, (uint32_t)i) / 4294967296.0);
}

static void make_weights(struct llmc_costs *costs)
{
    assert_ok(llmc_costs_init(costs, &shape));
    llmc_costs_of_weights(costs, &shape);
}

static void test_costs(void **state)
{
    (void)state;
    struct llmc_costs costs;
    make_weights(&costs);
    assert_true(llmc_cost_of_layer(&costs.inner, shape.layer[0]) == 4 * 16 * 16 + 2 * 16 * 96);
    assert_true(llmc_cost_of(&costs, &shape) == 4 * 16 * 4 * 10 + 2 * 16 * 200);
    assert_true(llmc_cost_least(&costs, &shape) == 4 * 16 * 4 + 2 * 16 * LLMC_NEURON_GROUP);
    llmc_costs_release(&costs);
    llmc_costs_release(&costs);
}

static bool kept(const int32_t *places, int32_t count, int32_t place)
{
    for (int32_t i = 0; i < count; i++)
        if (places[i] == place)
            return true;
    return false;
}

/* No unit that went is more important than one of its kind that stayed; places rise. */
static void check_order(const int32_t *places, int32_t count, const float *importance, int32_t all)
{
    float least = INFINITY;
    for (int32_t i = 0; i < count; i++) {
        assert_true(i == 0 || places[i] > places[i - 1]);
        least = fminf(least, importance[places[i]]);
    }
    for (int32_t i = 0; i < all; i++)
        assert_true(kept(places, count, i) || importance[i] <= least);
}

static void test_budgets_hold(void **state)
{
    (void)state;
    static const double shares[] = {1, 0.999, 0.9, 0.6, 0.4, 0.25, 0.15};
    float importance[NUMBERS];
    struct llmc_costs costs;
    make_weights(&costs);
    double whole = llmc_cost_of(&costs, &shape), largest = costs.inner.neurons[LLMC_NEURON_GROUP];
    for (uint32_t seed = 1; seed <= 20; seed++) {
        make_importance(importance, seed);
        for (size_t s = 0; s < COUNT_OF(shares); s++) {
            struct llmc_structure structure;
            struct llmc_architecture a;
            assert_ok(llmc_structure_choose(&structure, &shape, importance, &costs, shares[s] * whole));
            assert_ok(llmc_select_architecture(&structure.selection, &shape, &a));
            double cost = llmc_cost_of(&costs, &a);
            assert_true(cost <= shares[s] * whole);
            if (a.layers == shape.layers) /* the last piece was a head or a group of neurons */
                assert_true(cost > shares[s] * whole - largest);
            for (int32_t i = 0; i < a.layers; i++) {
                const struct llmc_layer_selection *layer = &structure.selection.layers[i];
                const float *numbers = importance + llmc_importance_place(&shape, layer->from);
                struct llmc_layer_shape old = shape.layer[layer->from];
                check_order(layer->heads, layer->head_count, numbers, old.heads);
                check_order(layer->neurons, layer->neuron_count, numbers + old.heads, old.ffn);
                assert_true(layer->neuron_count == old.ffn || layer->neuron_count % LLMC_NEURON_GROUP == 0);
                assert_true(i == 0 || layer->from > layer[-1].from);
            }
            llmc_structure_release(&structure);
        }
    }
    llmc_costs_release(&costs);
}

/* A layer without importance goes whole; the last one stays. */
static void test_whole_layers(void **state)
{
    (void)state;
    float importance[NUMBERS];
    struct llmc_costs costs;
    struct llmc_structure structure;
    struct llmc_architecture a;
    make_weights(&costs);
    make_importance(importance, 1);
    for (int64_t i = llmc_importance_place(&shape, 1); i < llmc_importance_place(&shape, 2); i++)
        importance[i] = 0;
    double cost = llmc_cost_of(&costs, &shape), layer = llmc_cost_of_layer(&costs.inner, shape.layer[1]);
    assert_ok(llmc_structure_choose(&structure, &shape, importance, &costs, cost - layer));
    assert_int_equal(structure.selection.layer_count, 2);
    assert_true(structure.layers[0].from == 0 && structure.layers[1].from == 2);
    assert_true(structure.layers[0].head_count == 4 && structure.layers[1].neuron_count == 40);
    llmc_structure_release(&structure);
    assert_ok(llmc_structure_choose(&structure, &shape, importance, &costs, llmc_cost_least(&costs, &shape)));
    assert_ok(llmc_select_architecture(&structure.selection, &shape, &a));
    assert_true(a.layers == 1 && a.layer[0].heads == 1 && a.layer[0].ffn == LLMC_NEURON_GROUP);
    llmc_structure_release(&structure);
    assert_fails(llmc_structure_choose(&structure, &shape, importance, &costs, llmc_cost_least(&costs, &shape) - 1),
                 LLMC_ERR_CONFIG, "more than the budget");
    assert_null(structure.places);
    llmc_costs_release(&costs);
}

/* Where kernels work on 64 neurons at a time, 32 fewer save nothing: whole blocks go. */
static void test_steps_of_cost(void **state)
{
    (void)state;
    float importance[NUMBERS];
    struct llmc_costs costs;
    struct llmc_structure structure;
    make_weights(&costs);
    make_importance(importance, 2);
    for (int32_t i = 0; i <= costs.neurons_max; i++)
        costs.inner.neurons[i] = costs.last.neurons[i] = 1000.0 * ((i + 63) / 64);
    for (int32_t i = 0; i <= costs.heads_max; i++)
        costs.inner.heads[i] = costs.last.heads[i] = 1e-3 * i;
    assert_ok(llmc_structure_choose(&structure, &shape, importance, &costs, llmc_cost_of(&costs, &shape) - 1000));
    assert_int_equal(structure.selection.layer_count, 3);
    assert_int_equal(structure.layers[0].neuron_count, 64); /* the others have one block, and keep it */
    assert_int_equal(structure.layers[1].neuron_count + structure.layers[2].neuron_count, 104);
    llmc_structure_release(&structure);
    llmc_costs_release(&costs);
}

/* Costs of time: the last layer's neurons take next to nothing. */
static void make_times(struct llmc_costs *costs)
{
    make_weights(costs);
    for (int32_t i = 0; i <= costs->heads_max; i++)
        costs->last.heads[i] *= 0.5;
    for (int32_t i = 0; i <= costs->neurons_max; i++)
        costs->last.neurons[i] *= 0.01;
}

static void test_last_layer(void **state)
{
    (void)state;
    float importance[NUMBERS];
    struct llmc_costs costs;
    struct llmc_structure structure;
    struct llmc_architecture a;
    make_times(&costs);
    double whole = llmc_cost_of(&costs, &shape);
    for (uint32_t seed = 1; seed <= 20; seed++) {
        make_importance(importance, seed);
        for (double share = 0.9; share > 0.1; share *= 0.8) {
            assert_ok(llmc_structure_choose(&structure, &shape, importance, &costs, share * whole));
            assert_ok(llmc_select_architecture(&structure.selection, &shape, &a));
            assert_true(llmc_cost_of(&costs, &a) <= share * whole * (1 + 1e-12));
            if (share > 0.8 && a.layers == shape.layers) /* what costs next to nothing stays */
                assert_int_equal(a.layer[2].ffn, shape.layer[2].ffn);
            llmc_structure_release(&structure);
        }
    }
    /* Without the last layer, the one before takes its place, and saves as much. */
    for (int64_t i = llmc_importance_place(&shape, 2); i < NUMBERS; i++)
        importance[i] = 0;
    double saved = llmc_cost_of_layer(&costs.last, shape.layer[2]) + llmc_cost_of_layer(&costs.inner, shape.layer[1]) -
                   llmc_cost_of_layer(&costs.last, shape.layer[1]);
    assert_ok(llmc_structure_choose(&structure, &shape, importance, &costs, whole - saved * (1 - 1e-9)));
    assert_ok(llmc_select_architecture(&structure.selection, &shape, &a));
    assert_int_equal(a.layers, 2);
    assert_memory_equal(a.layer, shape.layer, 2 * sizeof *a.layer);
    llmc_structure_release(&structure);
    assert_ok(llmc_structure_choose(&structure, &shape, importance, &costs, llmc_cost_least(&costs, &shape)));
    llmc_structure_release(&structure);
    llmc_costs_release(&costs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_costs), cmocka_unit_test(test_budgets_hold),
                                       cmocka_unit_test(test_whole_layers), cmocka_unit_test(test_steps_of_cost),
                                       cmocka_unit_test(test_last_layer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
