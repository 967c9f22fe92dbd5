#include "architecture/parameter.h"

#include <stdio.h>

/* Shapes are products of these; ONE stands for a vector's row. */
enum extent { ONE, HIDDEN, FFN, LABELS, VOCABULARY, POSITIONS, TYPES };

struct entry {
    const char *name;
    enum llmc_parameter_kind kind;
    enum extent rows, cols;
};

static const struct entry embedding_entries[] = {
    {"word_embeddings.weight", LLMC_PARAMETER_EMBEDDING, VOCABULARY, HIDDEN},
    {"position_embeddings.weight", LLMC_PARAMETER_EMBEDDING, POSITIONS, HIDDEN},
    {"token_type_embeddings.weight", LLMC_PARAMETER_EMBEDDING, TYPES, HIDDEN},
    {"LayerNorm.weight", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
    {"LayerNorm.bias", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
};

static const struct entry layer_entries[] = {
    {"attention.self.query.weight", LLMC_PARAMETER_LINEAR, HIDDEN, HIDDEN},
    {"attention.self.key.weight", LLMC_PARAMETER_LINEAR, HIDDEN, HIDDEN},
    {"attention.self.value.weight", LLMC_PARAMETER_LINEAR, HIDDEN, HIDDEN},
    {"attention.self.query.bias", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
    {"attention.self.key.bias", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
    {"attention.self.value.bias", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
    {"attention.output.dense.weight", LLMC_PARAMETER_LINEAR, HIDDEN, HIDDEN},
    {"attention.output.dense.bias", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
    {"attention.output.LayerNorm.weight", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
    {"attention.output.LayerNorm.bias", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
    {"intermediate.dense.weight", LLMC_PARAMETER_LINEAR, FFN, HIDDEN},
    {"intermediate.dense.bias", LLMC_PARAMETER_VECTOR, ONE, FFN},
    {"output.dense.weight", LLMC_PARAMETER_LINEAR, HIDDEN, FFN},
    {"output.dense.bias", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
    {"output.LayerNorm.weight", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
    {"output.LayerNorm.bias", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
};

static const struct entry head_entries[] = {
    {"bert.pooler.dense.weight", LLMC_PARAMETER_LINEAR, HIDDEN, HIDDEN},
    {"bert.pooler.dense.bias", LLMC_PARAMETER_VECTOR, ONE, HIDDEN},
    {"classifier.weight", LLMC_PARAMETER_CLASSIFIER, LABELS, HIDDEN},
    {"classifier.bias", LLMC_PARAMETER_VECTOR, ONE, LABELS},
};

_Static_assert(sizeof embedding_entries / sizeof *embedding_entries == LLMC_FIRST_LAYER, "embedding table");
_Static_assert(sizeof layer_entries / sizeof *layer_entries == LLMC_LAYER_PARAMETERS, "layer table");
_Static_assert(sizeof head_entries / sizeof *head_entries == LLMC_HEAD_PARAMETERS, "head table");

static int64_t extent_of(const struct llmc_architecture *a, enum extent extent)
{
    switch (extent) {
    case HIDDEN: return a->hidden;
    case FFN: return a->ffn;
    case LABELS: return a->labels;
    case VOCABULARY: return a->vocabulary;
    case POSITIONS: return a->positions;
    case TYPES: return a->types;
    case ONE: break;
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
    const struct entry *entry;
    int32_t in_layers = index - LLMC_FIRST_LAYER;
    int32_t in_head = in_layers - architecture->layers * LLMC_LAYER_PARAMETERS;
    if (index < 0 || in_head >= LLMC_HEAD_PARAMETERS)
        return false;
    if (in_layers < 0) {
        entry = &embedding_entries[index];
        snprintf(name, LLMC_PARAMETER_NAME_NBYTES, "bert.embeddings.%s", entry->name);
    } else if (in_head < 0) {
        entry = &layer_entries[in_layers % LLMC_LAYER_PARAMETERS];
        snprintf(name, LLMC_PARAMETER_NAME_NBYTES, "bert.encoder.layer.%d.%s", in_layers / LLMC_LAYER_PARAMETERS,
                 entry->name);
    } else {
        entry = &head_entries[in_head];
        snprintf(name, LLMC_PARAMETER_NAME_NBYTES, "%s", entry->name);
    }
    *kind = entry->kind;
    *rows = extent_of(architecture, entry->rows);
    *cols = extent_of(architecture, entry->cols);
    return true;
}
