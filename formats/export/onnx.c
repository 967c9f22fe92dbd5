/* Letters: B texts, S tokens of the longest, H hidden, d the width of a head; A heads of a layer. */
#include "formats/export/onnx.h"

#include "base/memory.h"
#include "formats/export/texts.h"
#include "formats/export/onnx_graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUTS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What BERT itself adds to the scores of padding: its exp is zero in FP32, and FP16 still holds the number. */
#define PADDING_SCORE (-10000.0f)

struct bert {
    struct llmc_onnx *graph;
    const struct llmc_compressed *content;
    const char *mask;              /* [B, 1, 1, S]: 0, or PADDING_SCORE */
    const char *to_heads, *joined; /* shapes [B, S, A, d] and [B, S, A * d] of the layer under way */
    const char *score_factor;      /* 1 / sqrt(d) */
    char name[2 * LLMC_PARAMETER_NAME_NBYTES];
};

/* "bert.pooler.dense.weight" and ".input" give "bert.pooler.dense.input". Valid until the next name. */
static const char *name_at(struct bert *bert, const struct llmc_compressed_tensor *tensor, const char *suffix)
{
    int length = (int)(strlen(tensor->name) - strlen(".weight"));
    snprintf(bert->name, sizeof bert->name, "%.*s%s", length, tensor->name, suffix);
    return bert->name;
}

static const char *name_in_layer(struct bert *bert, int32_t layer, const char *suffix)
{
    snprintf(bert->name, sizeof bert->name, "bert.encoder.layer.%d.%s", layer, suffix);
    return bert->name;
}

static const char *number(struct bert *bert, const char *name, float value)
{
    return llmc_onnx_constant(bert->graph, name, LLMC_F32, 0, NULL, &value);
}

static const char *numbers(struct bert *bert, const char *name, int64_t count, const int64_t *values)
{
    return llmc_onnx_constant(bert->graph, name, LLMC_I64, 1, &count, values);
}

static const char *cast(struct bert *bert, const char *name, const char *x)
{
    const char *y = llmc_onnx_node(bert->graph, "Cast", name, INPUTS(x));
    llmc_onnx_attribute_int(bert->graph, "to", llmc_onnx_number(LLMC_F32));
    return y;
}

/* ---- parameters ---- */

/* A bias, or one of a layer norm's two, in FP32. */
static const char *vector(struct bert *bert, const struct llmc_compressed_tensor *tensor)
{
    float *values;
    const char *name = "";
    llmc_status status = llmc_alloc(&values, (size_t)tensor->cols, sizeof *values);
    if (status == LLMC_OK) {
        llmc_tensor_row(tensor, 0, values);
        name = llmc_onnx_constant(bert->graph, tensor->name, LLMC_F32, 1, &tensor->cols, values);
    }
    llmc_onnx_fail(bert->graph, status);
    free(values);
    return name;
}

/* The weight of a linear layer for x * W: [inputs, outputs], in FP32 for the product. */
static const char *matrix(struct bert *bert, const struct llmc_compressed_tensor *tensor)
{
    struct llmc_onnx *graph = bert->graph;
    size_t nbytes = llmc_number_nbytes(tensor->number);
    const char *from = tensor->data, *name = "";
    char *turned;
    llmc_status status = llmc_alloc(&turned, (size_t)(tensor->rows * tensor->cols), nbytes);
    if (status == LLMC_OK) {
        for (int64_t row = 0; row < tensor->rows; row++)
            for (int64_t col = 0; col < tensor->cols; col++, from += nbytes)
                memcpy(turned + (size_t)(col * tensor->rows + row) * nbytes, from, nbytes);
        name = llmc_onnx_constant(graph, tensor->name, tensor->number, 2, (int64_t[]){tensor->cols, tensor->rows},
                                  turned);
    }
    llmc_onnx_fail(graph, status);
    free(turned);
    if (tensor->number == LLMC_F32)
        return name;
    if (tensor->number == LLMC_F16)
        return cast(bert, name_at(bert, tensor, ".weight_values"), name);
    const char *scales = llmc_onnx_constant(graph, name_at(bert, tensor, ".weight_scales"), LLMC_F32, 1,
                                            &tensor->rows, tensor->scales);
    const char *values =
        llmc_onnx_node(graph, "DequantizeLinear", name_at(bert, tensor, ".weight_values"), INPUTS(name, scales));
    llmc_onnx_attribute_int(graph, "axis", 1);
    return values;
}

