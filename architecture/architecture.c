#include "architecture/architecture.h"

#include <stddef.h>
#include <string.h>

static const char *const activation_names[] = {
    [LLMC_GELU] = "gelu", [LLMC_GELU_TANH] = "gelu_new", [LLMC_RELU] = "relu"};

static const struct {
    const char *name;
    size_t offset;
    int32_t max;
} limits[] = {
    {"vocabulary", offsetof(struct llmc_architecture, vocabulary), 1 << 22},
    {"positions", offsetof(struct llmc_architecture, positions), 1 << 16},
    {"types", offsetof(struct llmc_architecture, types), 256},
    {"hidden", offsetof(struct llmc_architecture, hidden), 1 << 13},
    {"layers", offsetof(struct llmc_architecture, layers), 128},
    {"heads", offsetof(struct llmc_architecture, heads), 1 << 10},
    {"ffn", offsetof(struct llmc_architecture, ffn), 1 << 16},
    {"labels", offsetof(struct llmc_architecture, labels), 1 << 16},
};

llmc_status llmc_architecture_check(const struct llmc_architecture *architecture)
{
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        int32_t value;
        memcpy(&value, (const char *)architecture + limits[i].offset, sizeof value);
        if (value < 1 || value > limits[i].max)
            return llmc_error(LLMC_ERR_FORMAT, "%s is %d; legal are 1 to %d", limits[i].name, value, limits[i].max);
    }
    if (architecture->hidden % architecture->heads != 0)
        return llmc_error(LLMC_ERR_FORMAT, "hidden (%d) is no multiple of heads (%d)", architecture->hidden,
                          architecture->heads);
    if (!(architecture->norm_epsilon > 0 && architecture->norm_epsilon < 1))
        return llmc_error(LLMC_ERR_FORMAT, "norm_epsilon is %g; legal is above 0, below 1",
                          (double)architecture->norm_epsilon);
    return LLMC_OK;
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
    return llmc_error(LLMC_ERR_UNSUPPORTED, "activation function \"%s\"; legal are gelu, gelu_new, relu", name);
}
