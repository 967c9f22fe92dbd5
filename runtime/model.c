#include "runtime/model.h"

#include "base/memory.h"
#include "base/threads.h"
#include "include/llmc_runtime.h"
#include "runtime/unused.h"

#include <stdlib.h>
#include <string.h>

/* Takes the tensors of a checkpoint in their order (architecture/parameter.h). */
struct source {
    struct llmc_compressed *content;
    int32_t next;
};

static struct llmc_compressed_tensor *take(struct source *source, int count)
{
    struct llmc_compressed_tensor *tensor = &source->content->tensors[source->next];
    source->next += count;
    return tensor;
}

/* What was packed is not needed again: freed at once, to keep the peak memory low. */
static void drop(struct llmc_compressed_tensor *tensors, int count)
{
    for (int i = 0; i < count; i++) {
        free(tensors[i].data);
        free(tensors[i].scales);
        tensors[i].data = NULL;
        tensors[i].scales = NULL;
    }
}

static llmc_status take_norm(struct llmc_rt_norm *out, struct source *source)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed_tensor *tensors = take(source, 2);
    LLMC_TRY(llmc_alloc(&out->weight, (size_t)tensors[0].cols, sizeof *out->weight));
    LLMC_TRY(llmc_alloc(&out->bias, (size_t)tensors[1].cols, sizeof *out->bias));
    llmc_tensor_row(&tensors[0], 0, out->weight);
    llmc_tensor_row(&tensors[1], 0, out->bias);
    drop(tensors, 2);
exit:
    return status;
}

/* A layer to be packed: `count` weights, then their biases. */
struct packing {
    struct llmc_rt_linear *out;
    struct llmc_compressed_tensor *tensors;
    int count;
};

static void take_linear(struct packing *packing, struct llmc_rt_linear *out, struct source *source, int count)
{
    *packing = (struct packing){out, take(source, 2 * count), count};
}

enum { PARALLEL_NBYTES = 1 << 20 }; /* of weights: waking threads costs more than packing fewer does */

/* Side by side: it is a tenth of the start. */
static llmc_status pack_all(const struct packing *packings, int32_t count)
{
    int32_t failed = count;
    int64_t nbytes = 0;
    for (int32_t i = 0; i < count; i++)
        nbytes += packings[i].count * packings[i].tensors->rows * packings[i].tensors->cols;
#pragma omp parallel for num_threads(llmc_threads_all()) schedule(dynamic, 1) \
    reduction(min : failed) if (nbytes >= PARALLEL_NBYTES)
    for (int32_t i = 0; i < count; i++) {
        const struct packing *packing = &packings[i];
        if (llmc_rt_linear_pack(packing->out, packing->tensors, packing->tensors + packing->count, packing->count) !=
            LLMC_OK)
            failed = i < failed ? i : failed;
        drop(packing->tensors, 2 * packing->count);
    }
    /* Messages are kept per thread, and memory is all that packing can lack. */
    return failed == count ? LLMC_OK : llmc_error(LLMC_ERR_MEMORY, "cannot allocate memory for the weights");
}

/* Integers of words meet integers of the projection as they are: the rows' scales come behind the product. As inputs, the
 * words' integers are from 1 to 255, with zero point LLMC_RT_WORD_ZERO. */
static llmc_status take_projection(struct llmc_model *model, struct llmc_compressed_tensor *tensor)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed_tensor bias = {.number = LLMC_F32, .rows = 1, .cols = tensor->rows};
    if (model->words.number == LLMC_I8 && tensor->number == LLMC_I8) {
        tensor->has_input = true;
        tensor->input_scale = 1;
        tensor->input_zero_point = LLMC_RT_WORD_ZERO;
    }
    LLMC_TRY(llmc_alloc(&bias.data, (size_t)bias.cols, sizeof(float)));
    LLMC_TRY(llmc_rt_linear_pack(&model->projection, tensor, &bias, 1));
    drop(tensor, 1);
exit:
    free(bias.data);
    return status;
}

static llmc_status take_parameters(struct llmc_model *model, struct source *source)
{
    llmc_status status = LLMC_OK;
    enum { IN_LAYER = 4, IN_HEAD = 2 };
    int32_t layers = model->architecture.layers;
    struct packing *packings = NULL, *next;
    LLMC_TRY(llmc_alloc(&packings, (size_t)layers * IN_LAYER + IN_HEAD, sizeof *packings));
    next = packings;
    LLMC_TRY(llmc_rt_table_take(&model->words, take(source, 1)));
    LLMC_TRY(llmc_rt_table_take(&model->positions, take(source, 1)));
    LLMC_TRY(llmc_rt_table_take(&model->types, take(source, 1)));
    LLMC_TRY(take_norm(&model->embedding_norm, source));
    LLMC_TRY(llmc_alloc(&model->layers, (size_t)layers, sizeof *model->layers));
    for (int32_t i = 0; i < layers; i++) {
        struct llmc_rt_layer *layer = &model->layers[i];
        llmc_rt_unused_drop(&model->architecture, &source->content->tensors[source->next]);
        layer->heads = (int32_t)source->content->tensors[source->next].rows / model->architecture.head_width;
        take_linear(next++, &layer->qkv, source, 3);
        take_linear(next++, &layer->attention_output, source, 1);
        LLMC_TRY(take_norm(&layer->attention_norm, source));
        take_linear(next++, &layer->intermediate, source, 1);
        take_linear(next++, &layer->output, source, 1);
        LLMC_TRY(take_norm(&layer->output_norm, source));
    }
    take_linear(next++, &model->pooler, source, 1);
    take_linear(next++, &model->classifier, source, 1);
    if (model->architecture.embedding_rank)
        LLMC_TRY(take_projection(model, take(source, 1)));
    LLMC_TRY(pack_all(packings, layers * IN_LAYER + IN_HEAD));
exit:
    free(packings);
    return status;
}

