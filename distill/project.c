#include "distill/project.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct work {
    struct llmc_ops *ops;
    const struct llmc_projection *projection;
    const struct llmc_parameters *from;
    struct llmc_parameters *to;
    float *lost; /* [H] what P loses of a mean */
};

static llmc_status multiply(struct llmc_ops *ops, enum llmc_gemm_form form, const float *a, int64_t a_rows, int64_t a_cols,
                            const float *b, int64_t b_rows, int64_t b_cols, float *out)
{
    const struct llmc_matrix left = llmc_matrix((void *)a, LLMC_F32, a_rows, a_cols);
    const struct llmc_matrix right = llmc_matrix((void *)b, LLMC_F32, b_rows, b_cols);
    struct llmc_operand l, r;
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, &left, &l));
    LLMC_TRY(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_B, &right, &r));
    LLMC_TRY(llmc_gemm_store(&ops->gemm, form, &l, &r, out));
exit:
    return status;
}

/* lost = mean - P P^T mean */
static void find_lost(const struct work *w, int32_t site)
{
    const struct llmc_projection *p = w->projection;
    const double *mean = p->means + (int64_t)site * p->from;
    for (int32_t i = 0; i < p->from; i++)
        w->lost[i] = (float)mean[i];
    for (int32_t col = 0; col < p->to; col++) {
        double along = 0;
        for (int32_t i = 0; i < p->from; i++)
            along += mean[i] * (double)p->p[(int64_t)i * p->to + col];
        for (int32_t i = 0; i < p->from; i++)
            w->lost[i] -= (float)(along * (double)p->p[(int64_t)i * p->to + col]);
    }
}

/* bias' [rows] = bias + weight lost;  weight' = weight P.  weight [rows, H]. */
static llmc_status read_x(const struct work *w, const float *weight, const float *bias, int64_t rows, float *new_weight,
                          float *new_bias)
{
    const struct llmc_projection *p = w->projection;
    for (int64_t row = 0; row < rows && bias; row++) {
        double sum = (double)bias[row];
        for (int32_t i = 0; i < p->from; i++)
            sum += (double)weight[row * p->from + i] * (double)w->lost[i];
        new_bias[row] = (float)sum;
    }
    return multiply(w->ops, LLMC_GEMM_NN, weight, rows, p->from, p->p, p->from, p->to, new_weight);
}

/* weight' = P^T weight, bias' = P^T bias, of parameter `index` and the bias behind it. */
static llmc_status write_x(const struct work *w, int32_t index)
{
    const struct llmc_projection *p = w->projection;
    const float *bias = llmc_parameter_values(w->from, index + 1);
    float *out = llmc_parameter_values(w->to, index + 1);
    for (int32_t col = 0; col < p->to; col++) {
        double sum = 0;
        for (int32_t i = 0; i < p->from; i++)
            sum += (double)p->p[(int64_t)i * p->to + col] * (double)bias[i];
        out[col] = (float)sum;
    }
    return multiply(w->ops, LLMC_GEMM_TN, p->p, p->from, p->to, llmc_parameter_values(w->from, index), p->from,
                    w->from->table[index].cols, llmc_parameter_values(w->to, index));
}

static llmc_status project_layer(const struct work *w, int32_t layer)
{
    llmc_status status = LLMC_OK;
    find_lost(w, 2 * layer);
    for (int32_t i = LLMC_QUERY_WEIGHT; i <= LLMC_VALUE_WEIGHT; i++) {
        int32_t weight = llmc_layer_parameter(layer, i);
        int32_t bias = llmc_layer_parameter(layer, i - LLMC_QUERY_WEIGHT + LLMC_QUERY_BIAS);
        LLMC_TRY(read_x(w, llmc_parameter_values(w->from, weight), llmc_parameter_values(w->from, bias),
                        w->from->table[weight].rows, llmc_parameter_values(w->to, weight),
                        llmc_parameter_values(w->to, bias)));
    }
    LLMC_TRY(write_x(w, llmc_layer_parameter(layer, LLMC_ATTENTION_OUTPUT_WEIGHT)));
    find_lost(w, 2 * layer + 1);
    int32_t first = llmc_layer_parameter(layer, LLMC_INTERMEDIATE_WEIGHT);
    LLMC_TRY(read_x(w, llmc_parameter_values(w->from, first), llmc_parameter_values(w->from, first + 1),
                    w->from->table[first].rows, llmc_parameter_values(w->to, first),
                    llmc_parameter_values(w->to, first + 1)));
    LLMC_TRY(write_x(w, llmc_layer_parameter(layer, LLMC_OUTPUT_WEIGHT)));
exit:
    return status;
}

