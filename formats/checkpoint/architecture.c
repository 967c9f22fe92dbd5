#include "formats/checkpoint/architecture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
} fields[] = {
#define FIELD(name) {#name, offsetof(struct llmc_architecture, name)}
    FIELD(vocabulary), FIELD(positions), FIELD(types), FIELD(hidden), FIELD(layers),
#undef FIELD
};

/* "layers/127" */
enum { GROUP_NBYTES = 24 };

static void name_layer(char group[GROUP_NBYTES], int32_t layer)
{
    snprintf(group, GROUP_NBYTES, "layers/%d", layer);
}

static llmc_status write_layers(struct llmc_h5 *file, const struct llmc_architecture *a)
{
    llmc_status status = LLMC_OK;
    char group[GROUP_NBYTES];
    LLMC_TRY(llmc_h5_write_int(file, "", "head_width", a->head_width));
    for (int32_t i = 0; i < a->layers; i++) {
        name_layer(group, i);
        LLMC_TRY(llmc_h5_write_int(file, group, "heads", a->layer[i].heads));
        LLMC_TRY(llmc_h5_write_int(file, group, "ffn", a->layer[i].ffn));
    }
exit:
    return status;
}

/* All but the layers. */
static llmc_status write_fields(struct llmc_h5 *file, const struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int32_t value;
        memcpy(&value, (const char *)architecture + fields[i].offset, sizeof value);
        LLMC_TRY(llmc_h5_write_int(file, "", fields[i].name, value));
    }
    LLMC_TRY(llmc_h5_write_int(file, "", "labels", architecture->labels));
    if (architecture->embedding_rank)
        LLMC_TRY(llmc_h5_write_int(file, "", "embedding_rank", architecture->embedding_rank));
    LLMC_TRY(llmc_h5_write_text(file, "", "activation", llmc_activation_name(architecture->activation)));
    LLMC_TRY(llmc_h5_write_double(file, "", "norm_epsilon", architecture->norm_epsilon));
exit:
    return status;
}

llmc_status llmc_checkpoint_write_architecture(struct llmc_h5 *file, const struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(write_fields(file, architecture));
    if (!llmc_architecture_is_even(architecture))
        return write_layers(file, architecture);
    LLMC_TRY(llmc_h5_write_int(file, "", "heads", architecture->layer[0].heads));
    LLMC_TRY(llmc_h5_write_int(file, "", "ffn", architecture->layer[0].ffn));
exit:
    return status;
}

llmc_status llmc_checkpoint_write_shape(struct llmc_h5 *file, const struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    int32_t table[LLMC_LAYERS_MAX][2];
    for (int32_t i = 0; i < architecture->layers; i++) {
        table[i][0] = architecture->layer[i].heads;
        table[i][1] = architecture->layer[i].ffn;
    }
    LLMC_TRY(write_fields(file, architecture));
    LLMC_TRY(llmc_h5_write_int(file, "", "head_width", architecture->head_width));
    status = llmc_h5_write(file, "layers", LLMC_I32, 2, (int64_t[]){architecture->layers, 2}, table, 0);
exit:
    return status;
}

static llmc_status read_integer(struct llmc_h5 *file, const char *group, const char *name, int32_t *out)
{
    int64_t wide;
    llmc_status status = llmc_h5_read_int(file, group, name, &wide);
    if (status != LLMC_OK)
        return status;
    *out = (int32_t)wide;
    if (*out != wide)
        return llmc_error(LLMC_ERR_FORMAT, "%s: attribute \"%s\" is %lld", llmc_h5_path(file), name, (long long)wide);
    return LLMC_OK;
}

static llmc_status read_even_layers(struct llmc_h5 *file, struct llmc_architecture *a)
{
    llmc_status status = LLMC_OK;
    int32_t heads, ffn;
    LLMC_TRY(read_integer(file, "", "heads", &heads));
    LLMC_TRY(read_integer(file, "", "ffn", &ffn));
    status = llmc_architecture_set_layers(a, a->layers, heads, ffn);
    if (status != LLMC_OK)
        status = llmc_error_prefix(status, "%s", llmc_h5_path(file));
exit:
    return status;
}

