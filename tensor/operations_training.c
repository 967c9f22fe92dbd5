#include "tensor/operations_internal.h"
#include "tensor/tiles.h"

void llmc_op_fake_input(struct llmc_ops *ops, const struct llmc_quantizer *quantizer, const struct llmc_matrix *x,
                        const struct llmc_matrix *y)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)x->cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, x->rows, x->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->widen(llmc_matrix_row(x, t), x->number, w.row[0], n);
            k->fake_input(quantizer, w.row[0], w.row[0], n);
            k->narrow(w.row[0], y->number, llmc_matrix_row(y, t), n);
        }
    }
}

void llmc_op_fake_input_backward(struct llmc_ops *ops, const struct llmc_quantizer *quantizer,
                                 const struct llmc_matrix *x, const struct llmc_matrix *product, double *dscale)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)x->cols;
    double sums[LLMC_THREADS_MAX] = {0};
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, x->rows, x->cols);
        double sum = 0;
        for (int64_t t = w.begin; t < w.end; t++) {
            k->widen(llmc_matrix_row(x, t), x->number, w.row[0], n);
            k->widen(llmc_matrix_row(product, t), product->number, w.row[1], n);
            sum += k->fake_input_backward(quantizer, w.row[0], w.row[1], w.row[1], n);
            k->narrow(w.row[1], product->number, llmc_matrix_row(product, t), n);
        }
        sums[w.thread] = sum;
    }
    for (int thread = 0; thread < ops->threads; thread++)
        *dscale += sums[thread];
}

void llmc_op_min_max(struct llmc_ops *ops, const struct llmc_matrix *x, float *min, float *max)
{
    const struct llmc_kernels *k = ops->kernels;
    size_t n = (size_t)x->cols;
    float low = *min, high = *max;
#pragma omp parallel reduction(min : low) reduction(max : high)
    {
        struct worker w = llmc_worker(ops, x->rows, x->cols);
        for (int64_t t = w.begin; t < w.end; t++) {
            k->widen(llmc_matrix_row(x, t), x->number, w.row[0], n);
            k->min_max(w.row[0], &low, &high, n);
        }
    }
    *min = low;
    *max = high;
}

/* Rows of a packed operand are copied LLMC_TILES_PANEL at a time, in strips that stay in the first cache. */
enum { PANEL_ROWS = LLMC_TILES_PANEL, STRIP = 512 };

/* Does something to numbers [first, first + n) of an update or weight before they are copied. */
struct strip_source {
    const struct llmc_update *update; /* what changes the numbers first; NULL: nothing */
    const float *values;              /* row-major, from the first row to be copied on */
    int64_t update_first;             /* where values begins in the update */
};

static void adamw_numbers(const struct llmc_kernels *k, const struct llmc_update *u, int64_t first, int64_t n)
{
    k->adamw(&u->settings, u->p + first, u->m + first, u->v + first, u->g + first, (size_t)n);
    if (u->mask)
        k->mask(u->p + first, u->mask + first, (size_t)n);
}

/* Copies PANEL_ROWS rows from `row` of the operand on. A source without fake quantisation is updated strip by strip: the
 * scale of a row needs all of it. */
static void store_packed_rows(const struct llmc_kernels *k, const struct llmc_weight_copy *copy, int64_t row,
                              const struct strip_source *source, float *scratch)
{
    const struct llmc_operand *out = &copy->operand;
    struct llmc_tiles_weight weight = {out->data, out->number, out->rows, out->cols};
    uint16_t numbers[PANEL_ROWS][STRIP];
    float scales[PANEL_ROWS];
    for (int i = 0; i < PANEL_ROWS && copy->rounding.limit > 0; i++)
        scales[i] = row_scale(k, &copy->rounding, row - copy->first_row + i, source->values + i * out->cols,
                              (size_t)out->cols);
    for (int64_t col = 0; col < out->cols; col += STRIP) {
        int64_t count = out->cols - col < STRIP ? out->cols - col : STRIP;
        for (int i = 0; i < PANEL_ROWS; i++) {
            int64_t first = i * out->cols + col;
            const float *strip = source->values + first;
            if (source->update)
                adamw_numbers(k, source->update, source->update_first + first, count);
            if (copy->rounding.limit > 0) {
                k->fake_weight(strip, scales[i], copy->rounding.limit, scratch, (size_t)count);
                strip = scratch;
            }
            k->narrow(strip, out->number, numbers[i], (size_t)count);
        }
        llmc_tiles_pack_weight(&weight, row, col, count, numbers[0], STRIP);
    }
}

/* Rows [row, row + count) of an operand = values, rounded to its number format; w has scratch rows. */
static void store_rows(const struct llmc_kernels *k, const struct llmc_weight_copy *copy, int64_t row, int64_t count,
                       const float *values, struct worker *w)
{
    const struct llmc_operand *out = &copy->operand;
    size_t n = (size_t)out->cols;
    if (out->form == LLMC_OPERAND_PACKED) {
        struct strip_source source = {.values = values};
        store_packed_rows(k, copy, row, &source, w->row[0]);
        return;
    }
    for (int64_t end = row + count; row < end; row++, values += n) {
        size_t first = (size_t)row * n;
        const float *rounded = values;
        if (copy->rounding.limit > 0) {
            float scale = row_scale(k, &copy->rounding, row - copy->first_row, values, n);
            k->fake_weight(values, scale, copy->rounding.limit, w->row[0], n);
            rounded = w->row[0];
        }
        if (out->number == LLMC_F16 && out->form == LLMC_OPERAND_F32) {
            k->narrow(rounded, LLMC_F16, w->row[1], n);
            k->widen(w->row[1], LLMC_F16, (float *)out->data + first, n);
        } else {
            k->narrow(rounded, out->number, (char *)out->data + first * llmc_number_nbytes(out->number), n);
        }
    }
}

