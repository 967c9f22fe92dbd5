#include "architecture/parameter.h"

#include <stdio.h>

const struct llmc_parameter_row *llmc_parameter_row(const struct llmc_architecture *a, int32_t index, int32_t *layer)
{
    const struct llmc_encoder *encoder = &llmc_encoder_bert;
    int32_t in_layers = index - LLMC_FIRST_LAYER;
    int32_t in_head = in_layers - a->layers * LLMC_LAYER_PARAMETERS;
    *layer = -1;
    if (index < 0 || index >= llmc_parameter_count(a))
        return NULL;
    if (in_layers < 0)
        return &encoder->embeddings[index];
    *layer = in_head < 0 ? in_layers / LLMC_LAYER_PARAMETERS : a->layers;
    return in_head < 0 ? &encoder->layer[in_layers % LLMC_LAYER_PARAMETERS] : &encoder->head[in_head];
}

static int64_t extent_of(const struct llmc_architecture *a, int32_t layer, enum llmc_extent extent)
{
    switch (extent) {
    case LLMC_EXTENT_HIDDEN: return a->hidden;
    case LLMC_EXTENT_ATTENTION: return llmc_architecture_attention(a, layer);
    case LLMC_EXTENT_FFN: return a->layer[layer].ffn;
    case LLMC_EXTENT_LABELS: return a->labels;
    case LLMC_EXTENT_WORD: return a->embedding_rank ? a->embedding_rank : a->hidden;
    case LLMC_EXTENT_VOCABULARY: return a->vocabulary;
    case LLMC_EXTENT_POSITIONS: return a->positions;
    case LLMC_EXTENT_TYPES: return a->types;
    case LLMC_EXTENT_ONE: break;
    }
    return 1;
}

int32_t llmc_layer_parameter(int32_t layer, int32_t which)
{
    return LLMC_FIRST_LAYER + layer * LLMC_LAYER_PARAMETERS + which;
}

int32_t llmc_parameter_count(const struct llmc_architecture *architecture)
{
    return llmc_head_parameter(architecture, LLMC_HEAD_PARAMETERS) + (architecture->embedding_rank > 0);
}

int32_t llmc_head_parameter(const struct llmc_architecture *architecture, int32_t which)
{
    return llmc_layer_parameter(architecture->layers, which);
}

bool llmc_parameter_describe(const struct llmc_architecture *architecture, int32_t index,
                             char name[LLMC_PARAMETER_NAME_NBYTES], enum llmc_parameter_kind *kind, int64_t *rows,
                             int64_t *cols)
{
    int32_t layer;
    const struct llmc_parameter_row *row = llmc_parameter_row(architecture, index, &layer);
    if (!row)
        return false;
    if (layer < 0)
        snprintf(name, LLMC_PARAMETER_NAME_NBYTES, "%s%s", llmc_encoder_bert.embedding_prefix, row->name);
    else if (layer < architecture->layers)
        snprintf(name, LLMC_PARAMETER_NAME_NBYTES, "%s%d.%s", llmc_encoder_bert.layer_prefix, layer, row->name);
    else
        snprintf(name, LLMC_PARAMETER_NAME_NBYTES, "%s", row->name);
    *kind = row->kind;
    *rows = extent_of(architecture, layer, row->rows);
    *cols = extent_of(architecture, layer, row->cols);
    return true;
}

bool llmc_parameter_takes_bits(enum llmc_parameter_kind kind)
{
    return kind == LLMC_PARAMETER_LINEAR || kind == LLMC_PARAMETER_EMBEDDING;
}

int32_t llmc_site_count(const struct llmc_architecture *architecture)
{
    return architecture->layers * LLMC_LAYER_SITES + 1;
}

int32_t llmc_site_of_parameter(const struct llmc_architecture *architecture, int32_t index)
{
    int32_t layer;
    const struct llmc_parameter_row *row = llmc_parameter_row(architecture, index, &layer);
    if (!row || row->site == LLMC_SITE_NONE)
        return -1;
    return layer * LLMC_LAYER_SITES + (int32_t)row->site;
}
