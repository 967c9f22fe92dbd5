#include "train/optimizer_steps.h"

#include <math.h>

/* Gradients of logarithms are of any size, as those of the inputs' scales. */
#define STEP_EPSILON 1e-12

/* Place `i` of the steps and its moments. A step of 0 is none. */
static void move_step(struct llmc_step_moments *moments, float *steps, int64_t i, double gradient,
                      const struct llmc_adamw *s)
{
    double g = gradient * (double)steps[i], beta1 = (double)s->beta1, beta2 = (double)s->beta2;
    if (!(steps[i] > 0) || !isfinite(g))
        return;
    double m = beta1 * (double)moments->m[i] + (1 - beta1) * g;
    double v = beta2 * (double)moments->v[i] + (1 - beta2) * g * g;
    double way = LLMC_OPTIMIZER_STEP_RATE * (double)s->learning_rate * m / (double)s->correction1;
    steps[i] *= (float)exp(-way / (sqrt(v / (double)s->correction2) + STEP_EPSILON));
    moments->m[i] = (float)m;
    moments->v[i] = (float)v;
}

void llmc_optimizer_move_steps(struct llmc_step_moments *moments, struct llmc_parameters *p,
                               const struct llmc_gradients *gradients, const struct llmc_adamw *settings,
                               float loss_scale)
{
    double factor = 1 / (double)loss_scale;
    if (!moments->m)
        return;
    for (int32_t i = 0; i < gradients->row_count && p->table[LLMC_WORDS].bits; i++)
        move_step(moments, p->steps, p->table[LLMC_WORDS].step + gradients->rows[i],
                  factor * (double)gradients->row_dsteps[i], settings);
    for (int32_t index = LLMC_WORDS + 1; index < p->count; index++) {
        int64_t first = p->table[index].step, rows = p->table[index].rows;
        if (!llmc_parameter_steps(p, index))
            continue;
#pragma omp parallel for schedule(static)
        for (int64_t i = first; i < first + rows; i++)
            move_step(moments, p->steps, i, factor * (double)gradients->dsteps[i], settings);
    }
}

void llmc_optimizer_catch_up_step(struct llmc_step_moments *moments, struct llmc_parameters *p, int64_t row,
                                  const struct llmc_missed_steps *missed)
{
    if (!moments->m)
        return;
    int64_t i = p->table[LLMC_WORDS].step + row;
    double way = LLMC_OPTIMIZER_STEP_RATE * (double)missed->way * (double)moments->m[i];
    p->steps[i] *= (float)exp(-way / (sqrt((double)moments->v[i]) + STEP_EPSILON));
    moments->m[i] *= missed->decay1;
    moments->v[i] *= missed->decay2;
}
