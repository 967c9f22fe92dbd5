#include "quantize/sensitivity.h"

#include "base/memory.h"
#include "base/random.h"
#include "train/loop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the signs: FP16 gradients of single logits are small. */
#define SCALE 256.0f

static void add_squares(const float *gradient, int64_t count, float factor, float *squares)
{
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < count; i++)
        squares[i] += gradient[i] * gradient[i] * factor;
}

/* Signs of the texts, by their numbers: the same in every order of batches. */
static void draw_signs(const struct llmc_batch *batch, int32_t labels, uint64_t seed, float *dlogits)
{
    for (int32_t s = 0; s < batch->sequences; s++)
        for (int32_t i = 0; i < labels; i++) {
            uint64_t key = llmc_random_key(seed, LLMC_STREAM_SIGNS, (uint64_t)batch->rows[s]);
            dlogits[s * labels + i] = llmc_random_u64(key, (uint64_t)i) >> 63 ? SCALE : -SCALE;
        }
}

llmc_status llmc_quantize_sensitivity(struct llmc_bert *model, struct llmc_ops *ops,
                                      const struct llmc_calibration *calibration, float *squares)
{
    const struct llmc_text_source *texts = calibration->texts;
    const struct llmc_parameters *p = &model->parameters;
    const struct llmc_parameter *words = &p->table[LLMC_WORDS];
    int32_t labels = p->architecture.labels, batch_size = calibration->batch_size;
    int64_t batches = (texts->count + batch_size - 1) / batch_size;
    batches = batches < calibration->batches ? batches : calibration->batches;
    int64_t count = batches * batch_size < texts->count ? batches * batch_size : texts->count;
    const float factor = 1 / (SCALE * SCALE * (float)count);
    llmc_status status = LLMC_OK;
    struct llmc_batch batch = {0};
    struct llmc_activations activations = {0};
    struct llmc_gradients gradients = {0};
    int64_t *order = NULL;
    float *logits = NULL, *dlogits = NULL;
    LLMC_TRY(llmc_alloc(&order, (size_t)texts->count, sizeof *order));
    LLMC_TRY(llmc_alloc(&logits, (size_t)batch_size * (size_t)labels, sizeof *logits));
    LLMC_TRY(llmc_alloc(&dlogits, (size_t)batch_size * (size_t)labels, sizeof *dlogits));
    LLMC_TRY(llmc_gradients_init(&gradients, p));
    memset(squares, 0, (size_t)p->total * sizeof *squares);
    llmc_epoch_order(llmc_random_key(calibration->seed, LLMC_STREAM_CALIBRATION, 0), 0, (size_t)texts->count, order);
    model->inputs = NULL;
    LLMC_TRY(llmc_bert_prepare(model, ops));
    for (int64_t first = 0; first < count; first += batch_size) {
        int64_t left = count - first;
        LLMC_TRY(llmc_batch_gather(&batch, texts, order + first, (int32_t)(left < batch_size ? left : batch_size)));
        struct llmc_pass pass = {.batch = llmc_step_tokens(&batch), .keep = true};
        LLMC_TRY(llmc_bert_forward(model, ops, &pass, &activations, logits));
        draw_signs(&batch, labels, calibration->seed, dlogits);
        LLMC_TRY(llmc_bert_backward(model, ops, &pass, &activations, dlogits, &gradients));
        if (!isfinite(gradients.squares))
            LLMC_FAIL(LLMC_ERR_DATA, "gradients of the logits are not finite; precision fp32 may help");
        add_squares(gradients.dense, p->total - p->dense_begin, factor, squares + p->dense_begin);
        for (int32_t i = 0; i < gradients.row_count; i++)
            add_squares(gradients.row_values + i * words->cols, words->cols, factor,
                        squares + words->offset + gradients.rows[i] * words->cols);
    }
exit:
    llmc_batch_release(&batch);
    llmc_activations_release(&activations);
    llmc_gradients_release(&gradients);
    free(order);
    free(logits);
    free(dlogits);
    return status;
}
