#include "architecture/parameter.h"

#include <stdio.h>

/* A row of the encoder's table, and where it is used. */
struct place {
    const struct llmc_parameter_row *row;
    int32_t layer; /* of a layer's parameter; of the head's: behind the last; of the embeddings': -1 */
};

/* row NULL: past the last one. */
static struct place find(const struct llmc_architecture *a, int32_t index)
{
    const struct llmc_encoder *encoder = &llmc_encoder_bert;
    int32_t in_layers = index - LLMC_FIRST_LAYER;
    int32_t in_head = in_layers - a->layers * LLMC_LAYER_PARAMETERS;
    if (index < 0 || in_head >= LLMC_HEAD_PARAMETERS)
        return (struct place){NULL, -1};
    if (in_layers < 0)
        return (struct place){&encoder->embeddings[index], -1};
    if (in_head < 0)
        return (struct place){&encoder->layer[in_layers % LLMC_LAYER_PARAMETERS], in_layers / LLMC_LAYER_PARAMETERS};
    return (struct place){&encoder->head[in_head], a->layers};
}

static int64_t extent_of(const struct llmc_architecture *a, int32_t layer, enum llmc_extent extent)
{
    switch (extent) {
    case LLMC_EXTENT_HIDDEN: return a->hidden;
    case LLMC_EXTENT_ATTENTION: return llmc_architecture_attention(a, layer);
    case LLMC_EXTENT_FFN: return a->layer[layer].ffn;
    case LLMC_EXTENT_LABELS: return a->labels;
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

int32_t llmc_head_parameter(const struct llmc_architecture *architecture, int32_t which)
{
    return llmc_layer_parameter(architecture->layers, which);
}

bool llmc_parameter_describe(const struct llmc_architecture *architecture, int32_t index,
                             char name[LLMC_PARAMETER_NAME_NBYTES], enum llmc_parameter_kind *kind, int64_t *rows,
                             int64_t *cols)
{
    struct place place = find(architecture, index);
    if (!place.row)
        return false;
    if (place.layer < 0)
        snprintf(name, LLMC_PARAMETER_NAME_NBYTES, "%s%s", llmc_encoder_bert.embedding_prefix, place.row->name);
    else if (place.layer < architecture->layers)
        snprintf(name, LLMC_PARAMETER_NAME_NBYTES, "%s%d.%s", llmc_encoder_bert.layer_prefix, place.layer,
                 place.row->name);
    else
        snprintf(name, LLMC_PARAMETER_NAME_NBYTES, "%s", place.row->name);
    *kind = place.row->kind;
    *rows = extent_of(architecture, place.layer, place.row->rows);
    *cols = extent_of(architecture, place.layer, place.row->cols);
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
    struct place place = find(architecture, index);
    if (!place.row || place.row->site == LLMC_SITE_NONE)
        return -1;
    return place.layer * LLMC_LAYER_SITES + (int32_t)place.row->site;
}
