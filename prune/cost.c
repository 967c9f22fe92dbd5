#include "prune/cost.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static llmc_status init_layer(struct llmc_layer_costs *costs, int32_t heads_max, int32_t neurons_max)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_alloc(&costs->heads, (size_t)heads_max + 1, sizeof *costs->heads));
    LLMC_TRY(llmc_alloc(&costs->neurons, (size_t)neurons_max + 1, sizeof *costs->neurons));
exit:
    return status;
}

llmc_status llmc_costs_init(struct llmc_costs *costs, const struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    struct llmc_layer_shape widest = llmc_architecture_widest(architecture);
    *costs = (struct llmc_costs){.heads_max = widest.heads, .neurons_max = widest.ffn};
    LLMC_TRY(init_layer(&costs->inner, widest.heads, widest.ffn));
    LLMC_TRY(init_layer(&costs->last, widest.heads, widest.ffn));
exit:
    if (status != LLMC_OK)
        llmc_costs_release(costs);
    return status;
}

void llmc_costs_release(struct llmc_costs *costs)
{
    free(costs->inner.heads);
    free(costs->inner.neurons);
    free(costs->last.heads);
    free(costs->last.neurons);
    memset(costs, 0, sizeof *costs);
}

void llmc_costs_of_weights(struct llmc_costs *costs, const struct llmc_architecture *architecture)
{
    for (int32_t i = 0; i <= costs->heads_max; i++)
        costs->inner.heads[i] = costs->last.heads[i] = 4.0 * architecture->hidden * architecture->head_width * i;
    for (int32_t i = 0; i <= costs->neurons_max; i++)
        costs->inner.neurons[i] = costs->last.neurons[i] = 2.0 * architecture->hidden * i;
}

double llmc_cost_of_layer(const struct llmc_layer_costs *costs, struct llmc_layer_shape shape)
{
    return costs->heads[shape.heads] + costs->neurons[shape.ffn];
}

double llmc_cost_of(const struct llmc_costs *costs, const struct llmc_architecture *architecture)
{
    int32_t last = architecture->layers - 1;
    double sum = llmc_cost_of_layer(&costs->last, architecture->layer[last]);
    for (int32_t i = 0; i < last; i++)
        sum += llmc_cost_of_layer(&costs->inner, architecture->layer[i]);
    return sum;
}

double llmc_cost_least(const struct llmc_costs *costs, const struct llmc_architecture *architecture)
{
    int32_t widest = llmc_architecture_widest(architecture).ffn;
    int32_t neurons = widest < LLMC_NEURON_GROUP ? widest : LLMC_NEURON_GROUP;
    return llmc_cost_of_layer(&costs->last, (struct llmc_layer_shape){1, neurons});
}
