#include "pipeline/train_stage.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "distill/loss.h"
#include "train/loss.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static llmc_status stage_loss(void *context, const struct llmc_loss_input *in, double *loss, float *dlogits)
{
    struct llmc_train_stage *t = context;
    const struct llmc_stage_config *stage = t->stage;
    int32_t sequences = in->batch->sequences, labels = in->labels;
    double weight = t->against_teacher ? stage->cross_entropy_weight : 1.0;
    *loss = 0;
    if (weight > 0)
        *loss += llmc_cross_entropy(in->logits, in->batch->label, sequences, labels, weight, in->scale, dlogits, t->work);
    if (!t->against_teacher || weight >= 1)
        return LLMC_OK;
    for (int32_t s = 0; s < sequences; s++)
        memcpy(t->teacher + (int64_t)s * labels, t->run->teacher_logits + in->batch->rows[s] * labels,
               (size_t)labels * sizeof *t->teacher);
    if (stage->loss == LLMC_LOSS_KL)
        *loss += llmc_distill_kl(in->logits, t->teacher, sequences, labels, stage->temperature, 1 - weight, in->scale,
                                 dlogits, t->work);
    else
        *loss += llmc_distill_mse(in->logits, t->teacher, sequences, labels, 1 - weight, in->scale, dlogits);
    return LLMC_OK;
}

static llmc_status before_step(void *context, int64_t step, int64_t steps)
{
    struct llmc_train_stage *t = context;
    return t->before_step ? t->before_step(t, step, steps) : LLMC_OK;
}

static llmc_status after_step(void *context, const struct llmc_gradients *gradients, double scale, double learning_rate)
{
    struct llmc_train_stage *t = context;
    return t->after_step ? t->after_step(t, gradients, scale, learning_rate) : LLMC_OK;
}

/* JSON has no infinity: an overflowed step has null. */
static const char *json_number(double value, char text[32])
{
    snprintf(text, 32, isfinite(value) ? "%.6g" : "null", value);
    return text;
}

static llmc_status write_metrics(void *context, const struct llmc_step_metrics *m)
{
    struct llmc_train_stage *t = context;
    char loss[32], norm[32];
    int written = fprintf(t->metrics,
                          "{\"step\": %lld, \"loss\": %s, \"learning_rate\": %.6g, \"gradient_norm\": %s, "
                          "\"loss_scale\": %g, \"skipped\": %s, \"tokens\": %lld, \"seconds\": %.4f}\n",
                          (long long)m->step, json_number(m->loss, loss), m->learning_rate,
                          json_number(m->gradient_norm, norm), m->scale, m->skipped ? "true" : "false",
                          (long long)m->tokens, m->seconds);
    if (written < 0)
        return llmc_error(LLMC_ERR_IO, "%s: cannot write: %s", t->metrics_path, strerror(errno));
    return LLMC_OK;
}

static llmc_status save(void *context, const struct llmc_training *training)
{
    struct llmc_train_stage *t = context;
    struct llmc_stage_progress progress = t->progress;
    if (fflush(t->metrics) != 0)
        return llmc_error(LLMC_ERR_IO, "%s: cannot write: %s", t->metrics_path, strerror(errno));
    progress.metrics_nbytes = ftell(t->metrics);
    progress.seconds += llmc_clock() - t->started;
    return llmc_state_save(t->part_path, &t->run->state, t->run->fingerprint, training, &progress);
}

/* Opens the metrics file at the length that it had at this step. */
static llmc_status open_metrics(struct llmc_train_stage *t)
{
    int64_t nbytes = (int64_t)llmc_file_nbytes(t->metrics_path);
    nbytes = nbytes < t->progress.metrics_nbytes ? nbytes : t->progress.metrics_nbytes;
    t->metrics = fopen(t->metrics_path, "a");
    if (!t->metrics || ftruncate(fileno(t->metrics), nbytes) != 0 || fseek(t->metrics, 0, SEEK_END) != 0)
        return llmc_error(LLMC_ERR_IO, "%s: cannot open: %s", t->metrics_path, strerror(errno));
    return LLMC_OK;
}

llmc_status llmc_train_stage_run(struct llmc_train_stage *t)
{
    llmc_status status = LLMC_OK;
    struct llmc_run *run = t->run;
    const struct llmc_stage_config *stage = t->stage;
    enum llmc_number number = llmc_precision_number(run->config->precision);
    char fingerprint[LLMC_HASH_TEXT_NBYTES];
    struct llmc_training training = {0};

    t->started = llmc_clock();
    LLMC_TRY(llmc_run_path(run, stage->name, ".part.h5", &t->part_path));
    LLMC_TRY(llmc_run_path(run, stage->name, ".metrics.jsonl", &t->metrics_path));
    if (llmc_state_fingerprint(t->part_path, fingerprint) != LLMC_OK)
        llmc_run_message(run, "%s: starts from its beginning: %s", stage->name, llmc_error_message());
    bool resumed = strcmp(fingerprint, run->fingerprint) == 0;
    if (resumed) {
        llmc_state_release(&run->state);
        LLMC_TRY(llmc_state_load(t->part_path, number, &run->state));
    } else {
        llmc_bert_set_number(&run->state.model, number);
        if (t->begin)
            LLMC_TRY(t->begin(t));
    }
    const struct llmc_parameters *p = &run->state.model.parameters;
    LLMC_TRY(llmc_alloc(&t->work, 2 * (size_t)p->architecture.labels, sizeof *t->work));
    LLMC_TRY(llmc_alloc(&t->teacher, (size_t)stage->batch_size * (size_t)p->architecture.labels, sizeof *t->teacher));
    training = (struct llmc_training){
        .model = &run->state.model,
        .ops = &run->ops,
        .data = &run->train,
        .seed = run->config->seed,
        .epochs = stage->epochs,
        .peak_learning_rate = stage->learning_rate,
        .warmup = stage->warmup,
        .batch_size = stage->batch_size,
        .dropout = (float)stage->dropout,
        .save_seconds = run->config->checkpoint_seconds,
        .stop = run->host->stop,
        .context = t,
        .loss = stage_loss,
        .before_step = before_step,
        .after_step = after_step,
        .save = save,
        .metrics = write_metrics,
        .progress = run->host->progress,
        .progress_context = run->host->context,
        .observed = t->observed,
    };
    LLMC_TRY(llmc_optimizer_init(&training.optimizer, p, (float)stage->weight_decay, (float)stage->clip_norm,
                                 run->config->precision == LLMC_PRECISION_FP16));
    if (resumed) {
        LLMC_TRY(llmc_state_load_training(t->part_path, &training, &t->progress));
        llmc_run_message(run, "%s: going on at step %lld of %lld", stage->name, (long long)training.step,
                         (long long)llmc_training_steps(&training));
    }
    LLMC_TRY(open_metrics(t));
    LLMC_TRY(llmc_training_run(&training));
    if (t->end)
        LLMC_TRY(t->end(t));
    if (fflush(t->metrics) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot write: %s", t->metrics_path, strerror(errno));
    t->progress.seconds += llmc_clock() - t->started;
exit:
    llmc_optimizer_release(&training.optimizer);
    if (t->metrics)
        fclose(t->metrics);
    free(t->part_path);
    free(t->metrics_path);
    free(t->work);
    free(t->teacher);
    return status;
}
