/* model.safetensors, in the layout that safetensors.h describes: header first, then row after row. */
#include "base/file.h"
#include "base/memory.h"
#include "formats/export/huggingface.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* *out = the header, padded with spaces so that the tensors begin at a multiple of 8. */
static llmc_status make_header(const struct llmc_compressed *content, char **out)
{
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt"); /* transformers asks for it */
    json_int_t offset = 0;
    char name[LLMC_PARAMETER_NAME_NBYTES];
    enum llmc_parameter_kind kind;
    int64_t rows, cols;
    struct llmc_architecture whole = content->architecture;
    whole.embedding_rank = 0; /* BERT of Hugging Face has the product alone */
    for (int32_t i = 0; llmc_parameter_describe(&whole, i, name, &kind, &rows, &cols); i++) {
        json_int_t begin = offset;
        offset += (json_int_t)sizeof(float) * rows * cols;
        json_t *shape = kind == LLMC_PARAMETER_VECTOR ? json_pack("[I]", (json_int_t)cols)
                                                      : json_pack("[I, I]", (json_int_t)rows, (json_int_t)cols);
        json_object_set_new(header, name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", begin,
                                      offset));
    }
    char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    llmc_status status = text ? llmc_format(out, "%-*s", (int)((strlen(text) + 7) / 8 * 8), text)
                              : llmc_error(LLMC_ERR_MEMORY, "cannot write JSON");
    free(text);
    return status;
}

/* The word embedding as the product of its factors. */
static llmc_status write_words(const struct llmc_compressed *content, FILE *file)
{
    llmc_status status = LLMC_OK;
    const struct llmc_compressed_tensor *words = &content->tensors[LLMC_WORDS];
    const struct llmc_compressed_tensor *projection =
        &content->tensors[llmc_head_parameter(&content->architecture, LLMC_WORD_PROJECTION)];
    int64_t hidden = projection->rows, rank = projection->cols;
    float *factors = NULL, *row = NULL, *product = NULL;
    LLMC_TRY(llmc_alloc(&factors, (size_t)(hidden * rank), sizeof *factors));
    LLMC_TRY(llmc_alloc(&row, (size_t)rank, sizeof *row));
    LLMC_TRY(llmc_alloc(&product, (size_t)hidden, sizeof *product));
    for (int64_t i = 0; i < hidden; i++)
        llmc_tensor_row(projection, i, factors + i * rank);
    for (int64_t word = 0; word < words->rows; word++) {
        llmc_tensor_row(words, word, row);
        for (int64_t i = 0; i < hidden; i++) {
            double sum = 0;
            for (int64_t k = 0; k < rank; k++)
                sum += (double)row[k] * (double)factors[i * rank + k];
            product[i] = (float)sum;
        }
        fwrite(product, sizeof *product, (size_t)hidden, file);
    }
exit:
    free(factors);
    free(row);
    free(product);
    return status;
}

static llmc_status write_tensors(const struct llmc_compressed *content, FILE *file)
{
    llmc_status status = LLMC_OK;
    float *row = NULL;
    int64_t cols_max = 0;
    for (int32_t i = 0; i < content->tensor_count; i++)
        cols_max = content->tensors[i].cols > cols_max ? content->tensors[i].cols : cols_max;
    LLMC_TRY(llmc_alloc(&row, (size_t)cols_max, sizeof *row));
    bool factored = content->architecture.embedding_rank > 0;
    if (factored)
        LLMC_TRY(write_words(content, file));
    for (int32_t i = factored ? LLMC_WORDS + 1 : 0; i < content->tensor_count - factored; i++) {
        const struct llmc_compressed_tensor *tensor = &content->tensors[i];
        for (int64_t r = 0; r < tensor->rows; r++) {
            llmc_tensor_row(tensor, r, row);
            fwrite(row, sizeof *row, (size_t)tensor->cols, file);
        }
    }
exit:
    free(row);
    return status;
}

llmc_status llmc_export_hf_weights(const struct llmc_compressed *content, const char *path)
{
    llmc_status status = LLMC_OK;
    char *temporary = NULL, *header = NULL;
    FILE *file = NULL;
    LLMC_TRY(make_header(content, &header));
    LLMC_TRY(llmc_file_begin(path, &temporary));
    file = fopen(temporary, "wb");
    if (!file)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot write: %s", temporary, strerror(errno));
    uint64_t header_nbytes = strlen(header);
    fwrite(&header_nbytes, sizeof header_nbytes, 1, file);
    fwrite(header, 1, header_nbytes, file);
    LLMC_TRY(write_tensors(content, file));
    if (fflush(file) != 0 || ferror(file))
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot write: %s", temporary, strerror(errno));
    LLMC_TRY(llmc_file_commit(&temporary, path));
exit:
    if (file)
        fclose(file);
    llmc_file_abandon(&temporary);
    free(header);
    return status;
}
