#include "tensor/gemm.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "tensor/kernels.h"
#include "tensor/tiles.h"
#include "tensor/torch_abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TORCH_OLDEST ((uint64_t)2 << 56 | (uint64_t)13 << 48)

static llmc_status torch_error(const char *call)
{
    const char *what = torch_exception_get_what_without_backtrace();
    return llmc_error(LLMC_ERR_TORCH, "%s: %s", call, what ? what : "no message");
}

void llmc_torch_version(char out[16])
{
    uint64_t version = aoti_torch_abi_version();
    snprintf(out, 16, "%d.%d.%d", (int)(version >> 56), (int)(version >> 48 & 0xff), (int)(version >> 40 & 0xff));
}

llmc_status llmc_gemm_init(struct llmc_gemm *gemm, const struct llmc_kernels *kernels)
{
    memset(gemm, 0, sizeof *gemm);
    gemm->kernels = kernels;
    if (aoti_torch_abi_version() < TORCH_OLDEST) {
        char version[16];
        llmc_torch_version(version);
        return llmc_error(LLMC_ERR_UNSUPPORTED, "LibTorch %s is older than 2.13", version);
    }
    aoti_torch_grad_mode_set_enabled(false);
    gemm->f32_by_mkl = llmc_cpu_is_intel();
    gemm->tiles = llmc_tiles_allowed();
    return LLMC_OK;
}

static void drop_handle(struct llmc_gemm *gemm)
{
    if (gemm->handle)
        aoti_torch_delete_tensor_object(gemm->handle);
    gemm->handle = NULL;
}

void llmc_gemm_release(struct llmc_gemm *gemm)
{
    drop_handle(gemm);
    for (int i = 0; i < 3; i++)
        free(gemm->buffers[i]);
    memset(gemm, 0, sizeof *gemm);
}

enum llmc_operand_form llmc_gemm_operand_form(const struct llmc_gemm *gemm, enum llmc_number number)
{
    if (number == LLMC_BF16)
        return LLMC_OPERAND_BF16;
    return number == LLMC_F16 && gemm->tiles ? LLMC_OPERAND_F16 : LLMC_OPERAND_F32;
}

enum llmc_operand_form llmc_gemm_weight_form(const struct llmc_gemm *gemm, enum llmc_number number, int64_t rows,
                                             int64_t cols)
{
    if (gemm->tiles && number != LLMC_F32 && rows % LLMC_TILES_PANEL == 0 && cols % LLMC_TILES_PANEL == 0)
        return LLMC_OPERAND_PACKED;
    return llmc_gemm_operand_form(gemm, number);
}

size_t llmc_operand_nbytes(const struct llmc_operand *operand)
{
    if (operand->form == LLMC_OPERAND_PACKED)
        return llmc_tiles_weight_nbytes(operand->rows, operand->cols);
    return (size_t)(operand->rows * operand->cols) * (operand->form == LLMC_OPERAND_F32 ? 4 : 2);
}

static llmc_status reserve(struct llmc_gemm *gemm, int buffer, size_t nbytes)
{
    if (nbytes <= gemm->buffer_nbytes[buffer])
        return LLMC_OK;
    free(gemm->buffers[buffer]);
    gemm->buffers[buffer] = NULL;
    gemm->buffer_nbytes[buffer] = 0;
    llmc_status status = llmc_alloc(&gemm->buffers[buffer], nbytes, 1);
    if (status == LLMC_OK)
        gemm->buffer_nbytes[buffer] = nbytes;
    return status;
}

llmc_status llmc_gemm_operand(struct llmc_gemm *gemm, enum llmc_gemm_side side, const struct llmc_matrix *matrix,
                              struct llmc_operand *operand)
{
    enum llmc_operand_form form = llmc_gemm_operand_form(gemm, matrix->number);
    *operand = (struct llmc_operand){matrix->data, form, matrix->number, matrix->rows, matrix->cols, matrix->room};
    if (matrix->number != LLMC_F16 || form == LLMC_OPERAND_F16)
        return LLMC_OK;
    llmc_status status = reserve(gemm, (int)side, (size_t)(matrix->room * matrix->cols) * sizeof(float));
    if (status != LLMC_OK)
        return status;
    float *wide = operand->data = gemm->buffers[side];
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < matrix->rows; row++)
        gemm->kernels->widen(llmc_matrix_row(matrix, row), LLMC_F16, wide + row * matrix->cols, (size_t)matrix->cols);
    return LLMC_OK;
}