/* Rows of an embedding, looked up before they are widened. */
static const char *look_up(struct bert *bert, const struct llmc_compressed_tensor *tensor, const char *ids)
{
    struct llmc_onnx *graph = bert->graph;
    const char *table = llmc_onnx_constant(graph, tensor->name, tensor->number, 2,
                                           (int64_t[]){tensor->rows, tensor->cols}, tensor->data);
    const char *rows = llmc_onnx_node(graph, "Gather", name_at(bert, tensor, ".rows"), INPUTS(table, ids));
    if (tensor->number == LLMC_F32)
        return rows;
    rows = cast(bert, name_at(bert, tensor, ".row_values"), rows);
    if (tensor->number == LLMC_F16)
        return rows;
    const char *scales = llmc_onnx_constant(graph, name_at(bert, tensor, ".scales"), LLMC_F32, 2,
                                            (int64_t[]){tensor->rows, 1}, tensor->scales);
    scales = llmc_onnx_node(graph, "Gather", name_at(bert, tensor, ".row_scales"), INPUTS(scales, ids));
    return llmc_onnx_node(graph, "Mul", name_at(bert, tensor, ".scaled"), INPUTS(rows, scales));
}

/* ---- layers ---- */

/* x, rounded as the layer with this weight wants it. */
static const char *rounded(struct bert *bert, const struct llmc_compressed_tensor *weight, const char *x)
{
    struct llmc_onnx *graph = bert->graph;
    if (!weight->has_input)
        return x;
    uint8_t zero = (uint8_t)weight->input_zero_point;
    const char *scale = number(bert, name_at(bert, weight, ".input_scale"), weight->input_scale);
    const char *zero_point =
        llmc_onnx_constant(graph, name_at(bert, weight, ".input_zero_point"), LLMC_U8, 0, NULL, &zero);
    const char *integers = llmc_onnx_node(graph, "QuantizeLinear", name_at(bert, weight, ".input_integers"),
                                          INPUTS(x, scale, zero_point));
    return llmc_onnx_node(graph, "DequantizeLinear", name_at(bert, weight, ".input"),
                          INPUTS(integers, scale, zero_point));
}

/* x * weight + bias; x is rounded already */
static const char *product(struct bert *bert, const struct llmc_compressed_tensor *weight,
                           const struct llmc_compressed_tensor *bias, const char *x)
{
    const char *w = matrix(bert, weight);
    const char *b = vector(bert, bias);
    const char *y = llmc_onnx_node(bert->graph, "MatMul", name_at(bert, weight, ".product"), INPUTS(x, w));
    return llmc_onnx_node(bert->graph, "Add", name_at(bert, weight, ".output"), INPUTS(y, b));
}

/* The layer whose weight is `weight` and whose bias comes right behind it. */
static const char *linear(struct bert *bert, const struct llmc_compressed_tensor *weight, const char *x)
{
    return product(bert, weight, weight + 1, rounded(bert, weight, x));
}

static const char *layer_norm(struct bert *bert, const struct llmc_compressed_tensor *weight, const char *x)
{
    const char *w = vector(bert, weight);
    const char *b = vector(bert, weight + 1);
    const char *y =
        llmc_onnx_node(bert->graph, "LayerNormalization", name_at(bert, weight, ".output"), INPUTS(x, w, b));
    llmc_onnx_attribute_int(bert->graph, "axis", -1);
    llmc_onnx_attribute_float(bert->graph, "epsilon", bert->content->architecture.norm_epsilon);
    return y;
}

