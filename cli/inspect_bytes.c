#include "cli/inspect_bytes.h"

#include <stdio.h>
#include <string.h>

static void add(struct llmc_inspect_bytes *out, const char *name, int64_t numbers, uint64_t nbytes)
{
    int32_t i = 0;
    while (i < out->count && strcmp(out->kinds[i].name, name) != 0)
        i++;
    if (i == out->count)
        snprintf(out->kinds[out->count++].name, sizeof out->kinds->name, "%s", name);
    out->kinds[i].numbers += numbers;
    out->kinds[i].nbytes += nbytes;
}

/* Bits apart: they are what a byte budget is spent on. At most 9 of integers and floating point for each kind. */
static void add_tensor(struct llmc_inspect_bytes *out, const struct llmc_compressed_tensor *tensor,
                       enum llmc_parameter_kind kind, bool words)
{
    char name[40];
    const char *what = words                              ? "word embedding"
                       : kind == LLMC_PARAMETER_EMBEDDING ? "other embeddings"
                       : kind == LLMC_PARAMETER_TYPES     ? "other embeddings"
                       : kind == LLMC_PARAMETER_LINEAR    ? "linear layers"
                       : kind == LLMC_PARAMETER_VECTOR    ? "vectors"
                                                          : "classifier";
    int bits = tensor->bits ? tensor->bits : 8 * (int)llmc_number_nbytes(tensor->number);
    snprintf(name, sizeof name, kind == LLMC_PARAMETER_LINEAR ? "%s, %d bits" : "%s", what, bits);
    add(out, name, tensor->rows * tensor->cols, tensor->stored_nbytes);
}

void llmc_inspect_count(struct llmc_inspect_bytes *out, const struct llmc_compressed *content, uint64_t file_nbytes)
{
    char name[LLMC_PARAMETER_NAME_NBYTES];
    enum llmc_parameter_kind kind;
    int64_t rows, cols, scales = 0;
    uint64_t scale_nbytes = 0, counted = 0;
    *out = (struct llmc_inspect_bytes){.count = 0};
    for (int32_t i = 0; i < content->tensor_count; i++) {
        const struct llmc_compressed_tensor *tensor = &content->tensors[i];
        llmc_parameter_describe(&content->architecture, i, name, &kind, &rows, &cols);
        add_tensor(out, tensor, kind, i == LLMC_WORDS);
        scales += (tensor->scales ? tensor->rows : 0) + tensor->has_input;
        scale_nbytes += tensor->scales_stored_nbytes;
    }
    add(out, "scales", scales, scale_nbytes);
    add(out, "vocabulary", 0, content->vocabulary_stored_nbytes);
    add(out, "labels and origin", 0, content->texts_stored_nbytes);
    for (int32_t i = 0; i < out->count; i++)
        counted += out->kinds[i].nbytes;
    add(out, "structure", 0, file_nbytes - counted);
}
