#include "base/random.h"
#include "tensor/operations_internal.h"

#include <omp.h>
#include <math.h>
#include <string.h>

/* Where one head of one sequence lies in the batch. */
struct place {
    int32_t first, length; /* tokens */
    int32_t head, size;
};

static struct place place_of(const struct llmc_sequences *sequences, int32_t heads, int64_t hidden, int64_t unit)
{
    struct place place;
    int32_t sequence = (int32_t)(unit / heads);
    place.head = (int32_t)(unit % heads);
    place.first = sequences->offsets[sequence];
    place.length = sequences->offsets[sequence + 1] - place.first;
    place.size = (int32_t)(hidden / heads);
    return place;
}

/* `part` is the column block of `size` numbers where the head lies; dense is [length, size]. */
static void gather(const struct llmc_kernels *k, const struct llmc_matrix *matrix, const struct place *place,
                   int64_t column, float *dense)
{
    size_t nbytes = llmc_number_nbytes(matrix->number);
    for (int32_t i = 0; i < place->length; i++)
        k->widen((char *)llmc_matrix_row(matrix, place->first + i) + (size_t)column * nbytes, matrix->number,
                 dense + (size_t)i * (size_t)place->size, (size_t)place->size);
}

static void scatter(const struct llmc_kernels *k, const float *dense, const struct place *place, int64_t column,
                    const struct llmc_matrix *matrix)
{
    size_t nbytes = llmc_number_nbytes(matrix->number);
    for (int32_t i = 0; i < place->length; i++)
        k->narrow(dense + (size_t)i * (size_t)place->size, matrix->number,
                  (char *)llmc_matrix_row(matrix, place->first + i) + (size_t)column * nbytes, (size_t)place->size);
}

/* Fills `head` from qkv with this thread's scratch; parts[0..7] are [length, size] each. */
static struct llmc_attention_head prepare(struct llmc_ops *ops, const struct llmc_matrix *qkv,
                                          const struct llmc_dropout *dropout, const struct place *place, int64_t unit,
                                          float *parts[ATTENTION_PARTS])
{
    float *scratch = ops->scratch + (size_t)omp_get_thread_num() * ops->scratch_width;
    size_t part = ((size_t)place->length * (size_t)place->size + 15) / 16 * 16;
    int64_t hidden = qkv->cols / 3, column = (int64_t)place->head * place->size;
    for (int i = 0; i < ATTENTION_PARTS; i++)
        parts[i] = scratch + (size_t)i * part;
    for (int i = 0; i < 3; i++)
        gather(ops->kernels, qkv, place, i * hidden + column, parts[i]);
    struct llmc_attention_head head = {
        .length = place->length,
        .size = place->size,
        .q = parts[0],
        .k = parts[1],
        .v = parts[2],
        .scale = 1.0f / sqrtf((float)place->size),
        .dropout_key = llmc_random_u32(dropout->key, (uint32_t)unit),
        .dropout_threshold = dropout->threshold,
        .dropout_scale = dropout->scale,
        .work = scratch + ATTENTION_PARTS * part,
    };
    return head;
}

void llmc_op_attention(struct llmc_ops *ops, const struct llmc_matrix *qkv, const struct llmc_sequences *sequences,
                       int32_t heads, const struct llmc_dropout *dropout, const struct llmc_matrix *context,
                       float *lse)
{
    int64_t units = (int64_t)sequences->count * heads;
#pragma omp parallel for schedule(dynamic, 4)
    for (int64_t unit = 0; unit < units; unit++) {
        float *parts[ATTENTION_PARTS];
        struct place place = place_of(sequences, heads, context->cols, unit);
        struct llmc_attention_head head = prepare(ops, qkv, dropout, &place, unit, parts);
        ops->kernels->attention(&head, parts[3], lse + (int64_t)place.head * qkv->rows + place.first);
        scatter(ops->kernels, parts[3], &place, (int64_t)place.head * place.size, context);
    }
}

void llmc_op_attention_backward(struct llmc_ops *ops, const struct llmc_matrix *qkv,
                                const struct llmc_sequences *sequences, int32_t heads,
                                const struct llmc_dropout *dropout, const struct llmc_matrix *context,
                                const float *lse, const struct llmc_matrix *dcontext,
                                const struct llmc_matrix *dqkv)
{
    int64_t units = (int64_t)sequences->count * heads;
#pragma omp parallel for schedule(dynamic, 4)
    for (int64_t unit = 0; unit < units; unit++) {
        float *parts[ATTENTION_PARTS];
        struct place place = place_of(sequences, heads, context->cols, unit);
        struct llmc_attention_head head = prepare(ops, qkv, dropout, &place, unit, parts);
        int64_t column = (int64_t)place.head * place.size;
        gather(ops->kernels, context, &place, column, parts[3]);
        gather(ops->kernels, dcontext, &place, column, parts[4]);
        ops->kernels->attention_backward(&head, parts[3], lse + (int64_t)place.head * qkv->rows + place.first,
                                         parts[4], parts[5], parts[6], parts[7]);
        for (int i = 0; i < 3; i++)
            scatter(ops->kernels, parts[5 + i], &place, i * context->cols + column, dqkv);
    }
}