/* [B, S, H] to [B, A, S, d], or for keys [B, A, d, S]. */
static const char *split_heads(struct bert *bert, const struct llmc_compressed_tensor *weight, const char *x,
                               const int64_t order[4])
{
    x = llmc_onnx_node(bert->graph, "Reshape", name_at(bert, weight, ".in_heads"), INPUTS(x, bert->to_heads));
    x = llmc_onnx_node(bert->graph, "Transpose", name_at(bert, weight, ".heads"), INPUTS(x));
    llmc_onnx_attribute_ints(bert->graph, "perm", 4, order);
    return x;
}

/* Attention of the tokens in `asking` to all in `x`; both are the same but in the last layer. */
static const char *attention(struct bert *bert, int32_t layer, const char *x, const char *asking)
{
    static const int64_t heads_first[] = {0, 2, 1, 3}, keys_last[] = {0, 2, 3, 1};
    struct llmc_onnx *graph = bert->graph;
    const struct llmc_compressed_tensor *t = &bert->content->tensors[llmc_layer_parameter(layer, 0)];
    const char *seen = rounded(bert, &t[LLMC_KEY_WEIGHT], x);
    const char *asked = asking == x ? seen : rounded(bert, &t[LLMC_QUERY_WEIGHT], asking);
    const char *query = product(bert, &t[LLMC_QUERY_WEIGHT], &t[LLMC_QUERY_BIAS], asked);
    const char *key = product(bert, &t[LLMC_KEY_WEIGHT], &t[LLMC_KEY_BIAS], seen);
    const char *value = product(bert, &t[LLMC_VALUE_WEIGHT], &t[LLMC_VALUE_BIAS], seen);
    query = split_heads(bert, &t[LLMC_QUERY_WEIGHT], query, heads_first);
    key = split_heads(bert, &t[LLMC_KEY_WEIGHT], key, keys_last);
    value = split_heads(bert, &t[LLMC_VALUE_WEIGHT], value, heads_first);
    const char *scores =
        llmc_onnx_node(graph, "MatMul", name_in_layer(bert, layer, "attention.self.scores"), INPUTS(query, key));
    scores = llmc_onnx_node(graph, "Mul", name_in_layer(bert, layer, "attention.self.scaled_scores"),
                            INPUTS(scores, bert->score_factor));
    scores = llmc_onnx_node(graph, "Add", name_in_layer(bert, layer, "attention.self.masked_scores"),
                            INPUTS(scores, bert->mask));
    const char *shares =
        llmc_onnx_node(graph, "Softmax", name_in_layer(bert, layer, "attention.self.shares"), INPUTS(scores));
    llmc_onnx_attribute_int(graph, "axis", -1);
    const char *context = llmc_onnx_node(graph, "MatMul", name_in_layer(bert, layer, "attention.self.context_in_heads"),
                                         INPUTS(shares, value));
    context = llmc_onnx_node(graph, "Transpose", name_in_layer(bert, layer, "attention.self.context_by_token"),
                             INPUTS(context));
    llmc_onnx_attribute_ints(graph, "perm", 4, heads_first);
    return llmc_onnx_node(graph, "Reshape", name_in_layer(bert, layer, "attention.self.context"),
                          INPUTS(context, bert->joined));
}

/* x * Phi(x), as exporters write it and engines know to fuse it; its tanh form; relu. */
static const char *activation(struct bert *bert, int32_t layer, const char *x)
{
    struct llmc_onnx *graph = bert->graph;
#define STEP(operation, suffix, ...) \
    llmc_onnx_node(graph, operation, name_in_layer(bert, layer, "intermediate." suffix), INPUTS(__VA_ARGS__))
    const char *y;
    if (bert->content->architecture.activation == LLMC_RELU)
        return STEP("Relu", "active", x);
    if (bert->content->architecture.activation == LLMC_GELU) {
        y = STEP("Div", "divided", x, "sqrt_2");
        y = STEP("Erf", "erf", y);
    } else {
        y = STEP("Pow", "cube", x, "three");
        y = STEP("Mul", "small_cube", y, "cube_factor");
        y = STEP("Add", "polynomial", x, y);
        y = STEP("Mul", "argument", y, "sqrt_2_over_pi");
        y = STEP("Tanh", "tanh", y);
    }
    y = STEP("Add", "twice_phi", y, "one");
    y = STEP("Mul", "twice_active", x, y);
    return STEP("Mul", "active", y, "half");
#undef STEP
}

