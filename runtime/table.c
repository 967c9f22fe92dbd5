#include "runtime/table.h"

#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct llmc_table_chunks {
    struct llmc_h5_chunks packed;
    char *name; /* of the tensor, for messages */
    int bits;
    /* [packed.count] Set, with release order, when the rows are in place; who sees it may read them. */
    atomic_uchar *ready;
    pthread_mutex_t lock; /* of the writers */
};

llmc_status llmc_table_take(struct llmc_table *out, struct llmc_compressed_tensor *tensor)
{
    llmc_status status = LLMC_OK;
    struct llmc_table_chunks *chunks;
    *out = (struct llmc_table){
        .number = tensor->number, .cols = (int32_t)tensor->cols, .data = tensor->data, .scales = tensor->scales};
    tensor->data = NULL;
    tensor->scales = NULL;
    if (tensor->packed.count == 0)
        return LLMC_OK;
    LLMC_TRY(llmc_alloc(&chunks, 1, sizeof *chunks));
    out->chunks = chunks;
    pthread_mutex_init(&chunks->lock, NULL);
    chunks->packed = tensor->packed;
    tensor->packed = (struct llmc_h5_chunks){0};
    chunks->name = tensor->name;
    tensor->name = NULL;
    chunks->bits = tensor->bits;
    LLMC_TRY(llmc_alloc(&chunks->ready, (size_t)chunks->packed.count, sizeof *chunks->ready));
    LLMC_TRY(llmc_alloc_unset(&out->data, (size_t)chunks->packed.rows, chunks->packed.row_nbytes));
exit:
    return status;
}

void llmc_table_release(struct llmc_table *table)
{
    free(table->data);
    free(table->scales);
    if (table->chunks) {
        llmc_h5_chunks_release(&table->chunks->packed);
        pthread_mutex_destroy(&table->chunks->lock);
        free(table->chunks->name);
        free(table->chunks->ready);
        free(table->chunks);
    }
    memset(table, 0, sizeof *table);
}

/* Unpacks aside, so that nobody waits for anybody's unpacking. Two threads may do the same
 * chunk; the later one's work is dropped. */
static llmc_status fetch_chunk(const struct llmc_table *table, int64_t index)
{
    llmc_status status = LLMC_OK;
    struct llmc_table_chunks *chunks = table->chunks;
    const struct llmc_h5_chunks *packed = &chunks->packed;
    size_t nbytes = (size_t)llmc_h5_chunk_rows(packed, index) * packed->row_nbytes;
    char *rows = NULL;
    LLMC_TRY(llmc_alloc_unset(&rows, nbytes, 1));
    LLMC_TRY(llmc_compressed_unpack_rows(packed, chunks->name, chunks->bits, index, rows));
    pthread_mutex_lock(&chunks->lock);
    if (!atomic_load_explicit(&chunks->ready[index], memory_order_relaxed)) {
        memcpy((char *)table->data + (size_t)(index * packed->chunk_rows) * packed->row_nbytes, rows, nbytes);
        atomic_store_explicit(&chunks->ready[index], 1, memory_order_release);
    }
    pthread_mutex_unlock(&chunks->lock);
exit:
    free(rows);
    return status;
}

llmc_status llmc_table_fetch(const struct llmc_table *table, const int32_t *rows, int32_t count)
{
    llmc_status status = LLMC_OK;
    struct llmc_table_chunks *chunks = table->chunks;
    if (!chunks)
        return LLMC_OK;
    for (int32_t i = 0; i < count; i++) {
        int64_t index = rows[i] / chunks->packed.chunk_rows;
        if (!atomic_load_explicit(&chunks->ready[index], memory_order_acquire))
            LLMC_TRY(fetch_chunk(table, index));
    }
exit:
    return status;
}
