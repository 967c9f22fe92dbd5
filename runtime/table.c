#include "runtime/table.h"

#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { PACKED, BUSY, READY };

struct llmc_rt_table_chunks {
    struct llmc_compressed_rows packed;
    char *name; /* of the tensor, for messages */
    /* [packed.chunks.count] READY is set, with release order, when the rows are in place; who sees it may read them. All
     * other changes, and waiting for them, are under the lock. */
    atomic_uchar *states;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

llmc_status llmc_rt_table_take(struct llmc_rt_table *out, struct llmc_compressed_tensor *tensor)
{
    llmc_status status = LLMC_OK;
    struct llmc_rt_table_chunks *chunks;
    *out = (struct llmc_rt_table){
        .number = tensor->number, .cols = (int32_t)tensor->cols, .data = tensor->data, .scales = tensor->scales};
    tensor->data = NULL;
    tensor->scales = NULL;
    if (tensor->packed.chunks.count == 0)
        return LLMC_OK;
    LLMC_TRY(llmc_alloc(&chunks, 1, sizeof *chunks));
    out->chunks = chunks;
    pthread_mutex_init(&chunks->lock, NULL);
    pthread_cond_init(&chunks->changed, NULL);
    chunks->packed = tensor->packed;
    tensor->packed = (struct llmc_compressed_rows){0};
    chunks->name = tensor->name;
    tensor->name = NULL;
    LLMC_TRY(llmc_alloc(&chunks->states, (size_t)chunks->packed.chunks.count, sizeof *chunks->states));
    LLMC_TRY(llmc_alloc_unset(&out->data, (size_t)tensor->rows, (size_t)tensor->cols * llmc_number_nbytes(tensor->number)));
exit:
    return status;
}

void llmc_rt_table_release(struct llmc_rt_table *table)
{
    free(table->data);
    free(table->scales);
    if (table->chunks) {
        llmc_h5_chunks_release(&table->chunks->packed.chunks);
        pthread_cond_destroy(&table->chunks->changed);
        pthread_mutex_destroy(&table->chunks->lock);
        free(table->chunks->name);
        free(table->chunks->states);
        free(table->chunks);
    }
    memset(table, 0, sizeof *table);
}

/* Makes the caller the one who unpacks this chunk; false when another thread has done it. */
static bool claim(struct llmc_rt_table_chunks *chunks, int64_t index)
{
    pthread_mutex_lock(&chunks->lock);
    while (atomic_load_explicit(&chunks->states[index], memory_order_relaxed) == BUSY)
        pthread_cond_wait(&chunks->changed, &chunks->lock);
    bool claimed = atomic_load_explicit(&chunks->states[index], memory_order_relaxed) == PACKED;
    if (claimed)
        atomic_store_explicit(&chunks->states[index], BUSY, memory_order_relaxed);
    pthread_mutex_unlock(&chunks->lock);
    return claimed;
}

static llmc_status fetch_chunk(const struct llmc_rt_table *table, int64_t index)
{
    struct llmc_rt_table_chunks *chunks = table->chunks;
    const struct llmc_compressed_rows *packed = &chunks->packed;
    size_t row_nbytes = (size_t)packed->cols * llmc_number_nbytes(packed->number);
    if (!claim(chunks, index))
        return LLMC_OK;
    llmc_status status = llmc_compressed_unpack_rows(
        packed, chunks->name, index, (char *)table->data + (size_t)(index * packed->chunks.chunk_rows) * row_nbytes);
    pthread_mutex_lock(&chunks->lock);
    atomic_store_explicit(&chunks->states[index], status == LLMC_OK ? READY : PACKED, memory_order_release);
    pthread_cond_broadcast(&chunks->changed);
    pthread_mutex_unlock(&chunks->lock);
    return status;
}

llmc_status llmc_rt_table_fetch(const struct llmc_rt_table *table, const int32_t *rows, int32_t count)
{
    llmc_status status = LLMC_OK;
    struct llmc_rt_table_chunks *chunks = table->chunks;
    if (!chunks)
        return LLMC_OK;
    for (int32_t i = 0; i < count; i++) {
        int64_t index = rows[i] / chunks->packed.chunks.chunk_rows;
        if (atomic_load_explicit(&chunks->states[index], memory_order_acquire) != READY)
            LLMC_TRY(fetch_chunk(table, index));
    }
exit:
    return status;
}