/* The shapes of this layer's heads, or with no prefix those of all. 0: as it is. */
static void shape_heads(struct bert *bert, int32_t layer, const char *prefix)
{
    const struct llmc_architecture *a = &bert->content->architecture;
    char name[LLMC_PARAMETER_NAME_NBYTES + 16];
    snprintf(name, sizeof name, "%sshape_in_heads", prefix);
    bert->to_heads = numbers(bert, name, 4, (int64_t[]){0, 0, a->layer[layer].heads, a->head_width});
    snprintf(name, sizeof name, "%sshape_joined", prefix);
    bert->joined = numbers(bert, name, 3, (int64_t[]){0, 0, llmc_architecture_attention(a, layer)});
}

static const char *encode_layer(struct bert *bert, int32_t layer, const char *x)
{
    if (!llmc_architecture_is_even(&bert->content->architecture))
        shape_heads(bert, layer, name_in_layer(bert, layer, "attention.self."));
    struct llmc_onnx *graph = bert->graph;
    const struct llmc_compressed_tensor *t = &bert->content->tensors[llmc_layer_parameter(layer, 0)];
    const char *kept = x;
    if (layer + 1 == bert->content->architecture.layers) /* nothing reads the other tokens any more */
        kept = llmc_onnx_node(graph, "Slice", "first_tokens", INPUTS(x, "from_first", "to_second", "of_tokens"));
    const char *y = linear(bert, &t[LLMC_ATTENTION_OUTPUT_WEIGHT], attention(bert, layer, x, kept));
    y = llmc_onnx_node(graph, "Add", name_in_layer(bert, layer, "attention.residual"), INPUTS(y, kept));
    kept = layer_norm(bert, &t[LLMC_ATTENTION_NORM_WEIGHT], y);
    y = activation(bert, layer, linear(bert, &t[LLMC_INTERMEDIATE_WEIGHT], kept));
    y = linear(bert, &t[LLMC_OUTPUT_WEIGHT], y);
    y = llmc_onnx_node(graph, "Add", name_in_layer(bert, layer, "residual"), INPUTS(y, kept));
    return layer_norm(bert, &t[LLMC_OUTPUT_NORM_WEIGHT], y);
}

/* ---- the graph ---- */

static void constants(struct bert *bert)
{
    const struct llmc_architecture *a = &bert->content->architecture;
    if (llmc_architecture_is_even(a))
        shape_heads(bert, 0, "");
    bert->score_factor = number(bert, "score_factor", 1.0f / sqrtf((float)a->head_width));
    numbers(bert, "from_first", 1, (int64_t[]){0});
    numbers(bert, "to_second", 1, (int64_t[]){1});
    numbers(bert, "of_tokens", 1, (int64_t[]){1});
    number(bert, "one", 1.0f);
    if (a->activation == LLMC_RELU)
        return;
    number(bert, "half", 0.5f);
    if (a->activation == LLMC_GELU) {
        number(bert, "sqrt_2", 1.41421356f);
    } else {
        number(bert, "three", 3.0f);
        number(bert, "cube_factor", 0.044715f);
        number(bert, "sqrt_2_over_pi", 0.797884561f);
    }
}

/* 1 for tokens and 0 for padding becomes what is added to the scores. */
static void make_mask(struct bert *bert, const char *attention_mask)
{
    struct llmc_onnx *graph = bert->graph;
    const char *axes = numbers(bert, "mask_axes", 2, (int64_t[]){1, 2});
    const char *mask = llmc_onnx_node(graph, "Unsqueeze", "mask_integers", INPUTS(attention_mask, axes));
    mask = cast(bert, "mask_values", mask);
    mask = llmc_onnx_node(graph, "Sub", "padding", INPUTS("one", mask));
    bert->mask = llmc_onnx_node(graph, "Mul", "mask", INPUTS(mask, number(bert, "padding_score", PADDING_SCORE)));
}

