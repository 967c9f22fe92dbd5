#include "runtime/layer_time.h"

#include "base/memory.h"
#include "base/random.h"
#include "include/llmc_runtime.h"
#include "runtime/forward.h"
#include "runtime/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Equal layers before the last one of a model, each with weights of its own as in a real one; they are the difference to
 * a model of one layer. Passes, of which the shortest counts. */
enum { LAYERS = 3, PASSES = 24, WARM_UP = 2 };

static llmc_status random_linear(struct llmc_rt_linear *out, int64_t rows, int64_t cols, int count, bool integer,
                                 uint64_t key)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed_tensor weight = {.number = LLMC_I8,
                                            .bits = 8,
                                            .rows = rows,
                                            .cols = cols,
                                            .has_input = integer,
                                            .input_scale = 0.03f,
                                            .input_zero_point = 128};
    struct llmc_compressed_tensor bias = {.number = LLMC_F32, .rows = 1, .cols = rows}, weights[3], biases[3];
    int8_t *integers;
    LLMC_TRY(llmc_alloc_unset(&weight.data, (size_t)(rows * cols), 1));
    LLMC_TRY(llmc_alloc(&weight.scales, (size_t)rows, sizeof *weight.scales));
    LLMC_TRY(llmc_alloc(&bias.data, (size_t)rows, sizeof(float)));
    integers = weight.data;
    for (int64_t i = 0; i < rows * cols; i++)
        integers[i] = (int8_t)((int)(llmc_random_u64(key, (uint64_t)i) % 255) - 127);
    for (int64_t i = 0; i < rows; i++)
        weight.scales[i] = 1.0f / (127.0f * sqrtf((float)cols));
    for (int i = 0; i < count; i++)
        weights[i] = weight, biases[i] = bias;
    LLMC_TRY(llmc_rt_linear_pack(out, weights, biases, count));
exit:
    free(weight.data);
    free(weight.scales);
    free(bias.data);
    return status;
}

static llmc_status unit_norm(struct llmc_rt_norm *norm, int32_t hidden)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_alloc(&norm->weight, (size_t)hidden, sizeof *norm->weight));
    LLMC_TRY(llmc_alloc(&norm->bias, (size_t)hidden, sizeof *norm->bias));
    for (int32_t i = 0; i < hidden; i++)
        norm->weight[i] = 1;
exit:
    return status;
}

static llmc_status random_layer(struct llmc_rt_layer *out, const struct llmc_architecture *a, int32_t index)
{
    llmc_status status = LLMC_OK;
    int64_t attention = llmc_architecture_attention(a, index), ffn = a->layer[index].ffn;
    uint64_t key = (uint64_t)index * 4;
    out->heads = a->layer[index].heads;
    LLMC_TRY(random_linear(&out->qkv, attention, a->hidden, 3, true, key));
    LLMC_TRY(random_linear(&out->attention_output, a->hidden, attention, 1, true, key + 1));
    LLMC_TRY(random_linear(&out->intermediate, ffn, a->hidden, 1, true, key + 2));
    LLMC_TRY(random_linear(&out->output, a->hidden, ffn, 1, true, key + 3));
    LLMC_TRY(unit_norm(&out->attention_norm, a->hidden));
    LLMC_TRY(unit_norm(&out->output_norm, a->hidden));
exit:
    return status;
}

/* Rows of an embedding that every token takes from row 0 on. */
static llmc_status random_table(struct llmc_rt_table *out, int64_t rows, int32_t cols)
{
    float *numbers;
    llmc_status status = llmc_alloc(&numbers, (size_t)(rows * cols), sizeof *numbers);
    if (status != LLMC_OK)
        return status;
    for (int64_t i = 0; i < rows * cols; i++)
        numbers[i] = (float)llmc_random_uniform(1, (uint64_t)i) - 0.5f;
    *out = (struct llmc_rt_table){.number = LLMC_F32, .cols = cols, .data = numbers};
    return LLMC_OK;
}

