#include "train/optimizer.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCALE_START 65536.0f
#define SCALE_MAX 16777216.0f
#define GROWTH_INTERVAL 500
/* Missed steps that move a row: 0.9^128 = 1.4e-6 is left of its first moment then. */
enum { MISSED_STEPS_MAX = 128 };
/* Rows that threads share at a time. */
enum { ROWS_AT_ONCE = 256 };

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
    if (parameters->steps) {
        LLMC_TRY(llmc_alloc(&o->steps.m, (size_t)parameters->step_count, sizeof *o->steps.m));
        LLMC_TRY(llmc_alloc(&o->steps.v, (size_t)parameters->step_count, sizeof *o->steps.v));
    }
    LLMC_TRY(llmc_alloc(&o->word_step, (size_t)parameters->table[LLMC_WORDS].rows, sizeof *o->word_step));
exit:
    if (status != LLMC_OK)
        llmc_optimizer_release(o);
    return status;
}

void llmc_optimizer_release(struct llmc_optimizer *o)
{
    free(o->m);
    free(o->v);
    free(o->steps.m);
    free(o->steps.v);
    free(o->word_step);
    free(o->learning_rates);
    free(o->updates);
    memset(o, 0, sizeof *o);
}

/* *moments = those of the selected numbers. */
static llmc_status select_moments(float **moments, const struct llmc_parameters *to, const struct llmc_parameters *from,
                                  const struct llmc_selection *selection)
{
    float *selected;
    llmc_status status = llmc_alloc(&selected, (size_t)to->total, sizeof *selected);
    if (status != LLMC_OK)
        return status;
    llmc_select_numbers(to, from, selection, false, sizeof *selected, *moments, selected);
    free(*moments);
    *moments = selected;
    return LLMC_OK;
}

/* The same of those of steps. */
static llmc_status select_step_moments(float **moments, const struct llmc_parameters *to,
                                       const struct llmc_parameters *from, const struct llmc_selection *selection)
{
    float *selected;
    llmc_status status = llmc_alloc(&selected, (size_t)to->step_count, sizeof *selected);
    if (status != LLMC_OK)
        return status;
    llmc_select_steps(to, from, selection, *moments, selected);
    free(*moments);
    *moments = selected;
    return LLMC_OK;
}

llmc_status llmc_optimizer_select(struct llmc_optimizer *o, const struct llmc_parameters *to,
                                  const struct llmc_parameters *from, const struct llmc_selection *selection)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(select_moments(&o->m, to, from, selection));
    LLMC_TRY(select_moments(&o->v, to, from, selection));
    if (o->steps.m) {
        LLMC_TRY(select_step_moments(&o->steps.m, to, from, selection));
        LLMC_TRY(select_step_moments(&o->steps.v, to, from, selection));
    }
    if (selection->words) {
        int32_t *word_step;
        LLMC_TRY(llmc_alloc(&word_step, (size_t)selection->word_count, sizeof *word_step));
        for (int32_t i = 0; i < selection->word_count; i++)
            word_step[i] = o->word_step[selection->words[i]];
        free(o->word_step);
        o->word_step = word_step;
    }
exit:
    return status;
}

llmc_status llmc_optimizer_reserve(struct llmc_optimizer *o, int64_t steps)
{
    if (steps <= o->learning_rates_max)
        return LLMC_OK;
    int64_t room = steps + steps / 4 + MISSED_STEPS_MAX;
    float *longer;
    llmc_status status = llmc_alloc(&longer, (size_t)room, sizeof *longer);
    if (status != LLMC_OK)
        return status;
    if (o->learning_rates)
        memcpy(longer, o->learning_rates, (size_t)o->learning_rates_max * sizeof *longer);
    free(o->learning_rates);
    o->learning_rates = longer;
    o->learning_rates_max = room;
    return LLMC_OK;
}

