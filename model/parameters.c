#include "model/parameters.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Whether the parameter behind this one must follow without a gap. */
static int joins_next(const struct entry *entry)
{
    return strstr(entry->name, "self.query") || strstr(entry->name, "self.key");
}

static void add_parameter(struct llmc_parameters *p, const struct entry *entry, const char *prefix)
{
    struct llmc_parameter *parameter = &p->table[p->count++];
    snprintf(parameter->name, sizeof parameter->name, "%s%s", prefix, entry->name);
    parameter->kind = entry->kind;
    parameter->rows = extent_of(&p->architecture, entry->rows);
    parameter->cols = extent_of(&p->architecture, entry->cols);
    parameter->offset = p->total;
    p->total += parameter->rows * parameter->cols;
    if (!joins_next(entry))
        p->total = (p->total + 15) / 16 * 16;
}

llmc_status llmc_parameters_init(struct llmc_parameters *p, const struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    memset(p, 0, sizeof *p);
    LLMC_TRY(llmc_architecture_check(architecture));
    p->architecture = *architecture;
    LLMC_TRY(llmc_alloc(&p->table, (size_t)llmc_head_parameter(architecture, LLMC_HEAD_PARAMETERS), sizeof *p->table));
    for (int i = 0; i < LLMC_FIRST_LAYER; i++)
        add_parameter(p, &embedding_entries[i], "bert.embeddings.");
    p->dense_begin = p->table[LLMC_POSITIONS].offset;
    for (int32_t layer = 0; layer < architecture->layers; layer++) {
        char prefix[48];
        snprintf(prefix, sizeof prefix, "bert.encoder.layer.%d.", layer);
        for (int i = 0; i < LLMC_LAYER_PARAMETERS; i++)
            add_parameter(p, &layer_entries[i], prefix);
    }
    for (int i = 0; i < LLMC_HEAD_PARAMETERS; i++)
        add_parameter(p, &head_entries[i], "");
    LLMC_TRY(llmc_alloc(&p->values, (size_t)p->total, sizeof *p->values));
exit:
    if (status != LLMC_OK)
        llmc_parameters_release(p);
    return status;
}

void llmc_parameters_release(struct llmc_parameters *p)
{
    free(p->table);
    free(p->values);
    free(p->mask);
    memset(p, 0, sizeof *p);
}

float *llmc_parameter_values(const struct llmc_parameters *p, int32_t index)
{
    return p->values + p->table[index].offset;
}

void llmc_parameter_randomize(struct llmc_parameters *p, int32_t index, uint64_t seed)
{
    const struct llmc_parameter *parameter = &p->table[index];
    float *values = llmc_parameter_values(p, index);
    int64_t count = parameter->rows * parameter->cols;
    if (parameter->kind == LLMC_PARAMETER_VECTOR) {
        float value = strstr(parameter->name, "LayerNorm.weight") ? 1.0f : 0.0f;
        for (int64_t i = 0; i < count; i++)
            values[i] = value;
        return;
    }
    uint64_t key = llmc_random_key(seed, 0x696e6974, (uint64_t)index);
    for (int64_t i = 0; i < count; i++) { /* Box and Muller, 1958 */
        double radius = sqrt(-2.0 * log(llmc_random_uniform(key, 2 * (uint64_t)i)));
        double angle = 6.283185307179586 * llmc_random_uniform(key, 2 * (uint64_t)i + 1);
        values[i] = (float)(0.02 * radius * cos(angle));
    }
}

llmc_status llmc_parameters_make_mask(struct llmc_parameters *p)
{
    size_t count = (size_t)(p->total - p->dense_begin);
    if (p->mask)
        return LLMC_OK;
    llmc_status status = llmc_alloc(&p->mask, count, 1);
    if (status == LLMC_OK)
        memset(p->mask, 1, count);
    return status;
}

void llmc_parameter_apply_mask(struct llmc_parameters *p, int32_t index)
{
    const struct llmc_parameter *parameter = &p->table[index];
    int64_t count = parameter->rows * parameter->cols;
    if (!p->mask || parameter->kind != LLMC_PARAMETER_LINEAR)
        return;
    float *values = llmc_parameter_values(p, index);
    const uint8_t *mask = p->mask + (parameter->offset - p->dense_begin);
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < count; i++)
        values[i] = mask[i] ? values[i] : 0;
}

int64_t llmc_parameters_count(const struct llmc_parameters *p, int64_t *nonzero)
{
    int64_t count = 0, set = 0;
    for (int32_t i = 0; i < p->count; i++)
        count += p->table[i].rows * p->table[i].cols;
    for (int64_t i = 0; i < p->total; i++)
        set += p->values[i] != 0; /* padding is zero */
    if (nonzero)
        *nonzero = set;
    return count;
}
