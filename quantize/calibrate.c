#include "quantize/calibrate.h"

#include "base/memory.h"
#include "base/random.h"
#include "train/loop.h"

#include <stdlib.h>

llmc_status llmc_calibrate(struct llmc_bert *model, struct llmc_ops *ops, const struct llmc_calibration *calibration,
                           struct llmc_ranges *ranges)
{
    const struct llmc_text_source *texts = calibration->texts;
    const struct llmc_architecture *architecture = &model->parameters.architecture;
    int32_t sites = llmc_site_count(architecture), batch_size = calibration->batch_size;
    llmc_status status = LLMC_OK;
    struct llmc_batch batch = {0};
    struct llmc_activations activations = {0};
    struct llmc_range *observed = NULL;
    int64_t *order = NULL;
    float *logits = NULL;
    llmc_ranges_release(ranges);
    LLMC_TRY(llmc_ranges_init(ranges, sites));
    LLMC_TRY(llmc_alloc(&observed, (size_t)sites, sizeof *observed));
    LLMC_TRY(llmc_alloc(&order, (size_t)texts->count, sizeof *order));
    LLMC_TRY(llmc_alloc(&logits, (size_t)batch_size * (size_t)architecture->labels, sizeof *logits));
    llmc_epoch_order(llmc_random_key(calibration->seed, LLMC_STREAM_CALIBRATION, 0), 0, (size_t)texts->count, order);
    model->inputs = NULL;
    LLMC_TRY(llmc_bert_prepare(model, ops));
    for (int32_t i = 0; i < calibration->batches; i++) {
        int64_t first = (int64_t)i * batch_size, left = texts->count - first;
        if (left <= 0)
            break;
        LLMC_TRY(llmc_batch_gather(&batch, texts, order + first, (int32_t)(left < batch_size ? left : batch_size)));
        struct llmc_pass pass = {.batch = llmc_step_tokens(&batch), .observed = observed};
        llmc_calibrate_clear(observed, sites);
        LLMC_TRY(llmc_bert_forward(model, ops, &pass, &activations, logits));
        llmc_calibrate_average(ranges, observed, 1.0);
    }
exit:
    llmc_batch_release(&batch);
    llmc_activations_release(&activations);
    free(observed);
    free(order);
    free(logits);
    return status;
}