/* The steps after `since`, as the header derives them. */
static struct llmc_missed_steps missed_since(const struct llmc_optimizer *o, int64_t since)
{
    double beta1 = (double)o->beta1, beta2 = (double)o->beta2, missed = (double)(o->step - since);
    double power1 = pow(beta1, (double)since), power2 = pow(beta2, (double)since); /* beta^since, of the corrections */
    double decay1 = 1, decay2 = 1, way = 0, epsilons = 0;
    for (int64_t step = since; step < o->step && step < since + MISSED_STEPS_MAX; step++) {
        decay1 *= beta1;
        decay2 *= beta2;
        double root = sqrt((1 - power2 * decay2) / decay2);
        double part = (double)o->learning_rates[step] * decay1 / (1 - power1 * decay1) * root;
        way += part;
        epsilons += part * root;
    }
    return (struct llmc_missed_steps){
        .way = (float)way,
        .epsilon = o->epsilon * (float)(way > 0 ? epsilons / way : 1), /* no way where the learning rates were 0 */
        .decay1 = (float)pow(beta1, missed),
        .decay2 = (float)pow(beta2, missed),
    };
}

void llmc_optimizer_catch_up(struct llmc_optimizer *o, struct llmc_ops *ops, struct llmc_bert *model,
                             const struct llmc_tokens *batch)
{
    const struct llmc_parameter *words = &model->parameters.table[LLMC_WORDS];
    struct llmc_missed_row rows[ROWS_AT_ONCE];
    int32_t count = 0;
    for (int64_t i = 0, end = batch ? batch->tokens : words->rows; i < end; i++) {
        int64_t row = batch ? batch->ids[i] : i, offset = words->offset + row * words->cols;
        if (row < 0 || row >= words->rows || o->word_step[row] == 0 || o->word_step[row] == o->step)
            continue;
        rows[count++] = (struct llmc_missed_row){missed_since(o, o->word_step[row]),
                                                 model->parameters.values + offset, o->m + offset, o->v + offset,
                                                 words->cols};
        llmc_optimizer_catch_up_step(&o->steps, &model->parameters, row, &rows[count - 1].missed);
        o->word_step[row] = (int32_t)o->step; /* also so that a word that the batch repeats catches up once */
        if (count == ROWS_AT_ONCE) {
            llmc_op_catch_up(ops, rows, count);
            count = 0;
        }
    }
    llmc_op_catch_up(ops, rows, count);
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

/* Fills o->updates: the batch's rows of the word embedding, every other parameter, what trains beside the model. */
static int32_t list_updates(struct llmc_optimizer *o, const struct llmc_bert *model,
                            const struct llmc_gradients *gradients, const struct llmc_adamw *dense)
{
    const struct llmc_parameters *p = &model->parameters;
    struct llmc_adamw settings = *dense;
    settings.weight_decay = 0;
    int32_t count = 0;
    for (int32_t i = 0; i < gradients->row_count; i++) {
        const struct llmc_parameter *words = &p->table[LLMC_WORDS];
        o->updates[count++] = update_at(o, p, &settings, words->offset + gradients->rows[i] * words->cols,
                                        gradients->row_values + i * words->cols, 1, words->cols);
        o->word_step[gradients->rows[i]] = (int32_t)o->step;
    }
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
    settings.weight_decay = 0;
    if (o->beside)
        o->updates[count++] = (struct llmc_update){.settings = settings, .p = o->beside->values, .m = o->beside->m,
                                                   .v = o->beside->v, .g = o->beside->gradients, .rows = 1,
                                                   .cols = o->beside->count};
    return count;
}

llmc_status llmc_optimizer_step(struct llmc_optimizer *o, struct llmc_ops *ops, struct llmc_bert *model,
                                const struct llmc_gradients *gradients, float learning_rate,
                                struct llmc_step_result *result)
{
    const struct llmc_parameters *p = &model->parameters;
    double squares = gradients->squares;
    if (o->beside)
        squares += llmc_op_sum_squares(ops, o->beside->gradients, o->beside->count);
    result->gradient_norm = sqrt(squares) / (double)o->scale;
    result->skipped = !isfinite(squares);
    if (result->skipped)
        return lower_scale(o);
    llmc_status status = reserve_updates(o, gradients->row_count + p->count + 1);
    if (status == LLMC_OK)
        status = llmc_optimizer_reserve(o, o->step + 1);
    if (status != LLMC_OK)
        return status;

    o->learning_rates[o->step++] = learning_rate;
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
    llmc_optimizer_move_steps(&o->steps, &model->parameters, gradients, &settings, o->scale); /* the copies need them */
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