/* Rows that a thread takes at a time: what a panel of a packed operand needs. And rows that it updates before it copies
 * them: few enough to stay in its first cache (32 rows took a quarter longer). */
enum { BLOCK_ROWS = LLMC_TILES_PANEL, ROWS_AT_ONCE = 4 };

static int64_t row_blocks(int64_t rows)
{
    return (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

static int64_t rows_of_block(int64_t rows, int64_t block)
{
    int64_t left = rows - block * BLOCK_ROWS;
    return left < BLOCK_ROWS ? left : BLOCK_ROWS;
}

void llmc_op_cast_weight(struct llmc_ops *ops, const float *weight, int64_t rows, const struct llmc_weight_copy *copy)
{
    int64_t cols = copy->operand.cols;
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, row_blocks(rows), cols);
        for (int64_t block = w.begin; block < w.end; block++) {
            int64_t row = block * BLOCK_ROWS;
            store_rows(ops->kernels, copy, copy->first_row + row, rows_of_block(rows, block), weight + row * cols, &w);
        }
    }
}

static void update_block(const struct llmc_kernels *k, const struct llmc_update *u, int64_t block, struct worker *w)
{
    int64_t row = block * BLOCK_ROWS, count = rows_of_block(u->rows, block), first = row * u->cols;
    const struct llmc_weight_copy *copy = &u->copy;
    if (copy->operand.data && copy->operand.form == LLMC_OPERAND_PACKED && !(copy->rounding.limit > 0)) {
        struct strip_source source = {u, u->p + first, first};
        store_packed_rows(k, copy, copy->first_row + row, &source, w->row[0]);
        return;
    }
    for (int64_t i = 0; i < count; i += ROWS_AT_ONCE) {
        int64_t rows = count - i < ROWS_AT_ONCE ? count - i : ROWS_AT_ONCE;
        adamw_numbers(k, u, first + i * u->cols, rows * u->cols);
        if (copy->operand.data && copy->operand.form != LLMC_OPERAND_PACKED)
            store_rows(k, copy, copy->first_row + row + i, rows, u->p + first + i * u->cols, w);
    }
    if (copy->operand.data && copy->operand.form == LLMC_OPERAND_PACKED)
        store_rows(k, copy, copy->first_row + row, count, u->p + first, w);
}

void llmc_op_update(struct llmc_ops *ops, const struct llmc_update *updates, int32_t count)
{
    int64_t numbers = 0, widest = 1;
    for (int32_t i = 0; i < count; i++) {
        numbers += updates[i].rows * updates[i].cols;
        widest = updates[i].copy.operand.data && updates[i].cols > widest ? updates[i].cols : widest;
    }
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, numbers, widest); /* a block is whose in whose share its first number lies */
        int64_t first = 0;
        for (int32_t i = 0; i < count; i++) {
            int64_t blocks = row_blocks(updates[i].rows), size = BLOCK_ROWS * updates[i].cols;
            for (int64_t block = 0; block < blocks; block++)
                if (first + block * size >= w.begin && first + block * size < w.end)
                    update_block(ops->kernels, &updates[i], block, &w);
            first += updates[i].rows * updates[i].cols;
        }
    }
}

void llmc_op_catch_up(struct llmc_ops *ops, const struct llmc_missed_row *rows, int32_t count)
{
    const struct llmc_kernels *k = ops->kernels;
#pragma omp parallel for schedule(static)
    for (int32_t i = 0; i < count; i++)
        k->missed_steps(&rows[i].missed, rows[i].p, rows[i].m, rows[i].v, (size_t)rows[i].cols);
}

void llmc_op_rounding_backward(struct llmc_ops *ops, const struct llmc_rounding *rounding, const float *weight,
                               const int32_t *rows, int64_t count, int64_t cols, float *dweight, float *dsteps)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i++) {
        int64_t row = rows ? rows[i] : i;
        float step = rounding->steps[row];
        dsteps[i] = 0;
        if (step > 0)
            dsteps[i] = (float)ops->kernels->fake_weight_backward(weight + row * cols, step, rounding->limit,
                                                                  dweight + i * cols, (size_t)cols);
    }
}

/* Flat arrays are divided in blocks of this size, so that every thread count cuts at aligned places. */
enum { FLAT = 4096 };

double llmc_op_sum_squares(struct llmc_ops *ops, const float *x, int64_t n)
{
    int64_t blocks = (n + FLAT - 1) / FLAT;
    double total = 0;
    double sums[LLMC_THREADS_MAX] = {0};
#pragma omp parallel
    {
        struct worker w = llmc_worker(ops, blocks, 1);
        double sum = 0;
        for (int64_t block = w.begin; block < w.end; block++) {
            int64_t first = block * FLAT;
            sum += ops->kernels->sum_squares(x + first, (size_t)(n - first < FLAT ? n - first : FLAT));
        }
        sums[w.thread] = sum;
    }
    for (int thread = 0; thread < ops->threads; thread++)
        total += sums[thread];
    return total;
}
