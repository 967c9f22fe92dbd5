#include "formats/checkpoint/architecture.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
} fields[] = {
#define FIELD(name) {#name, offsetof(struct llmc_architecture, name)}
    FIELD(vocabulary), FIELD(positions), FIELD(types), FIELD(hidden),
    FIELD(layers),     FIELD(heads),     FIELD(ffn),   FIELD(labels),
#undef FIELD
};

llmc_status llmc_checkpoint_write_architecture(struct llmc_h5 *file, const struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int32_t value;
        memcpy(&value, (const char *)architecture + fields[i].offset, sizeof value);
        LLMC_TRY(llmc_h5_write_int(file, "", fields[i].name, value));
    }
    LLMC_TRY(llmc_h5_write_text(file, "", "activation", llmc_activation_name(architecture->activation)));
    LLMC_TRY(llmc_h5_write_double(file, "", "norm_epsilon", architecture->norm_epsilon));
exit:
    return status;
}

llmc_status llmc_checkpoint_read_architecture(struct llmc_h5 *file, struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    char *activation = NULL;
    double norm_epsilon;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int64_t wide;
        LLMC_TRY(llmc_h5_read_int(file, "", fields[i].name, &wide));
        int32_t value = (int32_t)wide;
        if (value != wide)
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: attribute \"%s\" is %lld", llmc_h5_path(file), fields[i].name, (long long)wide);
        memcpy((char *)architecture + fields[i].offset, &value, sizeof value);
    }
    LLMC_TRY(llmc_h5_read_text(file, "", "activation", &activation));
    LLMC_TRY(llmc_h5_read_double(file, "", "norm_epsilon", &norm_epsilon));
    architecture->norm_epsilon = (float)norm_epsilon;
    status = llmc_activation_parse(activation, &architecture->activation);
    if (status == LLMC_OK)
        status = llmc_architecture_check(architecture);
    if (status != LLMC_OK)
        status = llmc_error_prefix(status, "%s", llmc_h5_path(file));
exit:
    free(activation);
    return status;
}