/* A tensor over [rows, cols] numbers, transposed by its strides when asked. */
static llmc_status wrap(void *data, bool bf16, int64_t rows, int64_t cols, bool transposed, AtenTensorHandle *out)
{
    int64_t sizes[2] = {rows, cols};
    int64_t strides[2] = {cols, 1};
    if (transposed) {
        sizes[0] = cols, sizes[1] = rows;
        strides[0] = 1, strides[1] = cols;
    }
    int32_t dtype = bf16 ? aoti_torch_dtype_bfloat16() : aoti_torch_dtype_float32();
    if (aoti_torch_create_tensor_from_blob(data, 2, sizes, strides, 0, dtype, aoti_torch_device_type_cpu(), 0, out))
        return torch_error("create_tensor_from_blob");
    return LLMC_OK;
}

/* Sets the rows from the operand's last one up to `rows`, for which it has room, to zero, and makes them its own. */
static void grow_by_zeros(struct llmc_operand *operand, int64_t rows)
{
    size_t used = llmc_operand_nbytes(operand);
    operand->rows = rows;
    memset((char *)operand->data + used, 0, llmc_operand_nbytes(operand) - used);
}

/* Makes both operands and the product higher where they have room, for fewer shapes (LLMC_ROWS_STEP). The product's further
 * rows hold anything; those of a contraction add nothing. */
static void use_room(enum llmc_gemm_form form, struct llmc_operand *a, struct llmc_operand *b, int64_t *product_rows)
{
    int64_t rows = llmc_rows_with_room(a->rows);
    if (a->room < rows || (form == LLMC_GEMM_TN && b->room < rows))
        return;
    if (form == LLMC_GEMM_TN) {
        grow_by_zeros(a, rows);
        grow_by_zeros(b, rows);
    } else {
        *product_rows = a->rows = rows;
    }
}

/* Through LibTorch: product->data, where set, is the memory for the result; else LibTorch makes it. */
static llmc_status multiply_by_torch(struct llmc_gemm *gemm, enum llmc_gemm_form form, const struct llmc_operand *a,
                                     const struct llmc_operand *b, struct llmc_matrix *product)
{
    llmc_status status = LLMC_OK;
    AtenTensorHandle left = NULL, right = NULL, out = NULL;
    bool bf16 = a->form == LLMC_OPERAND_BF16;
    LLMC_TRY(wrap(a->data, bf16, a->rows, a->cols, form == LLMC_GEMM_TN, &left));
    if (product->data) {
        LLMC_TRY(wrap(product->data, bf16, product->rows, product->cols, false, &out));
        LLMC_TRY(wrap(b->data, bf16, b->rows, b->cols, form == LLMC_GEMM_NT, &right));
        if (aoti_torch_cpu_mm_out(out, left, right)) {
            status = torch_error("mm_out");
            goto exit;
        }
    } else {
        LLMC_TRY(wrap(b->data, bf16, b->rows, b->cols, form != LLMC_GEMM_NT, &right)); /* the call transposes W itself */
        AtenTensorHandle made;
        if (aoti_torch_cpu__linear_pointwise(left, right, NULL, "none", NULL, 0, NULL, &made)) {
            status = torch_error("_linear_pointwise");
            goto exit;
        }
        gemm->handle = made;
        if (aoti_torch_get_data_ptr(made, &product->data)) {
            status = torch_error("get_data_ptr");
            goto exit;
        }
    }
exit:
    if (left)
        aoti_torch_delete_tensor_object(left);
    if (right)
        aoti_torch_delete_tensor_object(right);
    if (out)
        aoti_torch_delete_tensor_object(out);
    return status;
}

static llmc_status multiply_by_tiles(struct llmc_gemm *gemm, enum llmc_gemm_form form, const struct llmc_operand *a,
                                     const struct llmc_operand *b, float *out)
{
    bool a_down = form == LLMC_GEMM_TN, b_down = form != LLMC_GEMM_NT, packed = b->form == LLMC_OPERAND_PACKED;
    struct llmc_tiles_product product = {
        .a = {a->data, a->number, a->cols, a_down ? a->cols : a->rows, a_down ? a->rows : a->cols, a_down},
        .b = {packed ? NULL : b->data, b->number, b->cols, b_down ? b->cols : b->rows, b_down ? b->rows : b->cols, b_down},
        .out = out,
    };
    llmc_status status = LLMC_OK;
    LLMC_TRY(reserve(gemm, LLMC_GEMM_A, llmc_tiles_nbytes(a->number, product.a.extent, product.a.depth)));
    product.a_panels = gemm->buffers[LLMC_GEMM_A];
    size_t b_nbytes = packed ? llmc_tiles_unpacked_nbytes(b->number, product.b.depth)
                             : llmc_tiles_nbytes(b->number, product.b.extent, product.b.depth);
    LLMC_TRY(reserve(gemm, LLMC_GEMM_B, b_nbytes));
    product.b_panels = gemm->buffers[LLMC_GEMM_B];
    struct llmc_tiles_weight weight = {b->data, b->number, b->rows, b->cols};
    product.packed = packed ? llmc_tiles_weight_panels(&weight, b_down) : NULL;
    llmc_tiles_multiply(&product);
exit:
    return status;
}

