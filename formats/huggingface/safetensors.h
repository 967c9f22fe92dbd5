/*
 * Reading safetensors files (https://github.com/huggingface/safetensors, "Format"):
 *     8 bytes  N, little-endian u64: length of the header
 *     N bytes  JSON {"name": {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {}}
 *     rest     the tensors, row-major, little-endian; offsets count from here
 * A file is checked as a whole before the first tensor is read: header length,
 * JSON, shapes against byte counts (overflow included), offsets inside the file,
 * no overlaps, no holes. The file stays mapped until it is freed; it must not be
 * cut short meanwhile (replace files by rename, as base/file.h does).
 */
#ifndef LLMC_FORMATS_HUGGINGFACE_SAFETENSORS_H
#define LLMC_FORMATS_HUGGINGFACE_SAFETENSORS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct llmc_safetensors;

/* Maps and checks `path`. Errors name the file and the tensor: LLMC_ERR_IO,
 * LLMC_ERR_FORMAT, LLMC_ERR_MEMORY. */
llmc_status llmc_safetensors_open(struct llmc_safetensors **out, const char *path);
void llmc_safetensors_free(struct llmc_safetensors *file); /* NULL ok */

/* The name of tensor `index` in the order of names; NULL past the last. */
const char *llmc_safetensors_name(const struct llmc_safetensors *file, size_t index);

bool llmc_safetensors_has(const struct llmc_safetensors *file, const char *name);

/* shape of a tensor; entries from *rank on are zero. Errors: LLMC_ERR_FORMAT
 * (missing, rank above 4). */
llmc_status llmc_safetensors_shape(const struct llmc_safetensors *file, const char *name, int *rank,
                                   int64_t shape[4]);

/* Reads a tensor of F64, F32, F16 or BF16 as FP32 into out[count]; its shape must
 * have `count` elements in all. Errors: LLMC_ERR_FORMAT (missing, wrong size, dtype). */
llmc_status llmc_safetensors_read(const struct llmc_safetensors *file, const char *name, int64_t count, float *out);

#endif
