#include "tensor/gemm.h"

#include "base/memory.h"
#include "tensor/kernels.h"
#include "tensor/torch_abi.h"

#include <cpuid.h>
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

static llmc_status reserve(struct llmc_gemm *gemm, int buffer, int64_t count, enum llmc_number number)
{
    size_t nbytes = (size_t)count * llmc_number_nbytes(number);
    if (nbytes <= gemm->buffer_nbytes[buffer])
        return LLMC_OK;
    free(gemm->buffers[buffer]);
    gemm->buffer_nbytes[buffer] = 0;
    llmc_status status = llmc_alloc(&gemm->buffers[buffer], nbytes, 1);
    if (status == LLMC_OK)
        gemm->buffer_nbytes[buffer] = nbytes;
    return status;
}

static llmc_status widen(struct llmc_gemm *gemm, int buffer, struct llmc_matrix *matrix)
{
    if (matrix->number != LLMC_F16)
        return LLMC_OK;
    llmc_status status = reserve(gemm, buffer, matrix->rows * matrix->cols, LLMC_F32);
    if (status != LLMC_OK)
        return status;
    struct llmc_matrix wide = llmc_matrix(gemm->buffers[buffer], LLMC_F32, matrix->rows, matrix->cols);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < matrix->rows; row++)
        gemm->kernels->widen(llmc_matrix_row(matrix, row), LLMC_F16, llmc_matrix_row(&wide, row),
                             (size_t)matrix->cols);
    *matrix = wide;
    return LLMC_OK;
}

/* A tensor over `matrix`, transposed by its strides when asked. */
static llmc_status wrap(const struct llmc_matrix *matrix, bool transposed, AtenTensorHandle *out)
{
    int64_t sizes[2] = {matrix->rows, matrix->cols};
    int64_t strides[2] = {matrix->cols, 1};
    if (transposed) {
        sizes[0] = matrix->cols, sizes[1] = matrix->rows;
        strides[0] = 1, strides[1] = matrix->cols;
    }
    int32_t dtype = matrix->number == LLMC_BF16 ? aoti_torch_dtype_bfloat16() : aoti_torch_dtype_float32();
    if (aoti_torch_create_tensor_from_blob(matrix->data, 2, sizes, strides, 0, dtype, aoti_torch_device_type_cpu(),
                                           0, out))
        return torch_error("create_tensor_from_blob");
    return LLMC_OK;
}

static bool mkl_is_fast(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(0, &eax, &ebx, &ecx, &edx) && ebx == signature_INTEL_ebx && ecx == signature_INTEL_ecx;
}

llmc_status llmc_gemm_run(struct llmc_gemm *gemm, enum llmc_gemm_form form, const struct llmc_matrix *a,
                          const struct llmc_matrix *b, struct llmc_matrix *product)
{
    llmc_status status = LLMC_OK;
    AtenTensorHandle left = NULL, right = NULL, out = NULL;
    struct llmc_matrix a_wide = *a, b_wide = *b;
    drop_handle(gemm);

    int64_t rows = form == LLMC_GEMM_TN ? a->cols : a->rows;
    int64_t cols = form == LLMC_GEMM_NT ? b->rows : b->cols;
    LLMC_TRY(widen(gemm, 1, &a_wide));
    LLMC_TRY(widen(gemm, 2, &b_wide));
    *product = llmc_matrix(NULL, a_wide.number, rows, cols);
    LLMC_TRY(wrap(&a_wide, form == LLMC_GEMM_TN, &left));
    if (a_wide.number == LLMC_BF16 || mkl_is_fast()) {
        LLMC_TRY(reserve(gemm, 0, rows * cols, product->number));
        product->data = gemm->buffers[0];
        LLMC_TRY(wrap(product, false, &out));
        LLMC_TRY(wrap(&b_wide, form == LLMC_GEMM_NT, &right));
        if (aoti_torch_cpu_mm_out(out, left, right)) {
            status = torch_error("mm_out");
            goto exit;
        }
    } else {
        LLMC_TRY(wrap(&b_wide, form != LLMC_GEMM_NT, &right)); /* the call transposes W itself */
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