/* Layers that differ: `groups` of them are in the file. */
static llmc_status read_layers(struct llmc_h5 *file, struct llmc_architecture *a, size_t groups)
{
    llmc_status status = LLMC_OK;
    char group[GROUP_NBYTES];
    if (a->layers < 1 || a->layers > LLMC_LAYERS_MAX || groups != (size_t)a->layers)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: layers is %d, but the file describes %zu; allowed are equal numbers up to %d",
                  llmc_h5_path(file), a->layers, groups, LLMC_LAYERS_MAX);
    LLMC_TRY(read_integer(file, "", "head_width", &a->head_width));
    for (int32_t i = 0; i < a->layers; i++) {
        name_layer(group, i);
        LLMC_TRY(read_integer(file, group, "heads", &a->layer[i].heads));
        LLMC_TRY(read_integer(file, group, "ffn", &a->layer[i].ffn));
    }
exit:
    return status;
}

static llmc_status read_fields(struct llmc_h5 *file, struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    char *activation = NULL;
    double norm_epsilon;
    memset(architecture, 0, sizeof *architecture);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int32_t value;
        LLMC_TRY(read_integer(file, "", fields[i].name, &value));
        memcpy((char *)architecture + fields[i].offset, &value, sizeof value);
    }
    LLMC_TRY(read_integer(file, "", "labels", &architecture->labels));
    if (llmc_h5_has_attribute(file, "embedding_rank"))
        LLMC_TRY(read_integer(file, "", "embedding_rank", &architecture->embedding_rank));
    LLMC_TRY(llmc_h5_read_text(file, "", "activation", &activation));
    LLMC_TRY(llmc_h5_read_double(file, "", "norm_epsilon", &norm_epsilon));
    architecture->norm_epsilon = (float)norm_epsilon;
    status = llmc_activation_parse(activation, &architecture->activation);
    if (status != LLMC_OK)
        status = llmc_error_prefix(status, "%s", llmc_h5_path(file));
exit:
    free(activation);
    return status;
}

static llmc_status check(const struct llmc_h5 *file, const struct llmc_architecture *architecture)
{
    llmc_status status = llmc_architecture_check(architecture);
    return status == LLMC_OK ? LLMC_OK : llmc_error_prefix(status, "%s", llmc_h5_path(file));
}

llmc_status llmc_checkpoint_read_architecture(struct llmc_h5 *file, struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    char **groups = NULL;
    size_t group_count = 0;
    LLMC_TRY(read_fields(file, architecture));
    LLMC_TRY(llmc_h5_list_groups(file, "layers", &groups, &group_count));
    LLMC_TRY(group_count ? read_layers(file, architecture, group_count) : read_even_layers(file, architecture));
    status = check(file, architecture);
exit:
    for (size_t i = 0; i < group_count; i++)
        free(groups[i]);
    free(groups);
    return status;
}

llmc_status llmc_checkpoint_read_shape(struct llmc_h5 *file, struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    int32_t table[LLMC_LAYERS_MAX][2];
    LLMC_TRY(read_fields(file, architecture));
    if (architecture->layers < 1 || architecture->layers > LLMC_LAYERS_MAX)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: layers is %d; allowed are 1 to %d", llmc_h5_path(file), architecture->layers,
                  LLMC_LAYERS_MAX);
    LLMC_TRY(read_integer(file, "", "head_width", &architecture->head_width));
    LLMC_TRY(llmc_h5_read(file, "layers", LLMC_I32, 2, (int64_t[]){architecture->layers, 2}, table));
    for (int32_t i = 0; i < architecture->layers; i++)
        architecture->layer[i] = (struct llmc_layer_shape){.heads = table[i][0], .ffn = table[i][1]};
    status = check(file, architecture);
exit:
    return status;
}
