#include "formats/export/onnx_graph.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <onnx.pb-c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every message and text is allocated on its own, so that protobuf-c frees the whole tree. */
struct llmc_onnx {
    llmc_status status;
    Onnx__ModelProto *model;
};

int32_t llmc_onnx_number(enum llmc_number number)
{
    static const int32_t numbers[] = {
        [LLMC_F32] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,     [LLMC_F16] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16,
        [LLMC_BF16] = ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, [LLMC_I8] = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
        [LLMC_U8] = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,      [LLMC_I32] = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
        [LLMC_I64] = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    };
    return numbers[number];
}

void llmc_onnx_fail(struct llmc_onnx *graph, llmc_status status)
{
    if (graph->status == LLMC_OK)
        graph->status = status;
}

/* *out = a message of `size` bytes, zeroed and ready for its fields. */
static llmc_status make(void *out, size_t size, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message;
    llmc_status status = llmc_alloc(&message, 1, size);
    if (status == LLMC_OK)
        descriptor->message_init(message);
    memcpy(out, &message, sizeof message);
    return status;
}

#define MAKE(out, name) make(&(out), sizeof *(out), &onnx__##name##__descriptor)

/* Appends `item` to a list of messages or texts. Room doubles: a list is full when its length is a power of two. */
static llmc_status append(void *list, size_t *count, void *item)
{
    void **items;
    memcpy(&items, list, sizeof items);
    if ((*count & (*count - 1)) == 0) {
        items = realloc(items, (*count ? 2 * *count : 1) * sizeof *items);
        if (!items)
            return llmc_error(LLMC_ERR_MEMORY, "cannot allocate a list of %zu items", *count);
        memcpy(list, &items, sizeof items);
    }
    items[(*count)++] = item;
    return LLMC_OK;
}

/* *out = a new message at the end of a list, which owns it. */
static llmc_status make_in(void *list, size_t *count, void *out, size_t size,
                           const ProtobufCMessageDescriptor *descriptor)
{
    void *message;
    llmc_status status = make(&message, size, descriptor);
    if (status == LLMC_OK)
        status = append(list, count, message);
    if (status != LLMC_OK)
        free(message);
    else
        memcpy(out, &message, sizeof message);
    return status;
}

#define MAKE_IN(list, count, out, name) make_in(list, count, &(out), sizeof *(out), &onnx__##name##__descriptor)

static llmc_status append_text(char ***list, size_t *count, const char *text)
{
    char *copy;
    llmc_status status = llmc_strdup(&copy, text);
    if (status == LLMC_OK)
        status = append(list, count, copy);
    if (status != LLMC_OK)
        free(copy);
    return status;
}

llmc_status llmc_onnx_create(struct llmc_onnx **out)
{
    llmc_status status = LLMC_OK;
    struct llmc_onnx *graph = NULL;
    Onnx__OperatorSetIdProto *opset;
    *out = NULL;
    LLMC_TRY(llmc_alloc(&graph, 1, sizeof *graph));
    LLMC_TRY(MAKE(graph->model, model_proto));
    Onnx__ModelProto *model = graph->model;
    model->has_ir_version = true;
    model->ir_version = LLMC_ONNX_IR;
    LLMC_TRY(llmc_strdup(&model->producer_name, "llmc"));
    LLMC_TRY(llmc_strdup(&model->producer_version, LLMC_VERSION));
    LLMC_TRY(MAKE(model->graph, graph_proto));
    LLMC_TRY(llmc_strdup(&model->graph->name, "llmc"));
    LLMC_TRY(MAKE_IN(&model->opset_import, &model->n_opset_import, opset, operator_set_id_proto));
    opset->has_version = true;
    opset->version = LLMC_ONNX_OPSET;
    LLMC_TRY(llmc_strdup(&opset->domain, ""));
    *out = graph;
    graph = NULL;
exit:
    llmc_onnx_free(graph);
    return status;
}

void llmc_onnx_free(struct llmc_onnx *graph)
{
    if (!graph)
        return;
    if (graph->model)
        onnx__model_proto__free_unpacked(graph->model, NULL);
    free(graph);
}