static llmc_status make_model(struct llmc_model **out, const struct llmc_architecture *a, int32_t length)
{
    llmc_status status = LLMC_OK;
    struct llmc_model *model;
    LLMC_TRY(llmc_alloc(out, 1, sizeof **out));
    model = *out;
    model->source.descriptor = -1;
    model->architecture = *a;
    model->kernels = llmc_rt_kernels_choose(llmc_cpu_features());
    LLMC_TRY(random_table(&model->words, 1, a->hidden));
    LLMC_TRY(random_table(&model->positions, length, a->hidden));
    LLMC_TRY(random_table(&model->types, 1, a->hidden));
    LLMC_TRY(unit_norm(&model->embedding_norm, a->hidden));
    LLMC_TRY(llmc_alloc(&model->layers, (size_t)a->layers, sizeof *model->layers));
    for (int32_t i = 0; i < a->layers; i++)
        LLMC_TRY(random_layer(&model->layers[i], a, i));
    LLMC_TRY(random_linear(&model->pooler, a->hidden, a->hidden, 1, true, 1));
    LLMC_TRY(random_linear(&model->classifier, a->labels, a->hidden, 1, false, 2));
exit:
    return status;
}

/* The time that this thread has computed, in seconds: other programs of the machine do not count. */
static double computed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The shortest of some passes of a model with these layers; *embedding = the shortest of their first part. */
static llmc_status time_passes(const struct llmc_architecture *a, const struct llmc_rt_sequences *sequences,
                               int32_t length, float *logits, double *seconds, double *embedding)
{
    llmc_status status = LLMC_OK;
    struct llmc_model *model = NULL;
    struct llmc_rt_work work = {0};
    struct llmc_rt_scratch scratch = {0};
    LLMC_TRY(make_model(&model, a, length));
    LLMC_TRY(llmc_rt_work_reserve(&work, model, LLMC_LAYER_TIME_TOKENS));
    LLMC_TRY(llmc_rt_scratch_reserve(&scratch, model, LLMC_LAYER_TIME_TOKENS, length));
    *seconds = *embedding = INFINITY;
    for (int pass = 0; pass < WARM_UP + PASSES; pass++) {
        struct llmc_rt_profile profile = {0};
        double start = computed();
        llmc_rt_forward(model, sequences, &work, &scratch, (struct llmc_rt_team){0, 1}, &profile, logits);
        double taken = computed() - start;
        if (pass < WARM_UP)
            continue;
        *seconds = fmin(*seconds, taken);
        *embedding = fmin(*embedding, profile.seconds[LLMC_PART_EMBEDDING]);
    }
exit:
    llmc_rt_work_release(&work);
    llmc_rt_scratch_release(&scratch);
    llmc_model_free(model);
    return status;
}

llmc_status llmc_rt_layer_time(const struct llmc_architecture *architecture, int32_t length, struct llmc_layer_time *out)
{
    llmc_status status = LLMC_OK;
    int32_t *ids = NULL, *offsets = NULL, count = 0;
    uint8_t *types = NULL;
    float *logits = NULL;
    double one, more, embedding;
    struct llmc_architecture a = *architecture;
    length = length < LLMC_LAYER_TIME_TOKENS ? length : LLMC_LAYER_TIME_TOKENS;
    a.labels = 1;
    for (int32_t i = 1; i <= LAYERS; i++)
        a.layer[i] = a.layer[0];
    LLMC_TRY(llmc_alloc(&ids, LLMC_LAYER_TIME_TOKENS, sizeof *ids));
    LLMC_TRY(llmc_alloc(&types, LLMC_LAYER_TIME_TOKENS, sizeof *types));
    LLMC_TRY(llmc_alloc(&offsets, LLMC_LAYER_TIME_TOKENS + 1, sizeof *offsets));
    LLMC_TRY(llmc_alloc(&logits, LLMC_LAYER_TIME_TOKENS, sizeof *logits));
    for (int32_t at = 0; at < LLMC_LAYER_TIME_TOKENS; offsets[++count] = at)
        at = at + length < LLMC_LAYER_TIME_TOKENS ? at + length : LLMC_LAYER_TIME_TOKENS;
    const struct llmc_rt_sequences sequences = {count, offsets, ids, types};
    a.layers = 1;
    LLMC_TRY(llmc_architecture_check(&a));
    LLMC_TRY(time_passes(&a, &sequences, length, logits, &one, &embedding));
    out->last = fmax(one - embedding, 0);
    a.layers = 1 + LAYERS;
    LLMC_TRY(time_passes(&a, &sequences, length, logits, &more, &embedding));
    out->inner = fmax(more - one, 0) / LAYERS;
exit:
    free(ids);
    free(types);
    free(offsets);
    free(logits);
    return status;
}

const char *llmc_rt_layer_time_kernels(void)
{
    return llmc_rt_kernels_choose(llmc_cpu_features())->name;
}
