#include "runtime/unused.h"

#include <string.h>

static bool column_is_zero(const struct llmc_compressed_tensor *weight, int64_t column)
{
    const char zero[4] = {0};
    size_t nbytes = llmc_number_nbytes(weight->number);
    for (int64_t row = 0; row < weight->rows; row++)
        if (memcmp((const char *)weight->data + (size_t)(row * weight->cols + column) * nbytes, zero, nbytes) != 0)
            return false;
    return true;
}

/* Whether the columns of unit `unit`, a head or a neuron, are all zero in the weight behind it. */
static bool is_unused(const struct llmc_compressed_tensor *next, int64_t unit, int64_t width)
{
    for (int64_t column = unit * width; column < (unit + 1) * width; column++)
        if (!column_is_zero(next, column))
            return false;
    return true;
}

static int32_t count_unused(const struct llmc_compressed_tensor *next, int64_t width)
{
    int32_t units = (int32_t)(next->cols / width), count = 0;
    for (int32_t unit = 0; unit < units; unit++)
        count += is_unused(next, unit, width);
    return count < units ? count : units - 1;
}

static void move_columns(struct llmc_compressed_tensor *tensor, int64_t to, int64_t from, int64_t count)
{
    size_t nbytes = llmc_number_nbytes(tensor->number);
    char *data = tensor->data;
    for (int64_t row = 0; row < tensor->rows; row++)
        memmove(data + (size_t)(row * tensor->cols + to) * nbytes, data + (size_t)(row * tensor->cols + from) * nbytes,
                (size_t)count * nbytes);
}

/* Cuts rows to their first `cols` columns. */
static void cut_columns(struct llmc_compressed_tensor *tensor, int64_t cols)
{
    size_t nbytes = llmc_number_nbytes(tensor->number);
    for (int64_t row = 1; row < tensor->rows; row++)
        memmove((char *)tensor->data + (size_t)(row * cols) * nbytes,
                (char *)tensor->data + (size_t)(row * tensor->cols) * nbytes, (size_t)cols * nbytes);
    tensor->cols = cols;
}

static void move_rows(struct llmc_compressed_tensor *tensor, int64_t to, int64_t from, int64_t count)
{
    size_t nbytes = (size_t)tensor->cols * llmc_number_nbytes(tensor->number);
    memmove((char *)tensor->data + (size_t)to * nbytes, (char *)tensor->data + (size_t)from * nbytes,
            (size_t)count * nbytes);
    if (tensor->scales)
        memmove(tensor->scales + to, tensor->scales + from, (size_t)count * sizeof *tensor->scales);
}

/* Takes unused units of `width` out of `next`, and out of the `count` weights before it with their biases. */
static void drop(struct llmc_compressed_tensor *weights, struct llmc_compressed_tensor *biases, int count,
                 struct llmc_compressed_tensor *next, int64_t width)
{
    int64_t units = next->cols / width, kept = 0;
    int32_t unused = count_unused(next, width);
    for (int64_t unit = 0; unit < units; unit++) {
        if (unused > 0 && is_unused(next, unit, width)) {
            unused--;
            continue;
        }
        for (int i = 0; i < count && kept < unit; i++) {
            move_rows(&weights[i], kept * width, unit * width, width);
            move_columns(&biases[i], kept * width, unit * width, width);
        }
        if (kept < unit)
            move_columns(next, kept * width, unit * width, width);
        kept++;
    }
    for (int i = 0; i < count; i++) {
        weights[i].rows = kept * width;
        cut_columns(&biases[i], kept * width);
    }
    cut_columns(next, kept * width);
}

struct llmc_rt_unused llmc_rt_unused_count(const struct llmc_architecture *architecture,
                                           const struct llmc_compressed_tensor *tensors)
{
    return (struct llmc_rt_unused){count_unused(&tensors[LLMC_ATTENTION_OUTPUT_WEIGHT], architecture->head_width),
                                count_unused(&tensors[LLMC_OUTPUT_WEIGHT], 1)};
}

void llmc_rt_unused_drop(const struct llmc_architecture *architecture, struct llmc_compressed_tensor *tensors)
{
    drop(&tensors[LLMC_QUERY_WEIGHT], &tensors[LLMC_QUERY_BIAS], 3, &tensors[LLMC_ATTENTION_OUTPUT_WEIGHT],
         architecture->head_width);
    drop(&tensors[LLMC_INTERMEDIATE_WEIGHT], &tensors[LLMC_INTERMEDIATE_BIAS], 1, &tensors[LLMC_OUTPUT_WEIGHT], 1);
}
