#include "formats/huggingface/model.h"

#include "base/random.h"

#include <stdio.h>
#include <string.h>

/* The stream of random numbers that a missing head starts from. */
enum { STREAM_HEAD = 103 };

static llmc_status read_parameter(struct llmc_parameters *p, int32_t index, const struct llmc_hf_folder *folder)
{
    const struct llmc_parameter *parameter = &p->table[index];
    const char *name = parameter->name;
    char stored[128];
    if (strncmp(name, "bert.", 5) == 0) {
        snprintf(stored, sizeof stored, "%s%s", folder->prefix, name + 5);
        name = stored;
    }
    return llmc_safetensors_read(folder->weights, name, parameter->rows * parameter->cols,
                                 llmc_parameter_values(p, index));
}

llmc_status llmc_hf_parameters_read(struct llmc_parameters *p, const struct llmc_hf_folder *folder, uint64_t seed)
{
    llmc_status status = LLMC_OK;
    const struct llmc_architecture *architecture = &p->architecture;
    uint64_t key = llmc_random_key(seed, STREAM_HEAD, 0);
    for (int32_t i = 0; i < p->count; i++) {
        bool pooler = i == llmc_head_parameter(architecture, LLMC_POOLER_WEIGHT) ||
                      i == llmc_head_parameter(architecture, LLMC_POOLER_BIAS);
        bool classifier = i >= llmc_head_parameter(architecture, LLMC_CLASSIFIER_WEIGHT);
        if ((pooler && !folder->has_pooler) || (classifier && !folder->has_classifier))
            llmc_parameter_randomize(p, i, key);
        else
            LLMC_TRY(read_parameter(p, i, folder));
    }
exit:
    return status;
}
