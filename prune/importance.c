#include "prune/importance.h"

#include <math.h>

int64_t llmc_importance_place(const struct llmc_architecture *a, int32_t layer)
{
    int64_t place = 1;
    for (int32_t i = 0; i < layer; i++)
        place += a->layer[i].heads + a->layer[i].ffn;
    return place;
}

int64_t llmc_importance_count(const struct llmc_architecture *a)
{
    return llmc_importance_place(a, a->layers);
}

/* Adds to sums [cols / width], each of `width` columns of the weight at `index`. Rows in their order: the same bits for
 * any number of threads. */
static void add_gates(float *sums, const struct llmc_parameters *p, int32_t index, const float *dense, int64_t width,
                      double factor, enum llmc_importance_kind kind)
{
    const struct llmc_parameter *parameter = &p->table[index];
    const float *weight = llmc_parameter_values(p, index), *gradient = dense + (parameter->offset - p->dense_begin);
#pragma omp parallel for schedule(static)
    for (int64_t gate = 0; gate < parameter->cols / width; gate++) {
        double sum = 0;
        for (int64_t row = 0; row < parameter->rows; row++) {
            const float *w = weight + row * parameter->cols + gate * width;
            const float *g = gradient + row * parameter->cols + gate * width;
            for (int64_t i = 0; i < width; i++)
                sum += (double)w[i] * (double)g[i];
        }
        sum *= factor;
        sums[gate] += (float)(kind == LLMC_IMPORTANCE_FISHER ? sum * sum : fabs(sum));
    }
}

void llmc_importance_add(float *importance, const struct llmc_parameters *p, const struct llmc_gradients *gradients,
                         double scale, enum llmc_importance_kind kind)
{
    const struct llmc_architecture *a = &p->architecture;
    importance[0]++;
    for (int32_t layer = 0; layer < a->layers; layer++) {
        float *heads = importance + llmc_importance_place(a, layer);
        add_gates(heads, p, llmc_layer_parameter(layer, LLMC_ATTENTION_OUTPUT_WEIGHT), gradients->dense, a->head_width,
                  1 / scale, kind);
        add_gates(heads + a->layer[layer].heads, p, llmc_layer_parameter(layer, LLMC_OUTPUT_WEIGHT), gradients->dense,
                  1, 1 / scale, kind);
    }
}
