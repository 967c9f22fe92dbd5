#include "train/optimizer.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCALE_START 65536.0f
#define SCALE_MAX 16777216.0f
#define GROWTH_INTERVAL 500
/* A row of the word embedding rests after so many steps without a gradient. Its first moment is then 0.5 % of what it
 * was, as is the way that AdamW would still move it. Texts of SST-2 by 32 have 240 different words, 4,300 within 50
 * steps and 6,000 within 100, and each costs time. */
enum { RESTS_AFTER = 50 };

llmc_status llmc_optimizer_init(struct llmc_optimizer *o, const struct llmc_parameters *parameters, float weight_decay,
                                float clip_norm, bool scaling)
{
    llmc_status status = LLMC_OK;
    memset(o, 0, sizeof *o);
    o->beta1 = 0.9f;
    o->beta2 = 0.999f;
    o->epsilon = 1e-8f;
    o->weight_decay = weight_decay;
    o->clip_norm = clip_norm;
    o->scaling = scaling;
    o->scale = scaling ? SCALE_START : 1.0f;
    o->growth_interval = GROWTH_INTERVAL;
    LLMC_TRY(llmc_alloc(&o->m, (size_t)parameters->total, sizeof *o->m));
    LLMC_TRY(llmc_alloc(&o->v, (size_t)parameters->total, sizeof *o->v));
    LLMC_TRY(llmc_alloc(&o->word_step, (size_t)parameters->table[LLMC_WORDS].rows, sizeof *o->word_step));
    LLMC_TRY(llmc_alloc(&o->no_gradient, (size_t)parameters->table[LLMC_WORDS].cols, sizeof *o->no_gradient));
exit:
    if (status != LLMC_OK)
        llmc_optimizer_release(o);
    return status;
}

void llmc_optimizer_release(struct llmc_optimizer *o)
{
    free(o->m);
    free(o->v);
    free(o->word_step);
    free(o->no_gradient);
    free(o->updates);
    memset(o, 0, sizeof *o);
}

static llmc_status lower_scale(struct llmc_optimizer *o)
{
    if (!o->scaling || o->scale <= 1.0f)
        return llmc_error(LLMC_ERR_DATA, "gradients are not finite after %lld steps: training has diverged; "
                          "a lower learning_rate or precision fp32 may help", (long long)o->step);
    o->scale *= 0.5f;
    o->good_steps = 0;
    return LLMC_OK;
}

static llmc_status reserve_updates(struct llmc_optimizer *o, int32_t count)
{
    if (count <= o->updates_max)
        return LLMC_OK;
    free(o->updates);
    o->updates_max = 0;
    llmc_status status = llmc_alloc(&o->updates, (size_t)count + (size_t)count / 4, sizeof *o->updates);
    if (status == LLMC_OK)
        o->updates_max = count + count / 4;
    return status;
}

static struct llmc_update update_at(const struct llmc_optimizer *o, const struct llmc_parameters *p,
                                    const struct llmc_adamw *settings, int64_t offset, const float *gradient,
                                    int64_t rows, int64_t cols)
{
    struct llmc_update update = {
        .settings = *settings,
        .p = p->values + offset,
        .m = o->m + offset,
        .v = o->v + offset,
        .g = gradient,
        .rows = rows,
        .cols = cols,
    };
    return update;
}

/* Decays the moments of a row that rested by the steps that it missed. */
static void wake(struct llmc_optimizer *o, int64_t offset, int64_t cols, int64_t missed)
{
    float decay1 = (float)pow((double)o->beta1, (double)missed), decay2 = (float)pow((double)o->beta2, (double)missed);
    for (int64_t i = offset; i < offset + cols; i++) {
        o->m[i] *= decay1;
        o->v[i] *= decay2;
    }
}

/* Whether a row of the word embedding moves in this step without being in its batch. */
static bool is_moving(const struct llmc_optimizer *o, int64_t row)
{
    return o->word_step[row] > 0 && o->step - o->word_step[row] <= RESTS_AFTER;
}

static int32_t count_moving(const struct llmc_optimizer *o, const struct llmc_parameters *p)
{
    int32_t count = 0;
    for (int64_t row = 0; row < p->table[LLMC_WORDS].rows; row++)
        count += is_moving(o, row);
    return count;
}