/* What the source of `model` holds. */
static llmc_status load(struct llmc_model *model)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed content = {0};
    LLMC_TRY(llmc_compressed_read_source(&model->source, true, &content));
    model->architecture = content.architecture;
    model->tokens_max = content.tokens_max;
    model->kernels = llmc_rt_kernels_choose(llmc_cpu_features());
    model->labels = content.labels;
    content.labels = NULL;
    LLMC_TRY(llmc_tokenizer_create(&model->tokenizer, content.vocabulary, content.vocabulary_nbytes, &content.rules,
                                   model->name));
    LLMC_TRY(take_parameters(model, &(struct source){&content, 0}));
exit:
    llmc_compressed_release(&content);
    return status;
}

static llmc_status new_model(struct llmc_model **out, const char *name)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_alloc(out, 1, sizeof **out));
    (*out)->source.descriptor = -1;
    LLMC_TRY(llmc_strdup(&(*out)->name, name));
exit:
    return status;
}

llmc_status llmc_model_open(struct llmc_model **out, const char *path)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(new_model(out, path));
    LLMC_TRY(llmc_source_open(&(*out)->source, (*out)->name));
    LLMC_TRY(load(*out));
exit:
    if (status != LLMC_OK) {
        llmc_model_free(*out);
        *out = NULL;
    }
    return status;
}

llmc_status llmc_model_open_memory(struct llmc_model **out, const void *bytes, size_t nbytes)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(new_model(out, "memory"));
    llmc_source_memory(&(*out)->source, (*out)->name, bytes, nbytes);
    LLMC_TRY(load(*out));
exit:
    if (status != LLMC_OK) {
        llmc_model_free(*out);
        *out = NULL;
    }
    return status;
}

static void release_norm(struct llmc_rt_norm *norm)
{
    free(norm->weight);
    free(norm->bias);
}

void llmc_model_free(struct llmc_model *model)
{
    if (!model)
        return;
    for (int32_t i = 0; model->labels && i < model->architecture.labels; i++)
        free(model->labels[i]);
    free(model->labels);
    llmc_rt_table_release(&model->words);
    llmc_rt_table_release(&model->positions);
    llmc_rt_table_release(&model->types);
    release_norm(&model->embedding_norm);
    for (int32_t i = 0; model->layers && i < model->architecture.layers; i++) {
        struct llmc_rt_layer *layer = &model->layers[i];
        llmc_rt_linear_release(&layer->qkv);
        llmc_rt_linear_release(&layer->attention_output);
        llmc_rt_linear_release(&layer->intermediate);
        llmc_rt_linear_release(&layer->output);
        release_norm(&layer->attention_norm);
        release_norm(&layer->output_norm);
    }
    free(model->layers);
    llmc_rt_linear_release(&model->pooler);
    llmc_rt_linear_release(&model->classifier);
    llmc_rt_linear_release(&model->projection);
    llmc_tokenizer_free(model->tokenizer);
    llmc_source_close(&model->source);
    free(model->name);
    free(model);
}

int32_t llmc_model_label_count(const struct llmc_model *model)
{
    return model->architecture.labels;
}

const char *llmc_model_label(const struct llmc_model *model, int32_t label)
{
    return label >= 0 && label < model->architecture.labels ? model->labels[label] : NULL;
}

int32_t llmc_model_tokens_max(const struct llmc_model *model)
{
    return model->tokens_max;
}

llmc_status llmc_tokenize(const struct llmc_model *model, const char *text, const char *pair, int32_t *ids,
                          uint8_t *types, int32_t *count_ret)
{
    if (pair && model->architecture.types < 2)
        return llmc_error(LLMC_ERR_ARGUMENT, LLMC_NO_PAIRS);
    return llmc_tokenizer_encode(model->tokenizer, text, strlen(text), pair, pair ? strlen(pair) : 0,
                                 model->tokens_max, ids, types, count_ret);
}

const char *llmc_model_kernels(const struct llmc_model *model)
{
    return model->kernels->name;
}

const char *llmc_runtime_version(void)
{
    return LLMC_VERSION;
}
