#include "base/random.h"
#include "tensor/operations_internal.h"

#include <math.h>
#include <omp.h>
#include <stdatomic.h>

/* The heads of a batch: unit = sequence * heads + head. */
struct batch {
    struct llmc_ops *ops;
    const struct llmc_matrix *qkv;
    const struct llmc_sequences *sequences;
    const struct llmc_dropout *dropout;
    int32_t heads, size;
};

/* Where one head of one sequence lies. */
struct place {
    int32_t first, length; /* tokens */
    int32_t head;
    int64_t column; /* of the head's first number in [T, H] */
};

static int32_t length_of(const struct batch *batch, int64_t unit)
{
    const int32_t *offsets = batch->sequences->offsets + unit / batch->heads;
    return offsets[1] - offsets[0];
}

static struct place place_of(const struct batch *batch, int64_t unit)
{
    struct place place;
    place.head = (int32_t)(unit % batch->heads);
    place.first = batch->sequences->offsets[unit / batch->heads];
    place.length = length_of(batch, unit);
    place.column = (int64_t)place.head * batch->size;
    return place;
}

/* Takes the next units [*begin, *end) that nobody has taken, false when there are none: heads of one sequence,
 * as many as make the taking cheap beside the work, one where sequences are long and the last threads would
 * wait for each other. */
static bool take_units(const struct batch *batch, _Atomic int64_t *next, int64_t *begin, int64_t *end)
{
    enum { TOKENS_AT_ONCE = 64 };
    int64_t units = (int64_t)batch->sequences->count * batch->heads, taken = atomic_load(next);
    do {
        if (taken >= units)
            return false;
        int64_t count = TOKENS_AT_ONCE / length_of(batch, taken), left = batch->heads - taken % batch->heads;
        count = count < 1 ? 1 : count;
        *begin = taken;
        *end = taken + (count < left ? count : left);
    } while (!atomic_compare_exchange_weak(next, &taken, *end));
    return true;
}

/* The columns of one head in the tokens of one sequence. */
static struct llmc_head_rows rows_at(const struct llmc_matrix *matrix, const struct place *place, int64_t column)
{
    struct llmc_head_rows rows;
    rows.number = matrix->number;
    rows.stride = (size_t)matrix->cols;
    size_t first = (size_t)(place->first * matrix->cols + column);
    rows.data = (char *)matrix->data + first * llmc_number_nbytes(matrix->number);
    return rows;
}

static struct llmc_attention_head head_at(const struct batch *batch, const struct place *place, int64_t unit)
{
    int64_t hidden = (int64_t)batch->heads * batch->size;
    struct llmc_attention_head head = {
        .length = place->length,
        .size = batch->size,
        .q = rows_at(batch->qkv, place, place->column),
        .k = rows_at(batch->qkv, place, hidden + place->column),
        .v = rows_at(batch->qkv, place, 2 * hidden + place->column),
        .scale = 1.0f / sqrtf((float)batch->size),
        .dropout_key = llmc_random_u32(batch->dropout->key, (uint32_t)unit),
        .dropout_threshold = batch->dropout->threshold,
        .dropout_scale = batch->dropout->scale,
        .work = batch->ops->scratch + (size_t)omp_get_thread_num() * batch->ops->scratch_width,
    };
    return head;
}

void llmc_op_attention(struct llmc_ops *ops, const struct llmc_matrix *qkv, const struct llmc_sequences *sequences,
                       int32_t heads, const struct llmc_dropout *dropout, const struct llmc_matrix *context,
                       float *lse)
{
    const struct batch batch = {ops, qkv, sequences, dropout, heads, (int32_t)(qkv->cols / 3 / heads)};
    _Atomic int64_t next = 0;
#pragma omp parallel
    for (int64_t unit, end; take_units(&batch, &next, &unit, &end);)
        for (; unit < end; unit++) {
            struct place place = place_of(&batch, unit);
            struct llmc_attention_head head = head_at(&batch, &place, unit);
            struct llmc_head_rows out = rows_at(context, &place, place.column);
            ops->kernels->attention(&head, &out, lse + (int64_t)place.head * qkv->rows + place.first);
        }
}

void llmc_op_attention_backward(struct llmc_ops *ops, const struct llmc_matrix *qkv,
                                const struct llmc_sequences *sequences, int32_t heads,
                                const struct llmc_dropout *dropout, const float *lse,
                                const struct llmc_matrix *dcontext, const struct llmc_matrix *dqkv)
{
    const struct batch batch = {ops, qkv, sequences, dropout, heads, (int32_t)(qkv->cols / 3 / heads)};
    int64_t hidden = qkv->cols / 3;
    _Atomic int64_t next = 0;
#pragma omp parallel
    for (int64_t unit, end; take_units(&batch, &next, &unit, &end);)
        for (; unit < end; unit++) {
            struct place place = place_of(&batch, unit);
            struct llmc_attention_head head = head_at(&batch, &place, unit);
            struct llmc_head_rows dout = rows_at(dcontext, &place, place.column);
            struct llmc_head_rows dq = rows_at(dqkv, &place, place.column);
            struct llmc_head_rows dk = rows_at(dqkv, &place, hidden + place.column);
            struct llmc_head_rows dv = rows_at(dqkv, &place, 2 * hidden + place.column);
            ops->kernels->attention_backward(&head, lse + (int64_t)place.head * qkv->rows + place.first, &dout, &dq,
                                             &dk, &dv);
        }
}