/* Appends the rows of the word embedding that move, rising, to o->updates; returns their number. */
static int32_t list_words(struct llmc_optimizer *o, const struct llmc_parameters *p,
                          const struct llmc_gradients *gradients, const struct llmc_adamw *settings)
{
    const struct llmc_parameter *words = &p->table[LLMC_WORDS];
    int32_t count = 0, next = 0;
    for (int64_t row = 0; row < words->rows; row++) {
        int64_t offset = words->offset + row * words->cols;
        const float *gradient = o->no_gradient;
        if (next < gradients->row_count && gradients->rows[next] == row) {
            gradient = gradients->row_values + next++ * words->cols;
            if (o->word_step[row] > 0 && !is_moving(o, row))
                wake(o, offset, words->cols, o->step - 1 - o->word_step[row] - RESTS_AFTER);
            o->word_step[row] = (int32_t)o->step;
        }
        if (is_moving(o, row))
            o->updates[count++] = update_at(o, p, settings, offset, gradient, 1, words->cols);
    }
    return count;
}

/* Fills o->updates: the rows of the word embedding that move, then every other parameter. */
static int32_t list_updates(struct llmc_optimizer *o, const struct llmc_bert *model,
                            const struct llmc_gradients *gradients, const struct llmc_adamw *dense)
{
    const struct llmc_parameters *p = &model->parameters;
    struct llmc_adamw settings = *dense;
    settings.weight_decay = 0;
    int32_t count = list_words(o, p, gradients, &settings);
    for (int32_t i = LLMC_WORDS + 1; i < p->count; i++) {
        const struct llmc_parameter *parameter = &p->table[i];
        int64_t place = parameter->offset - p->dense_begin;
        settings.weight_decay = parameter->kind == LLMC_PARAMETER_VECTOR ? 0 : o->weight_decay;
        struct llmc_update *update = &o->updates[count++];
        *update = update_at(o, p, &settings, parameter->offset, gradients->dense + place, parameter->rows,
                            parameter->cols);
        if (p->mask && parameter->kind == LLMC_PARAMETER_LINEAR)
            update->mask = p->mask + place;
        update->copy = llmc_bert_weight_copy(model, i);
    }
    return count;
}

llmc_status llmc_optimizer_step(struct llmc_optimizer *o, struct llmc_ops *ops, struct llmc_bert *model,
                                const struct llmc_gradients *gradients, float learning_rate,
                                struct llmc_step_result *result)
{
    const struct llmc_parameters *p = &model->parameters;
    result->gradient_norm = sqrt(gradients->squares) / (double)o->scale;
    result->skipped = !isfinite(gradients->squares);
    if (result->skipped)
        return lower_scale(o);
    llmc_status status = reserve_updates(o, count_moving(o, p) + gradients->row_count + p->count);
    if (status != LLMC_OK)
        return status;

    o->step++;
    double factor = 1.0 / (double)o->scale;
    if (o->clip_norm > 0 && result->gradient_norm > (double)o->clip_norm)
        factor *= (double)o->clip_norm / (result->gradient_norm + 1e-6); /* as torch.nn.utils.clip_grad_norm_ */
    struct llmc_adamw settings = {
        .learning_rate = learning_rate,
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .epsilon = o->epsilon,
        .correction1 = (float)(1.0 - pow((double)o->beta1, (double)o->step)),
        .correction2 = (float)(1.0 - pow((double)o->beta2, (double)o->step)),
        .gradient_scale = (float)factor,
    };
    int32_t count = list_updates(o, model, gradients, &settings);
    llmc_op_update(ops, o->updates, count);
    if (o->scaling && ++o->good_steps >= o->growth_interval) {
        o->good_steps = 0;
        o->scale = o->scale < SCALE_MAX ? o->scale * 2.0f : o->scale;
    }
    return LLMC_OK;
}

double llmc_learning_rate(double peak, double warmup, int64_t step, int64_t steps)
{
    double ramp = floor(warmup * (double)steps);
    if ((double)step < ramp)
        return peak * (double)step / ramp;
    return peak * (double)(steps - step) / fmax(1.0, (double)steps - ramp);
}
