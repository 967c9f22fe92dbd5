#include "architecture/architecture.h"

#include <stddef.h>
#include <string.h>

static const char *const activation_names[] = {
    [LLMC_GELU] = "gelu", [LLMC_GELU_TANH] = "gelu_new", [LLMC_RELU] = "relu"};

enum { HEADS_MAX = 1 << 10, WIDTH_MAX = 1 << 13, FFN_MAX = 1 << 16 };

static const struct {
    const char *name;
    size_t offset;
    int32_t max;
} limits[] = {
    {"vocabulary", offsetof(struct llmc_architecture, vocabulary), 1 << 22},
    {"positions", offsetof(struct llmc_architecture, positions), 1 << 16},
    {"types", offsetof(struct llmc_architecture, types), 256},
    {"hidden", offsetof(struct llmc_architecture, hidden), WIDTH_MAX},
    {"head_width", offsetof(struct llmc_architecture, head_width), WIDTH_MAX},
    {"layers", offsetof(struct llmc_architecture, layers), LLMC_LAYERS_MAX},
    {"labels", offsetof(struct llmc_architecture, labels), 1 << 16},
};

/* layer -1: of all layers. */
static llmc_status check_limit(const char *name, int32_t layer, int32_t value, int32_t max)
{
    if (value >= 1 && value <= max)
        return LLMC_OK;
    llmc_status status = llmc_error(LLMC_ERR_FORMAT, "%s is %d; allowed values are 1 to %d", name, value, max);
    return layer < 0 ? status : llmc_error_prefix(status, "layer %d", layer);
}

llmc_status llmc_architecture_set_layers(struct llmc_architecture *a, int32_t layers, int32_t heads, int32_t ffn)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(check_limit("hidden", -1, a->hidden, WIDTH_MAX));
    LLMC_TRY(check_limit("layers", -1, layers, LLMC_LAYERS_MAX));
    LLMC_TRY(check_limit("heads", -1, heads, HEADS_MAX));
    LLMC_TRY(check_limit("ffn", -1, ffn, FFN_MAX));
    if (a->hidden % heads != 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "hidden (%d) is no multiple of heads (%d)", a->hidden, heads);
    a->head_width = a->hidden / heads;
    a->layers = layers;
    memset(a->layer, 0, sizeof a->layer);
    for (int32_t i = 0; i < layers; i++)
        a->layer[i] = (struct llmc_layer_shape){heads, ffn};
exit:
    return status;
}

bool llmc_architecture_is_even(const struct llmc_architecture *a)
{
    for (int32_t i = 0; i < a->layers; i++)
        if (llmc_architecture_attention(a, i) != a->hidden || a->layer[i].ffn != a->layer[0].ffn)
            return false;
    return true;
}

int32_t llmc_architecture_attention(const struct llmc_architecture *a, int32_t layer)
{
    return a->layer[layer].heads * a->head_width;
}

struct llmc_layer_shape llmc_architecture_widest(const struct llmc_architecture *a)
{
    struct llmc_layer_shape widest = {0, 0};
    for (int32_t i = 0; i < a->layers; i++) {
        widest.heads = a->layer[i].heads > widest.heads ? a->layer[i].heads : widest.heads;
        widest.ffn = a->layer[i].ffn > widest.ffn ? a->layer[i].ffn : widest.ffn;
    }
    return widest;
}

static llmc_status check_layer(const struct llmc_architecture *a, int32_t layer)
{
    llmc_status status = LLMC_OK;
    const struct llmc_layer_shape *shape = &a->layer[layer];
    LLMC_TRY(check_limit("heads", layer, shape->heads, HEADS_MAX));
    LLMC_TRY(check_limit("ffn", layer, shape->ffn, FFN_MAX));
    if (shape->heads > WIDTH_MAX / a->head_width)
        LLMC_FAIL(LLMC_ERR_FORMAT, "layer %d: %d heads of width %d; allowed are %d numbers together", layer,
                  shape->heads, a->head_width, WIDTH_MAX);
exit:
    return status;
}

llmc_status llmc_architecture_check(const struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        int32_t value;
        memcpy(&value, (const char *)architecture + limits[i].offset, sizeof value);
        LLMC_TRY(check_limit(limits[i].name, -1, value, limits[i].max));
    }
    for (int32_t i = 0; i < architecture->layers; i++)
        LLMC_TRY(check_layer(architecture, i));
    if (architecture->embedding_rank < 0 || architecture->embedding_rank > architecture->hidden)
        LLMC_FAIL(LLMC_ERR_FORMAT, "embedding_rank is %d; allowed are 0 to hidden, %d", architecture->embedding_rank,
                  architecture->hidden);
    if (!(architecture->norm_epsilon > 0 && architecture->norm_epsilon < 1))
        LLMC_FAIL(LLMC_ERR_FORMAT, "norm_epsilon is %g; allowed is above 0, below 1",
                  (double)architecture->norm_epsilon);
exit:
    return status;
}

const char *llmc_activation_name(enum llmc_activation activation)
{
    return activation_names[activation];
}

llmc_status llmc_activation_parse(const char *name, enum llmc_activation *activation)
{
    for (size_t i = 0; i < sizeof activation_names / sizeof activation_names[0]; i++) {
        if (strcmp(name, activation_names[i]) == 0) {
            *activation = (enum llmc_activation)i;
            return LLMC_OK;
        }
    }
    return llmc_error(LLMC_ERR_UNSUPPORTED, "activation function \"%s\"; allowed are gelu, gelu_new, relu", name);
}
