#include "stage/training.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "architecture/task.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static llmc_status cross_entropy(void *context, const struct llmc_loss_input *in, double *loss, float *dlogits)
{
    struct llmc_train_stage *t = context;
    *loss = in->task->loss(in->logits, in->batch->label, in->batch->sequences, in->labels, 1.0, in->scale, dlogits,
                               t->scratch);
    return LLMC_OK;
}

const struct llmc_train_loss llmc_train_stage_cross_entropy = {.run = cross_entropy};

static llmc_status before_step(void *context, int64_t step, int64_t steps)
{
    struct llmc_train_stage *t = context;
    return t->before_step ? t->before_step(t, step, steps) : LLMC_OK;
}

static llmc_status after_backward(void *context, const struct llmc_gradients *gradients, double scale)
{
    struct llmc_train_stage *t = context;
    return t->after_backward ? t->after_backward(t, gradients, scale) : LLMC_OK;
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
    return llmc_state_save(t->part_path, &t->work->chain->state, t->work->fingerprint, training, &progress);
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

/* The state to start from: of the part checkpoint where it fits, else what `begin` makes. */
static llmc_status begin(struct llmc_train_stage *t, bool *resumed)
{
    struct llmc_stage_work *work = t->work;
    struct llmc_state *state = &work->chain->state;
    char fingerprint[LLMC_HASH_TEXT_NBYTES];
    if (llmc_state_fingerprint(t->part_path, fingerprint) != LLMC_OK)
        llmc_stage_message(work, "starts from its beginning: %s", llmc_error_message());
    *resumed = strcmp(fingerprint, work->fingerprint) == 0;
    if (*resumed) {
        llmc_state_release(state);
        return llmc_state_load(t->part_path, llmc_stage_number(work), state);
    }
    llmc_bert_set_number(&state->model, llmc_stage_number(work));
    return t->begin ? t->begin(t) : LLMC_OK;
}

static struct llmc_training make_training(struct llmc_train_stage *t, const struct llmc_text_source *texts)
{
    struct llmc_stage_work *work = t->work;
    return (struct llmc_training){
        .model = &work->chain->state.model,
        .ops = work->ops,
        .texts = texts,
        .seed = work->config->seed,
        .epochs = t->settings->epochs,
        .peak_learning_rate = t->settings->learning_rate,
        .warmup = t->settings->warmup,
        .batch_size = t->settings->batch_size,
        .dropout = (float)t->settings->dropout,
        .save_seconds = work->config->checkpoint_seconds,
        .stop = work->host->stop,
        .context = t,
        .loss = t->loss->run,
        .before_step = before_step,
        .after_backward = after_backward,
        .after_step = after_step,
        .save = save,
        .metrics = write_metrics,
        .progress = work->host->progress,
        .progress_context = work->host->context,
        .observed = t->observed,
    };
}

llmc_status llmc_train_stage_run(struct llmc_train_stage *t)
{
    llmc_status status = LLMC_OK;
    struct llmc_stage_work *work = t->work;
    const struct llmc_parameters *p = &work->chain->state.model.parameters;
    struct llmc_training training = {0};
    const struct llmc_text_source *texts;
    bool resumed;
    t->started = llmc_clock();
    LLMC_TRY(llmc_stage_path(work, LLMC_PART_FILE, &t->part_path));
    LLMC_TRY(llmc_stage_path(work, LLMC_METRICS_FILE, &t->metrics_path));
    LLMC_TRY(begin(t, &resumed));
    LLMC_TRY(llmc_alloc(&t->scratch, 2 * (size_t)p->architecture.labels, sizeof *t->scratch));
    LLMC_TRY(llmc_alloc(&t->teacher, (size_t)t->settings->batch_size * (size_t)p->architecture.labels,
                        sizeof *t->teacher));
    LLMC_TRY(llmc_stage_texts(work, t->texts, &t->joined, &texts));
    training = make_training(t, texts);
    t->training = &training;
    LLMC_TRY(llmc_optimizer_init(&training.optimizer, p, (float)t->settings->weight_decay,
                                 (float)t->settings->clip_norm, work->config->precision == LLMC_PRECISION_FP16));
    if (t->loss->open)
        LLMC_TRY(t->loss->open(t));
    if (resumed) {
        LLMC_TRY(llmc_state_load_training(t->part_path, &training, &t->progress));
        llmc_stage_message(work, "going on at step %lld of %lld", (long long)training.step,
                           (long long)llmc_training_steps(&training));
    }
    LLMC_TRY(open_metrics(t));
    LLMC_TRY(llmc_training_run(&training));
    if (t->end)
        LLMC_TRY(t->end(t));
    if (fflush(t->metrics) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot write: %s", t->metrics_path, strerror(errno));
    work->seconds = t->progress.seconds + llmc_clock() - t->started;
    LLMC_TRY(llmc_state_save(work->product_path, &work->chain->state, work->fingerprint, NULL, NULL));
exit:
    if (t->loss->close)
        t->loss->close(t);
    llmc_optimizer_release(&training.optimizer);
    llmc_text_source_close(&t->joined);
    if (t->metrics)
        fclose(t->metrics);
    free(t->part_path);
    free(t->metrics_path);
    free(t->scratch);
    free(t->teacher);
    free(t->progress.numbers);
    return status;
}

llmc_status llmc_stage_adopt_model(struct llmc_stage_work *work)
{
    work->chain->is_student = work->chain->is_student || work->type->kind.makes & LLMC_THING_STUDENT;
    return llmc_stage_replace_text(&work->chain->state_path, work->product_path);
}