/* chosen [H'] = the columns of the classifier [L, H] with the largest sums of squares, rising. */
static void choose_pooled(const float *classifier, int32_t labels, int32_t hidden, int32_t count, bool *taken,
                          int32_t *chosen)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t best = -1;
        double most = -1;
        for (int32_t col = 0; col < hidden; col++) {
            double sum = 0;
            for (int32_t label = 0; label < labels; label++)
                sum += pow((double)classifier[(int64_t)label * hidden + col], 2);
            if (!taken[col] && sum > most)
                most = sum, best = col;
        }
        taken[best] = true;
    }
    for (int32_t col = 0, place = 0; col < hidden; col++)
        if (taken[col])
            chosen[place++] = col;
}

static llmc_status project_head(const struct work *w)
{
    llmc_status status = LLMC_OK;
    const struct llmc_projection *p = w->projection;
    const struct llmc_architecture *from = &w->from->architecture, *to = &w->to->architecture;
    float *rows = NULL, *bias = NULL;
    int32_t *chosen = NULL, pooler = llmc_head_parameter(from, LLMC_POOLER_WEIGHT);
    bool *taken = NULL;
    int32_t new_pooler = llmc_head_parameter(to, LLMC_POOLER_WEIGHT);
    const float *weight = llmc_parameter_values(w->from, pooler), *classifier = llmc_parameter_values(w->from, pooler + 2);
    LLMC_TRY(llmc_alloc(&rows, (size_t)p->to * (size_t)p->from, sizeof *rows));
    LLMC_TRY(llmc_alloc(&bias, (size_t)p->to, sizeof *bias));
    LLMC_TRY(llmc_alloc(&chosen, (size_t)p->to, sizeof *chosen));
    LLMC_TRY(llmc_alloc(&taken, (size_t)p->from, sizeof *taken));
    choose_pooled(classifier, from->labels, p->from, p->to, taken, chosen);
    for (int32_t i = 0; i < p->to; i++) {
        memcpy(rows + (int64_t)i * p->from, weight + (int64_t)chosen[i] * p->from, (size_t)p->from * sizeof *rows);
        bias[i] = llmc_parameter_values(w->from, pooler + 1)[chosen[i]];
        for (int32_t label = 0; label < from->labels; label++)
            llmc_parameter_values(w->to, new_pooler + 2)[(int64_t)label * p->to + i] =
                classifier[(int64_t)label * p->from + chosen[i]];
    }
    memcpy(llmc_parameter_values(w->to, new_pooler + 3), llmc_parameter_values(w->from, pooler + 3),
           (size_t)from->labels * sizeof(float));
    find_lost(w, 2 * from->layers);
    LLMC_TRY(read_x(w, rows, bias, p->to, llmc_parameter_values(w->to, new_pooler),
                    llmc_parameter_values(w->to, new_pooler + 1)));
exit:
    free(rows);
    free(bias);
    free(chosen);
    free(taken);
    return status;
}

llmc_status llmc_project_parameters(struct llmc_ops *ops, const struct llmc_projection *projection,
                                    const struct llmc_parameters *from, struct llmc_parameters *to)
{
    llmc_status status = LLMC_OK;
    struct work w = {.ops = ops, .projection = projection, .from = from, .to = to};
    LLMC_TRY(llmc_alloc(&w.lost, (size_t)projection->from, sizeof *w.lost));
    for (int32_t i = LLMC_WORDS; i <= LLMC_TYPES; i++)
        LLMC_TRY(read_x(&w, llmc_parameter_values(from, i), NULL, to->table[i].rows, llmc_parameter_values(to, i), NULL));
    for (int32_t layer = 0; layer < from->architecture.layers; layer++)
        LLMC_TRY(project_layer(&w, layer));
    LLMC_TRY(project_head(&w));
    for (int32_t i = 0; i < to->count; i++) /* norms begin plain */
        if (strstr(to->table[i].name, "LayerNorm"))
            llmc_parameter_randomize(to, i, 0);
exit:
    free(w.lost);
    return status;
}
