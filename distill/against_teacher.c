#include "distill/against_teacher.h"

#include "distill/loss.h"
#include "architecture/task.h"

const char *const llmc_distill_distances[] = {[LLMC_DISTANCE_KL] = "kl", [LLMC_DISTANCE_MSE] = "mse", NULL};

static llmc_status run(void *context, const struct llmc_loss_input *in, double *loss, float *dlogits)
{
    struct llmc_train_stage *t = context;
    const struct llmc_distill_settings *settings = t->loss_settings;
    int32_t sequences = in->batch->sequences, labels = in->labels;
    double weight = settings->cross_entropy_weight;
    *loss = 0;
    if (weight > 0)
        *loss += in->task->loss(in->logits, in->batch->label, sequences, labels, weight, in->scale, dlogits,
                                    t->scratch);
    if (weight >= 1)
        return LLMC_OK;
    const struct llmc_teacher_logits *teacher = &t->work->chain->teacher_logits;
    llmc_status status = teacher->fetch(teacher->context, in->batch->rows, sequences, t->teacher);
    if (status != LLMC_OK)
        return status;
    if (settings->loss == LLMC_DISTANCE_KL)
        *loss += llmc_distill_kl(in->logits, t->teacher, sequences, labels, settings->temperature, 1 - weight, in->scale,
                                 dlogits, t->scratch);
    else
        *loss += llmc_distill_mse(in->logits, t->teacher, sequences, labels, 1 - weight, in->scale, dlogits);
    return LLMC_OK;
}

const struct llmc_train_loss llmc_distill_loss = {.run = run};
