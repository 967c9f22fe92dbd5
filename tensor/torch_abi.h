/*
 * The part of LibTorch's C ABI that llmc calls, declared by ourselves because
 * LibTorch's own headers need a C++ compiler. Only tensor/ includes this file.
 *
 * Source: torch 2.13.0, torch/csrc/inductor/aoti_torch/c/{shim.h,shim_cpu.h},
 * generated/c_shim_cpu.h, torch/csrc/stable/c/shim.h. PyTorch keeps these symbols
 * for at least two years (notes "LibTorch Stable ABI").
 *
 * Ownership: inputs are borrowed. Every handle that a call returns through a
 * pointer belongs to the caller, who deletes it once with
 * aoti_torch_delete_tensor_object. A non-zero result means failure; its text is
 * torch_exception_get_what_without_backtrace(), valid until the next failure
 * of the thread.
 */
#ifndef LLMC_TENSOR_TORCH_ABI_H
#define LLMC_TENSOR_TORCH_ABI_H

#include <stdbool.h>
#include <stdint.h>

typedef struct AtenTensorOpaque *AtenTensorHandle;
typedef int32_t AOTITorchError;

/* Values are no part of the ABI: always ask. */
extern int32_t aoti_torch_dtype_float32(void);
extern int32_t aoti_torch_dtype_bfloat16(void);
extern int32_t aoti_torch_device_type_cpu(void);

/* (major << 56) | (minor << 48) | (patch << 40) */
extern uint64_t aoti_torch_abi_version(void);
extern const char *torch_exception_get_what_without_backtrace(void);

extern void aoti_torch_grad_mode_set_enabled(bool enabled);

/* A tensor over memory that the caller keeps alive longer than the tensor. */
extern AOTITorchError aoti_torch_create_tensor_from_blob(void *data, int64_t ndim, const int64_t *sizes,
                                                         const int64_t *strides, int64_t storage_offset,
                                                         int32_t dtype, int32_t device_type, int32_t device_index,
                                                         AtenTensorHandle *ret);
extern AOTITorchError aoti_torch_delete_tensor_object(AtenTensorHandle tensor);
extern AOTITorchError aoti_torch_get_data_ptr(AtenTensorHandle tensor, void **ret);

/* out = self . mat2, written into out's memory. */
extern AOTITorchError aoti_torch_cpu_mm_out(AtenTensorHandle out, AtenTensorHandle self, AtenTensorHandle mat2);

/* *ret = X . W^T through oneDNN; attr "none" with scalars NULL, 0 and algorithm NULL: nothing fused. */
extern AOTITorchError aoti_torch_cpu__linear_pointwise(AtenTensorHandle X, AtenTensorHandle W, AtenTensorHandle *B,
                                                       const char *attr, const double **scalars,
                                                       int64_t scalars_len, const char **algorithm,
                                                       AtenTensorHandle *ret);

#endif
