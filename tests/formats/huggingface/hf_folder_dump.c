/*
 * hf_folder_dump config FOLDER: what llmc reads from a folder, as JSON.
 * hf_folder_dump parameters FOLDER: per parameter a line "NAME ROWS COLS", then its numbers as F32.
 * hf_folder_dump tensors FILE NAME...: of a safetensors file, per tensor int64 rank and shape[4], then its numbers as F32.
 */
#include "architecture/parameters.h"
#include "base/memory.h"
#include "formats/huggingface/folder.h"
#include "formats/huggingface/model.h"
#include "formats/huggingface/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static llmc_status dump_tensor(const struct llmc_safetensors *file, const char *name)
{
    llmc_status status = LLMC_OK;
    int rank;
    int64_t head[5] = {0}, count = 1;
    float *values = NULL;
    LLMC_TRY(llmc_safetensors_shape(file, name, &rank, head + 1));
    head[0] = rank;
    for (int i = 0; i < rank; i++)
        count *= head[1 + i];
    LLMC_TRY(llmc_alloc(&values, (size_t)count, sizeof *values));
    LLMC_TRY(llmc_safetensors_read(file, name, count, values));
    if (fwrite(head, sizeof head, 1, stdout) != 1 || fwrite(values, sizeof *values, (size_t)count, stdout) != (size_t)count)
        LLMC_FAIL(LLMC_ERR_IO, "cannot write");
exit:
    free(values);
    return status;
}

static llmc_status dump_tensors(char **names)
{
    llmc_status status = LLMC_OK;
    struct llmc_safetensors *file = NULL;
    LLMC_TRY(llmc_safetensors_open(&file, *names));
    while (*++names)
        LLMC_TRY(dump_tensor(file, *names));
exit:
    llmc_safetensors_free(file);
    return status;
}

static llmc_status dump_parameters(const struct llmc_hf_folder *folder)
{
    llmc_status status = LLMC_OK;
    struct llmc_parameters p = {0};
    LLMC_TRY(llmc_parameters_init(&p, &folder->architecture));
    LLMC_TRY(llmc_hf_parameters_read(&p, folder, 1));
    for (int32_t i = 0; i < p.count; i++) {
        size_t count = (size_t)(p.table[i].rows * p.table[i].cols);
        printf("%s %lld %lld\n", p.table[i].name, (long long)p.table[i].rows, (long long)p.table[i].cols);
        if (fwrite(llmc_parameter_values(&p, i), sizeof(float), count, stdout) != count)
            LLMC_FAIL(LLMC_ERR_IO, "cannot write");
    }
exit:
    llmc_parameters_release(&p);
    return status;
}

static void dump_config(const struct llmc_hf_folder *folder)
{
    const struct llmc_architecture *a = &folder->architecture;
    printf("{\"vocab_size\": %d, \"max_position_embeddings\": %d, \"type_vocab_size\": %d, \"hidden_size\": %d, "
           "\"num_hidden_layers\": %d, \"num_attention_heads\": %d, \"intermediate_size\": %d, \"num_labels\": %d, "
           "\"hidden_act\": \"%s\", \"layer_norm_eps\": %.9g, \"pooler\": %s, \"classifier\": %s, \"names\": [",
           a->vocabulary, a->positions, a->types, a->hidden, a->layers, a->layer[0].heads, a->layer[0].ffn, a->labels,
           llmc_activation_name(a->activation), (double)a->norm_epsilon, folder->has_pooler ? "true" : "false",
           folder->has_classifier ? "true" : "false");
    for (int32_t i = 0; i < a->labels; i++)
        printf("%s\"%s\"", i ? ", " : "", folder->label_names[i]);
    printf("]}\n");
}

int main(int argc, char **argv)
{
    llmc_status status = LLMC_OK;
    struct llmc_hf_folder folder = {0};
    if (argc < 3)
        return 2;
    if (strcmp(argv[1], "tensors") == 0) {
        LLMC_TRY(dump_tensors(argv + 2));
    } else {
        LLMC_TRY(llmc_hf_folder_open(&folder, argv[2]));
        if (strcmp(argv[1], "parameters") == 0)
            LLMC_TRY(dump_parameters(&folder));
        else
            dump_config(&folder);
    }
exit:
    llmc_hf_folder_release(&folder);
    if (status != LLMC_OK)
        fprintf(stderr, "%s\n", llmc_error_message());
    return llmc_status_exit(status);
}