/* No library's refusal is relied on: oneDNN says of shapes that do not fit only that it has no such primitive. */
static llmc_status check_operands(enum llmc_gemm_form form, const struct llmc_operand *a, const struct llmc_operand *b)
{
    int64_t a_depth = form == LLMC_GEMM_TN ? a->rows : a->cols, b_depth = form == LLMC_GEMM_NT ? b->cols : b->rows;
    if (a_depth == b_depth && a->number == b->number && !(b->form == LLMC_OPERAND_PACKED && form == LLMC_GEMM_TN))
        return LLMC_OK;
    return llmc_error(LLMC_ERR_ARGUMENT, "product of %s and %s matrices with shapes %lld x %lld and %lld x %lld",
                      llmc_number_name(a->number), llmc_number_name(b->number), (long long)a->rows,
                      (long long)a->cols, (long long)b->rows, (long long)b->cols);
}

/* `out`: the caller's memory for an FP32 product, or NULL. */
static llmc_status multiply(struct llmc_gemm *gemm, enum llmc_gemm_form form, const struct llmc_operand *a,
                            const struct llmc_operand *b, float *out, struct llmc_matrix *product)
{
    llmc_status status = LLMC_OK;
    double start = llmc_clock();
    int64_t rows = form == LLMC_GEMM_TN ? a->cols : a->rows;
    int64_t cols = form == LLMC_GEMM_NT ? b->rows : b->cols;
    int64_t depth = form == LLMC_GEMM_TN ? a->rows : a->cols;
    bool by_tiles = gemm->tiles && a->form != LLMC_OPERAND_F32;
    bool by_mkl = gemm->f32_by_mkl && a->form == LLMC_OPERAND_F32;
    bool narrow = a->form == LLMC_OPERAND_BF16 && !by_tiles; /* a BF16 product */
    bool ours = by_tiles || by_mkl || narrow;                /* in our memory */
    struct llmc_operand left = *a, right = *b;
    LLMC_TRY(check_operands(form, a, b));
    drop_handle(gemm);
    *product = llmc_matrix(narrow ? NULL : out, narrow ? LLMC_BF16 : LLMC_F32, rows, cols);
    if (!by_tiles && !by_mkl)
        use_room(form, &left, &right, &product->rows);
    if (ours && !product->data) {
        LLMC_TRY(reserve(gemm, 0, (size_t)(product->rows * cols) * llmc_number_nbytes(product->number)));
        product->data = gemm->buffers[0];
    }
    if (!ours)
        product->data = NULL;
    if (by_tiles)
        LLMC_TRY(multiply_by_tiles(gemm, form, a, b, product->data));
    else
        LLMC_TRY(multiply_by_torch(gemm, form, &left, &right, product));
    product->rows = rows;
    gemm->flops += 2.0 * (double)rows * (double)cols * (double)depth;
    gemm->seconds += llmc_clock() - start;
exit:
    return status;
}

llmc_status llmc_gemm_run(struct llmc_gemm *gemm, enum llmc_gemm_form form, const struct llmc_operand *a,
                          const struct llmc_operand *b, struct llmc_matrix *product)
{
    return multiply(gemm, form, a, b, NULL, product);
}

llmc_status llmc_gemm_store(struct llmc_gemm *gemm, enum llmc_gemm_form form, const struct llmc_operand *a,
                            const struct llmc_operand *b, float *out)
{
    struct llmc_matrix product;
    llmc_status status = multiply(gemm, form, a, b, out, &product);
    if (status != LLMC_OK || product.data == out)
        return status;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < product.rows; row++)
        gemm->kernels->widen(llmc_matrix_row(&product, row), product.number, out + row * product.cols,
                             (size_t)product.cols);
    return LLMC_OK;
}
