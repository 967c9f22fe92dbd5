#include "train/optimizer.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCALE_START 65536.0f
#define SCALE_MAX 16777216.0f
#define GROWTH_INTERVAL 500

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
exit:
    if (status != LLMC_OK)
        llmc_optimizer_release(o);
    return status;
}

void llmc_optimizer_release(struct llmc_optimizer *o)
{
    free(o->m);
    free(o->v);
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

llmc_status llmc_optimizer_step(struct llmc_optimizer *o, struct llmc_ops *ops, struct llmc_parameters *p,
                                const struct llmc_gradients *gradients, float learning_rate,
                                struct llmc_step_result *result)
{
    int64_t hidden = p->architecture.hidden;
    double squares = llmc_op_sum_squares(ops, gradients->dense, p->total - p->dense_begin) +
                     llmc_op_sum_squares(ops, gradients->row_values, gradients->row_count * hidden);
    result->gradient_norm = sqrt(squares) / (double)o->scale;
    result->skipped = !isfinite(squares);
    if (result->skipped)
        return lower_scale(o);

    o->step++;
    double factor = 1.0 / (double)o->scale;
    if (o->clip_norm > 0 && result->gradient_norm > (double)o->clip_norm)
        factor *= (double)o->clip_norm / (result->gradient_norm + 1e-6); /* as torch.nn.utils.clip_grad_norm_ */
    double correction2 = 1.0 - pow((double)o->beta2, (double)o->step);
    struct llmc_adamw settings = {
        .learning_rate = learning_rate,
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .epsilon = o->epsilon / sqrtf((float)correction2), /* SparseAdam adds it before the correction */
        .correction1 = (float)(1.0 - pow((double)o->beta1, (double)o->step)),
        .correction2 = (float)correction2,
        .gradient_scale = (float)factor,
    };
    for (int32_t i = 0; i < gradients->row_count; i++) {
        int64_t offset = p->table[LLMC_WORDS].offset + (int64_t)gradients->rows[i] * hidden;
        ops->kernels->adamw(&settings, p->values + offset, o->m + offset, o->v + offset,
                            gradients->row_values + i * hidden, (size_t)hidden);
    }
    settings.epsilon = o->epsilon;
    for (int32_t i = LLMC_WORDS + 1; i < p->count; i++) {
        const struct llmc_parameter *parameter = &p->table[i];
        int64_t offset = parameter->offset;
        settings.weight_decay = parameter->kind == LLMC_PARAMETER_VECTOR ? 0 : o->weight_decay;
        llmc_op_adamw(ops, &settings, p->values + offset, o->m + offset, o->v + offset,
                      gradients->dense + (offset - p->dense_begin), parameter->rows * parameter->cols);
        llmc_parameter_apply_mask(p, i);
    }
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
