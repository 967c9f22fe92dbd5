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

llmc_status llmc_rt_work_reserve(struct llmc_rt_work *work, const struct llmc_model *model, int64_t tokens)
{
    llmc_status status = LLMC_OK;
    size_t hidden = (size_t)model->architecture.hidden, count = (size_t)tokens;
    struct llmc_layer_shape widest = llmc_architecture_widest(&model->architecture);
    int32_t ffn = widest.ffn, attention = widest.heads * model->architecture.head_width;
    if (tokens <= work->tokens_max)
        return LLMC_OK;
    llmc_rt_work_release(work);
    LLMC_TRY(llmc_alloc(&work->x, count, hidden * sizeof(float)));
    LLMC_TRY(llmc_alloc(&work->y, count, hidden * sizeof(float)));
    LLMC_TRY(llmc_alloc(&work->x_u8, count, round_up(model->architecture.hidden, LLMC_K_STEP)));
    LLMC_TRY(llmc_alloc(&work->context_u8, count, round_up(attention, LLMC_K_STEP)));
    LLMC_TRY(llmc_alloc(&work->ffn_u8, count, round_up(ffn, LLMC_K_STEP)));
    if (needs_floats(model)) {
        LLMC_TRY(llmc_alloc(&work->context, count, (size_t)attention * sizeof(float)));
        LLMC_TRY(llmc_alloc(&work->ffn, count, (size_t)ffn * sizeof(float)));
    }
    work->tokens_max = tokens;
exit:
    if (status != LLMC_OK)
        llmc_rt_work_release(work);
    return status;
}

void llmc_rt_work_release(struct llmc_rt_work *work)
{
    free(work->x);
    free(work->y);
    free(work->context);
    free(work->ffn);
    free(work->x_u8);
    free(work->context_u8);
    free(work->ffn_u8);
    memset(work, 0, sizeof *work);
}

enum { QKV_NUMBERS = 1 << 17 }; /* 512 KB */

/* Columns of panels that so many heads may touch: they need not begin with a panel. */
static int64_t columns_at_once(const struct llmc_architecture *architecture, int32_t heads)
{
    return (int64_t)round_up((int64_t)heads * architecture->head_width + LLMC_PANEL - 1, LLMC_PANEL);
}

int32_t llmc_rt_heads_at_once(const struct llmc_architecture *architecture, int32_t heads, int64_t tokens)
{
    while (heads > 1 && 3 * tokens * columns_at_once(architecture, heads) > QKV_NUMBERS)
        heads--;
    return heads;
}

llmc_status llmc_rt_scratch_reserve(struct llmc_rt_scratch *scratch, const struct llmc_model *model, int64_t tokens,
                                    int64_t length)
{
    llmc_status status = LLMC_OK;
    const struct llmc_architecture *architecture = &model->architecture;
    int64_t one = 3 * tokens * columns_at_once(architecture, 1), count = one > QKV_NUMBERS ? one : QKV_NUMBERS;
    if (length > scratch->length_max) {
        free(scratch->numbers);
        scratch->length_max = 0;
        LLMC_TRY(llmc_alloc(&scratch->numbers, llmc_rt_head_scratch(length, architecture->head_width),
                            sizeof(float)));
        scratch->length_max = length;
    }
    if (count > scratch->qkv_count) {
        free(scratch->qkv);
        scratch->qkv_count = 0;
        LLMC_TRY(llmc_alloc_unset(&scratch->qkv, (size_t)count, sizeof(float)));
        scratch->qkv_count = count;
    }
exit:
    return status;
}

void llmc_rt_scratch_release(struct llmc_rt_scratch *scratch)
{
    free(scratch->numbers);
    free(scratch->qkv);
    memset(scratch, 0, sizeof *scratch);
}