void llmc_onnx_metadata(struct llmc_onnx *graph, const char *key, const char *value)
{
    llmc_status status;
    Onnx__StringStringEntryProto *entry;
    LLMC_TRY(graph->status);
    LLMC_TRY(MAKE_IN(&graph->model->metadata_props, &graph->model->n_metadata_props, entry, string_string_entry_proto));
    LLMC_TRY(llmc_strdup(&entry->key, key));
    LLMC_TRY(llmc_strdup(&entry->value, value));
exit:
    llmc_onnx_fail(graph, status);
}

static llmc_status fill_dimension(Onnx__TensorShapeProto *shape, const char *text)
{
    llmc_status status;
    Onnx__TensorShapeProto__Dimension *dimension;
    char *end;
    LLMC_TRY(MAKE_IN(&shape->dim, &shape->n_dim, dimension, tensor_shape_proto__dimension));
    int64_t number = strtoll(text, &end, 10);
    if (*end == '\0') {
        dimension->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dimension->dim_value = number;
    } else {
        LLMC_TRY(llmc_strdup(&dimension->dim_param, text));
        dimension->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    }
exit:
    return status;
}

static llmc_status fill_value(Onnx__ValueInfoProto *value, const char *name, enum llmc_number number,
                              const char *const *dimensions)
{
    llmc_status status;
    Onnx__TypeProto__Tensor *tensor;
    LLMC_TRY(llmc_strdup(&value->name, name));
    LLMC_TRY(MAKE(value->type, type_proto));
    LLMC_TRY(MAKE(tensor, type_proto__tensor));
    value->type->tensor_type = tensor;
    value->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    tensor->has_elem_type = true;
    tensor->elem_type = llmc_onnx_number(number);
    LLMC_TRY(MAKE(tensor->shape, tensor_shape_proto));
    for (int i = 0; dimensions[i]; i++)
        LLMC_TRY(fill_dimension(tensor->shape, dimensions[i]));
exit:
    return status;
}

const char *llmc_onnx_input(struct llmc_onnx *graph, const char *name, enum llmc_number number,
                            const char *const *dimensions)
{
    llmc_status status;
    Onnx__GraphProto *g = graph->model->graph;
    Onnx__ValueInfoProto *value = NULL;
    LLMC_TRY(graph->status);
    LLMC_TRY(MAKE_IN(&g->input, &g->n_input, value, value_info_proto));
    LLMC_TRY(fill_value(value, name, number, dimensions));
    return value->name;
exit:
    llmc_onnx_fail(graph, status);
    return "";
}

void llmc_onnx_output(struct llmc_onnx *graph, const char *name, enum llmc_number number,
                      const char *const *dimensions)
{
    llmc_status status;
    Onnx__GraphProto *g = graph->model->graph;
    Onnx__ValueInfoProto *value;
    LLMC_TRY(graph->status);
    LLMC_TRY(MAKE_IN(&g->output, &g->n_output, value, value_info_proto));
    LLMC_TRY(fill_value(value, name, number, dimensions));
exit:
    llmc_onnx_fail(graph, status);
}

const char *llmc_onnx_constant(struct llmc_onnx *graph, const char *name, enum llmc_number number, int rank,
                               const int64_t *shape, const void *data)
{
    llmc_status status;
    Onnx__GraphProto *g = graph->model->graph;
    Onnx__TensorProto *tensor;
    LLMC_TRY(graph->status);
    LLMC_TRY(MAKE_IN(&g->initializer, &g->n_initializer, tensor, tensor_proto));
    LLMC_TRY(llmc_strdup(&tensor->name, name));
    tensor->has_data_type = true;
    tensor->data_type = llmc_onnx_number(number);
    LLMC_TRY(llmc_alloc(&tensor->dims, (size_t)rank, sizeof *tensor->dims));
    tensor->n_dims = (size_t)rank;
    size_t nbytes = llmc_number_nbytes(number);
    for (int i = 0; i < rank; i++) {
        tensor->dims[i] = shape[i];
        nbytes *= (size_t)shape[i];
    }
    LLMC_TRY(llmc_alloc(&tensor->raw_data.data, nbytes, 1));
    tensor->has_raw_data = true;
    tensor->raw_data.len = nbytes;
    memcpy(tensor->raw_data.data, data, nbytes);
    return tensor->name;
exit:
    llmc_onnx_fail(graph, status);
    return "";
}

