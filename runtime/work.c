#include "base/memory.h"
#include "runtime/forward.h"

#include <stdlib.h>
#include <string.h>

static size_t round_up(int64_t count, int64_t multiple)
{
    return (size_t)((count + multiple - 1) / multiple * multiple);
}

/* Whether some layer takes the context or the wide activations in FP32. */
static bool needs_floats(const struct llmc_model *model)
{
    for (int32_t i = 0; i < model->architecture.layers; i++)
        if (!model->layers[i].output.integer || !model->layers[i].attention_output.integer)
            return true;
    return false;
}

llmc_status llmc_work_reserve(struct llmc_work *work, const struct llmc_model *model, int64_t tokens)
{
    llmc_status status = LLMC_OK;
    size_t hidden = (size_t)model->architecture.hidden, count = (size_t)tokens;
    int32_t ffn = model->architecture.ffn;
    if (tokens <= work->tokens_max)
        return LLMC_OK;
    llmc_work_release(work);
    LLMC_TRY(llmc_alloc(&work->x, count, hidden * sizeof(float)));
    LLMC_TRY(llmc_alloc(&work->y, count, hidden * sizeof(float)));
    LLMC_TRY(llmc_alloc(&work->qkv, count, 3 * hidden * sizeof(float)));
    LLMC_TRY(llmc_alloc(&work->x_u8, count, round_up(model->architecture.hidden, LLMC_K_STEP)));
    LLMC_TRY(llmc_alloc(&work->ffn_u8, count, round_up(ffn, LLMC_K_STEP)));
    if (needs_floats(model)) {
        LLMC_TRY(llmc_alloc(&work->context, count, hidden * sizeof(float)));
        LLMC_TRY(llmc_alloc(&work->ffn, count, (size_t)ffn * sizeof(float)));
    }
    work->tokens_max = tokens;
exit:
    if (status != LLMC_OK)
        llmc_work_release(work);
    return status;
}

void llmc_work_release(struct llmc_work *work)
{
    free(work->x);
    free(work->y);
    free(work->qkv);
    free(work->context);
    free(work->ffn);
    free(work->x_u8);
    free(work->ffn_u8);
    memset(work, 0, sizeof *work);
}

llmc_status llmc_scratch_reserve(struct llmc_scratch *scratch, const struct llmc_model *model, int64_t length)
{
    llmc_status status = LLMC_OK;
    int32_t width = model->architecture.hidden / model->architecture.heads;
    if (length <= scratch->length_max)
        return LLMC_OK;
    llmc_scratch_release(scratch);
    LLMC_TRY(llmc_alloc(&scratch->numbers, llmc_head_scratch(length, width), sizeof(float)));
    scratch->length_max = length;
exit:
    if (status != LLMC_OK)
        llmc_scratch_release(scratch);
    return status;
}

void llmc_scratch_release(struct llmc_scratch *scratch)
{
    free(scratch->numbers);
    memset(scratch, 0, sizeof *scratch);
}
