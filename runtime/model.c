#include "runtime/model.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Takes the tensors of a checkpoint in their order (base/parameter.h). */
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

static void take_table(struct llmc_table *out, struct source *source)
{
    struct llmc_compressed_tensor *tensor = take(source, 1);
    *out = (struct llmc_table){tensor->number, (int32_t)tensor->cols, tensor->data, tensor->scales};
    tensor->data = NULL;
    tensor->scales = NULL;
}

static llmc_status take_norm(struct llmc_norm *out, struct source *source)
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

/* `count` weights, then their biases. */
static llmc_status take_linear(struct llmc_linear *out, struct source *source, int count)
{
    struct llmc_compressed_tensor *tensors = take(source, 2 * count);
    llmc_status status = llmc_linear_pack(out, tensors, tensors + count, count);
    drop(tensors, 2 * count);
    return status;
}

static llmc_status take_parameters(struct llmc_model *model, struct source *source)
{
    llmc_status status = LLMC_OK;
    take_table(&model->words, source);
    take_table(&model->positions, source);
    take_table(&model->types, source);
    LLMC_TRY(take_norm(&model->embedding_norm, source));
    LLMC_TRY(llmc_alloc(&model->layers, (size_t)model->architecture.layers, sizeof *model->layers));
    for (int32_t i = 0; i < model->architecture.layers; i++) {
        struct llmc_layer *layer = &model->layers[i];
        LLMC_TRY(take_linear(&layer->qkv, source, 3));
        LLMC_TRY(take_linear(&layer->attention_output, source, 1));
        LLMC_TRY(take_norm(&layer->attention_norm, source));
        LLMC_TRY(take_linear(&layer->intermediate, source, 1));
        LLMC_TRY(take_linear(&layer->output, source, 1));
        LLMC_TRY(take_norm(&layer->output_norm, source));
    }
    LLMC_TRY(take_linear(&model->pooler, source, 1));
    LLMC_TRY(take_linear(&model->classifier, source, 1));
exit:
    return status;
}

llmc_status llmc_model_open(struct llmc_model **out, const char *path)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed content = {0};
    struct llmc_model *model = NULL;
    *out = NULL;
    LLMC_TRY(llmc_compressed_read(path, &content));
    LLMC_TRY(llmc_alloc(&model, 1, sizeof *model));
    model->architecture = content.architecture;
    model->tokens_max = content.tokens_max;
    model->kernels = llmc_kernels_choose(llmc_cpu_features());
    model->labels = content.labels;
    content.labels = NULL;
    LLMC_TRY(llmc_tokenizer_create(&model->tokenizer, content.vocabulary, content.vocabulary_nbytes, &content.rules,
                                   path));
    LLMC_TRY(take_parameters(model, &(struct source){&content, 0}));
    *out = model;
    model = NULL;
exit:
    llmc_compressed_release(&content);
    llmc_model_free(model);
    return status;
}

static void release_table(struct llmc_table *table)
{
    free(table->data);
    free(table->scales);
}

static void release_norm(struct llmc_norm *norm)
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
    release_table(&model->words);
    release_table(&model->positions);
    release_table(&model->types);
    release_norm(&model->embedding_norm);
    for (int32_t i = 0; model->layers && i < model->architecture.layers; i++) {
        struct llmc_layer *layer = &model->layers[i];
        llmc_linear_release(&layer->qkv);
        llmc_linear_release(&layer->attention_output);
        llmc_linear_release(&layer->intermediate);
        llmc_linear_release(&layer->output);
        release_norm(&layer->attention_norm);
        release_norm(&layer->output_norm);
    }
    free(model->layers);
    llmc_linear_release(&model->pooler);
    llmc_linear_release(&model->classifier);
    llmc_tokenizer_free(model->tokenizer);
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

const char *llmc_model_kernels(const struct llmc_model *model)
{
    return model->kernels->name;
}

const char *llmc_runtime_version(void)
{
    return LLMC_VERSION;
}
