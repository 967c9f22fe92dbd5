#include "distill/against_teacher.h"

#include "architecture/task.h"
#include "distill/loss.h"
#include "distill/student.h"

const char *const llmc_distill_distances[] = {[LLMC_DISTANCE_KL] = "kl", [LLMC_DISTANCE_MSE] = "mse", NULL};

llmc_status llmc_distill_check(const struct llmc_stage_work *work, const struct llmc_distill_settings *settings)
{
    struct llmc_architecture student, teacher = work->data->teacher;
    const struct llmc_student_shape shape = llmc_student_shape_of(work->config);
    if (settings->logits_weight == 0 && !llmc_features_wanted(&settings->features))
        return llmc_error(LLMC_ERR_CONFIG, "%s: logits_weight is 0, and so are hidden_weight, embedding_weight and "
                          "relations_weight; allowed is at least one above 0", work->stage->name);
    if (!llmc_features_wanted(&settings->features))
        return LLMC_OK;
    for (const struct llmc_stage_config *stage = work->config->stages; stage < work->stage; stage++)
        if (stage->kind->changes_tokens)
            return llmc_error(LLMC_ERR_CONFIG, "%s: hidden_weight, embedding_weight and relations_weight compare token by "
                              "token, but %s gives the student other tokens than its teacher; allowed is 0 behind it",
                              work->stage->name, stage->name);
    student = teacher; /* a configuration without student.layers: the teacher itself goes on */
    llmc_status status = shape.layers ? llmc_student_architecture(&student, &teacher, &shape) : LLMC_OK;
    if (status == LLMC_OK)
        status = llmc_features_check(&settings->features, &teacher, &student);
    return status == LLMC_OK ? status : llmc_error_prefix(status, "%s", work->stage->name);
}

static llmc_status open_features(struct llmc_train_stage *t)
{
    const struct llmc_distill_settings *settings = t->loss_settings;
    struct llmc_features *features = NULL;
    if (!llmc_features_wanted(&settings->features))
        return LLMC_OK;
    llmc_status status = llmc_features_open(&features, t, &settings->features);
    t->loss_state = features;
    return status;
}

static void close_features(struct llmc_train_stage *t)
{
    struct llmc_features *features = t->loss_state;
    llmc_features_close(&features);
}

/* Of logits and labels. */
static llmc_status compare_logits(struct llmc_train_stage *t, const struct llmc_loss_input *in, double *loss,
                                  float *dlogits)
{
    const struct llmc_distill_settings *settings = t->loss_settings;
    int32_t sequences = in->batch->sequences, labels = in->labels;
    double of_labels = settings->logits_weight * settings->cross_entropy_weight;
    double of_logits = settings->logits_weight * (1 - settings->cross_entropy_weight);
    if (of_labels > 0)
        *loss += in->task->loss(in->logits, in->batch->label, sequences, labels, of_labels, in->scale, dlogits,
                                t->scratch);
    if (of_logits <= 0)
        return LLMC_OK;
    const struct llmc_teacher_logits *teacher = &t->work->chain->teacher_logits;
    llmc_status status = teacher->fetch(teacher->context, in->batch->rows, sequences, t->teacher);
    if (status != LLMC_OK)
        return status;
    if (settings->loss == LLMC_DISTANCE_KL)
        *loss += llmc_distill_kl(in->logits, t->teacher, sequences, labels, settings->temperature, of_logits, in->scale,
                                 dlogits, t->scratch);
    else
        *loss += llmc_distill_mse(in->logits, t->teacher, sequences, labels, of_logits, in->scale, dlogits);
    return LLMC_OK;
}

static llmc_status run(void *context, const struct llmc_loss_input *in, double *loss, float *dlogits)
{
    struct llmc_train_stage *t = context;
    *loss = 0;
    llmc_status status = compare_logits(t, in, loss, dlogits);
    return status == LLMC_OK && t->loss_state ? llmc_features_run(t->loss_state, in, loss) : status;
}

const struct llmc_train_loss llmc_distill_loss = {.run = run, .open = open_features, .close = close_features};
