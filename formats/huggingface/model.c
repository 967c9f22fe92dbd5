#include "formats/huggingface/model.h"

#include "base/random.h"

/* The stream of random numbers that a missing head starts from. */
enum { STREAM_HEAD = 103 };

llmc_status llmc_hf_parameters_read(struct llmc_parameters *p, const struct llmc_hf_folder *folder, uint64_t seed)
{
    llmc_status status = LLMC_OK;
    const struct llmc_architecture *architecture = &p->architecture;
    uint64_t key = llmc_random_key(seed, STREAM_HEAD, 0);
    LLMC_TRY(llmc_hf_folder_check_head(folder));
    for (int32_t i = 0; i < p->count; i++) {
        const struct llmc_parameter *parameter = &p->table[i];
        bool pooler = i == llmc_head_parameter(architecture, LLMC_POOLER_WEIGHT) ||
                      i == llmc_head_parameter(architecture, LLMC_POOLER_BIAS);
        bool classifier = i >= llmc_head_parameter(architecture, LLMC_CLASSIFIER_WEIGHT);
        if ((pooler && !folder->has_pooler) || (classifier && !folder->has_classifier))
            llmc_parameter_randomize(p, i, key);
        else
            LLMC_TRY(llmc_hf_weights_read(folder->weights, parameter->name, parameter->rows * parameter->cols,
                                          llmc_parameter_values(p, i)));
    }
exit:
    return status;
}