const char *llmc_onnx_node(struct llmc_onnx *graph, const char *operation, const char *output,
                           const char *const *inputs)
{
    llmc_status status;
    Onnx__GraphProto *g = graph->model->graph;
    Onnx__NodeProto *node;
    LLMC_TRY(graph->status);
    LLMC_TRY(MAKE_IN(&g->node, &g->n_node, node, node_proto));
    LLMC_TRY(llmc_strdup(&node->name, output));
    LLMC_TRY(llmc_strdup(&node->op_type, operation));
    for (int i = 0; inputs[i]; i++)
        LLMC_TRY(append_text(&node->input, &node->n_input, inputs[i]));
    LLMC_TRY(append_text(&node->output, &node->n_output, output));
    return node->output[0];
exit:
    llmc_onnx_fail(graph, status);
    return "";
}

/* A new attribute of the node that came last; NULL after a failure. */
static Onnx__AttributeProto *add_attribute(struct llmc_onnx *graph, const char *name,
                                           Onnx__AttributeProto__AttributeType type)
{
    llmc_status status;
    Onnx__GraphProto *g = graph->model->graph;
    Onnx__AttributeProto *attribute;
    LLMC_TRY(graph->status);
    Onnx__NodeProto *node = g->node[g->n_node - 1];
    LLMC_TRY(MAKE_IN(&node->attribute, &node->n_attribute, attribute, attribute_proto));
    LLMC_TRY(llmc_strdup(&attribute->name, name));
    attribute->has_type = true;
    attribute->type = type;
    return attribute;
exit:
    llmc_onnx_fail(graph, status);
    return NULL;
}

void llmc_onnx_attribute_int(struct llmc_onnx *graph, const char *name, int64_t value)
{
    Onnx__AttributeProto *attribute = add_attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (!attribute)
        return;
    attribute->has_i = true;
    attribute->i = value;
}

void llmc_onnx_attribute_ints(struct llmc_onnx *graph, const char *name, int count, const int64_t *values)
{
    Onnx__AttributeProto *attribute = add_attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (!attribute)
        return;
    llmc_status status = llmc_alloc(&attribute->ints, (size_t)count, sizeof *values);
    llmc_onnx_fail(graph, status);
    if (status != LLMC_OK)
        return;
    attribute->n_ints = (size_t)count;
    memcpy(attribute->ints, values, (size_t)count * sizeof *values);
}

void llmc_onnx_attribute_float(struct llmc_onnx *graph, const char *name, float value)
{
    Onnx__AttributeProto *attribute = add_attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (!attribute)
        return;
    attribute->has_f = true;
    attribute->f = value;
}

/* Where protobuf-c puts the bytes of the file, so that they need no memory twice. */
struct file_buffer {
    ProtobufCBuffer base;
    FILE *file;
};

static void append_to_file(ProtobufCBuffer *buffer, size_t nbytes, const uint8_t *bytes)
{
    fwrite(bytes, 1, nbytes, ((struct file_buffer *)buffer)->file);
}

llmc_status llmc_onnx_write(struct llmc_onnx *graph, const char *path)
{
    llmc_status status;
    char *temporary = NULL;
    struct file_buffer buffer = {.base = {append_to_file}};
    LLMC_TRY(graph->status);
    size_t nbytes = protobuf_c_message_get_packed_size(&graph->model->base);
    if (nbytes > INT32_MAX)
        LLMC_FAIL(LLMC_ERR_UNSUPPORTED, "%s: an ONNX file of %zu bytes; allowed are less than 2 GiB", path, nbytes);
    LLMC_TRY(llmc_file_begin(path, &temporary));
    buffer.file = fopen(temporary, "wb");
    if (!buffer.file)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot write: %s", temporary, strerror(errno));
    protobuf_c_message_pack_to_buffer(&graph->model->base, &buffer.base);
    if (fflush(buffer.file) != 0 || ferror(buffer.file))
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot write: %s", temporary, strerror(errno));
    LLMC_TRY(llmc_file_commit(&temporary, path));
exit:
    if (buffer.file)
        fclose(buffer.file);
    llmc_file_abandon(&temporary);
    return status;
}
