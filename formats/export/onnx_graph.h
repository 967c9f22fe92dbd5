/*
 * An ONNX graph under construction, and its file: https://onnx.ai, a protocol
 * buffer (Debian's onnx.proto) that protobuf-c writes.
 *
 *     struct llmc_onnx *graph;
 *     LLMC_TRY(llmc_onnx_create(&graph));
 *     const char *x = llmc_onnx_input(graph, "x", LLMC_F32, (const char *[]){"batch", "4", NULL});
 *     const char *y = llmc_onnx_node(graph, "Softmax", "y", (const char *[]){x, NULL});
 *     llmc_onnx_attribute_int(graph, "axis", -1);
 *     llmc_onnx_output(graph, y, LLMC_F32, (const char *[]){"batch", "4", NULL});
 *     LLMC_TRY(llmc_onnx_write(graph, "softmax.onnx"));
 *
 * Only creation and writing return a status: the first failure in between is
 * kept, all that follows does nothing, and writing returns it. So a graph reads
 * as the formulas that it stands for.
 */
#ifndef LLMC_FORMATS_EXPORT_ONNX_GRAPH_H
#define LLMC_FORMATS_EXPORT_ONNX_GRAPH_H

#include "base/number.h"
#include "base/status.h"

#include <stdint.h>

/* LayerNormalization came with 17, which ONNX Runtime 1.12, OpenVINO 2022.3 and all later ones read. */
#define LLMC_ONNX_OPSET 17
#define LLMC_ONNX_IR 8 /* the file format that belongs to it */

struct llmc_onnx;

llmc_status llmc_onnx_create(struct llmc_onnx **out);
void llmc_onnx_free(struct llmc_onnx *graph); /* NULL ok */

/* A line of the file's metadata: UTF-8. */
void llmc_onnx_metadata(struct llmc_onnx *graph, const char *key, const char *value);

/* Values are known by their names, each given once. A name that is returned belongs to the graph and stays valid
 * until it is freed. Dimensions are numbers or names ("batch"), lists end with NULL. */
const char *llmc_onnx_input(struct llmc_onnx *graph, const char *name, enum llmc_number number,
                            const char *const *dimensions);
void llmc_onnx_output(struct llmc_onnx *graph, const char *name, enum llmc_number number,
                      const char *const *dimensions);

/* A constant of the file; `data` is copied. rank 0: one number. */
const char *llmc_onnx_constant(struct llmc_onnx *graph, const char *name, enum llmc_number number, int rank,
                               const int64_t *shape, const void *data);

/* A node with one output, `output`. Attributes are those of the node that came last. */
const char *llmc_onnx_node(struct llmc_onnx *graph, const char *operation, const char *output,
                           const char *const *inputs);
void llmc_onnx_attribute_int(struct llmc_onnx *graph, const char *name, int64_t value);
void llmc_onnx_attribute_ints(struct llmc_onnx *graph, const char *name, int count, const int64_t *values);
void llmc_onnx_attribute_float(struct llmc_onnx *graph, const char *name, float value);

/* ONNX's number for a format ("to" of Cast). */
int32_t llmc_onnx_number(enum llmc_number number);

/* Keeps a failure of the caller's, as those of the graph are kept. */
void llmc_onnx_fail(struct llmc_onnx *graph, llmc_status status);

/* Writes atomically (base/file.h). Errors: the first failure so far; LLMC_ERR_IO;
 * LLMC_ERR_UNSUPPORTED (2 GiB and more, which no protocol buffer holds). */
llmc_status llmc_onnx_write(struct llmc_onnx *graph, const char *path);

#endif