/* 0, 1, ... for the tokens of a text: int64 [S] */
static const char *position_ids(struct bert *bert, const char *ids)
{
    struct llmc_onnx *graph = bert->graph;
    const int64_t zero = 0, one = 1;
    const char *first = llmc_onnx_constant(graph, "position_first", LLMC_I64, 0, NULL, &zero);
    const char *step = llmc_onnx_constant(graph, "position_step", LLMC_I64, 0, NULL, &one);
    const char *count = llmc_onnx_node(graph, "Shape", "sequence_shape", INPUTS(ids));
    llmc_onnx_attribute_int(graph, "start", 1);
    count = llmc_onnx_node(graph, "Squeeze", "sequence_length", INPUTS(count));
    return llmc_onnx_node(graph, "Range", "position_ids", INPUTS(first, count, step));
}

static void build(struct bert *bert)
{
    struct llmc_onnx *graph = bert->graph;
    const struct llmc_compressed_tensor *t = bert->content->tensors;
    const struct llmc_architecture *a = &bert->content->architecture;
    const char *const tokens[] = {"batch", "sequence", NULL};
    char labels[16];
    constants(bert);
    const char *ids = llmc_onnx_input(graph, "input_ids", LLMC_I64, tokens);
    make_mask(bert, llmc_onnx_input(graph, "attention_mask", LLMC_I64, tokens));
    const char *types = llmc_onnx_input(graph, "token_type_ids", LLMC_I64, tokens);
    const char *words = look_up(bert, &t[LLMC_WORDS], ids);
    if (a->embedding_rank) {
        const struct llmc_compressed_tensor *projection = &t[llmc_head_parameter(a, LLMC_WORD_PROJECTION)];
        const char *factor = matrix(bert, projection); /* before the name: both write it */
        words = llmc_onnx_node(graph, "MatMul", name_at(bert, projection, ".words"), INPUTS(words, factor));
    }
    const char *positions = look_up(bert, &t[LLMC_POSITIONS], position_ids(bert, ids));
    types = look_up(bert, &t[LLMC_TYPES], types);
    const char *x = llmc_onnx_node(graph, "Add", "bert.embeddings.words_positions", INPUTS(words, positions));
    x = llmc_onnx_node(graph, "Add", "bert.embeddings.sum", INPUTS(x, types));
    x = layer_norm(bert, &t[LLMC_EMBEDDING_NORM_WEIGHT], x);
    for (int32_t layer = 0; layer < a->layers; layer++)
        x = encode_layer(bert, layer, x);
    x = linear(bert, &t[llmc_head_parameter(a, LLMC_POOLER_WEIGHT)], x);
    x = llmc_onnx_node(graph, "Tanh", "bert.pooler.active", INPUTS(x));
    x = linear(bert, &t[llmc_head_parameter(a, LLMC_CLASSIFIER_WEIGHT)], x);
    x = llmc_onnx_node(graph, "Squeeze", "logits", INPUTS(x, "of_tokens"));
    snprintf(labels, sizeof labels, "%d", a->labels);
    llmc_onnx_output(graph, x, LLMC_F32, (const char *[]){"batch", labels, NULL});
}

llmc_status llmc_onnx_export(const struct llmc_compressed *content, const char *path)
{
    llmc_status status = LLMC_OK;
    struct bert bert = {.content = content};
    char *labels = NULL, *tokenizer = NULL;
    LLMC_TRY(llmc_export_check_texts(content));
    LLMC_TRY(llmc_export_labels(content, &labels));
    LLMC_TRY(llmc_export_tokenizer(content, &tokenizer));
    LLMC_TRY(llmc_onnx_create(&bert.graph));
    build(&bert);
    llmc_onnx_metadata(bert.graph, "labels", labels);
    llmc_onnx_metadata(bert.graph, "tokenizer", tokenizer);
    llmc_onnx_metadata(bert.graph, "vocabulary", content->vocabulary);
    llmc_onnx_metadata(bert.graph, "origin", content->origin);
    LLMC_TRY(llmc_onnx_write(bert.graph, path));
exit:
    llmc_onnx_free(bert.graph);
    free(labels);
    free(tokenizer);
    return status;
}
