/*
 * hf_folder_dump FOLDER: what llmc reads from config.json, as JSON.
 * hf_folder_dump FOLDER NAME...: for each tensor int64 rank and shape[4], then its numbers as F32.
 */
#include "base/memory.h"
#include "formats/huggingface/folder.h"

#include <stdio.h>
#include <stdlib.h>

static llmc_status dump_tensor(const struct llmc_hf_folder *folder, const char *name)
{
    llmc_status status = LLMC_OK;
    int rank;
    int64_t head[5] = {0}, count = 1;
    float *values = NULL;
    LLMC_TRY(llmc_safetensors_shape(folder->weights, name, &rank, head + 1));
    head[0] = rank;
    for (int i = 0; i < rank; i++)
        count *= head[1 + i];
    LLMC_TRY(llmc_alloc(&values, (size_t)count, sizeof *values));
    LLMC_TRY(llmc_safetensors_read(folder->weights, name, count, values));
    if (fwrite(head, sizeof head, 1, stdout) != 1 || fwrite(values, sizeof *values, (size_t)count, stdout) != (size_t)count)
        LLMC_FAIL(LLMC_ERR_IO, "cannot write");
exit:
    free(values);
    return status;
}

static void dump_config(const struct llmc_hf_folder *folder)
{
    const struct llmc_architecture *a = &folder->architecture;
    printf("{\"vocab_size\": %d, \"max_position_embeddings\": %d, \"type_vocab_size\": %d, \"hidden_size\": %d, "
           "\"num_hidden_layers\": %d, \"num_attention_heads\": %d, \"intermediate_size\": %d, \"num_labels\": %d, "
           "\"hidden_act\": \"%s\", \"layer_norm_eps\": %.9g, \"prefix\": \"%s\", \"pooler\": %s, \"classifier\": %s, \"names\": [",
           a->vocabulary, a->positions, a->types, a->hidden, a->layers, a->layer[0].heads, a->layer[0].ffn, a->labels,
           llmc_activation_name(a->activation), (double)a->norm_epsilon, folder->prefix,
           folder->has_pooler ? "true" : "false",
           folder->has_classifier ? "true" : "false");
    for (int32_t i = 0; folder->label_names && i < a->labels; i++)
        printf("%s\"%s\"", i ? ", " : "", folder->label_names[i]);
    printf("]}\n");
}

int main(int argc, char **argv)
{
    llmc_status status = LLMC_OK;
    struct llmc_hf_folder folder;
    if (argc < 2)
        return 2;
    LLMC_TRY(llmc_hf_folder_open(&folder, argv[1]));
    if (argc == 2)
        dump_config(&folder);
    for (int i = 2; i < argc; i++)
        LLMC_TRY(dump_tensor(&folder, argv[i]));
exit:
    llmc_hf_folder_release(&folder);
    if (status != LLMC_OK)
        fprintf(stderr, "%s\n", llmc_error_message());
    return llmc_status_exit(status);
}
