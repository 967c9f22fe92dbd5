/*
 * Each step of the encoder is shared out among the team: rows of tokens for
 * element-wise steps, panels of outputs for linear layers, heads for attention
 * with the layer before it. Every number is computed by one thread in one fixed
 * order, so results do not depend on the size of the team.
 */
#include "runtime/forward.h"

#include "base/clock.h"

#include <string.h>

struct pass {
    const struct llmc_model *model;
    const struct llmc_rt_kernels *kernels;
    const struct llmc_rt_sequences *sequences;
    struct llmc_rt_work *work;
    struct llmc_rt_scratch *scratch;
    struct llmc_rt_team team;
    struct llmc_rt_profile *profile;
    double since;    /* of the profile: when the part under way began */
    float *x, *y;    /* the work's, in changing roles: x is the state of the encoder */
    int64_t rows;    /* of x: all tokens; behind the last attention, the first of each sequence */
    size_t x_stride; /* of x_u8 */
};

struct share {
    int64_t begin, end;
};

static struct share share_of(const struct pass *pass, int64_t count)
{
    return (struct share){count * pass->team.rank / pass->team.size, count * (pass->team.rank + 1) / pass->team.size};
}

/* Ends a part of the profile; the next begins. */
static void lap(struct pass *pass, enum llmc_rt_part part)
{
    if (pass->profile) {
        double now = llmc_clock();
        pass->profile->seconds[part] += now - pass->since;
        pass->since = now;
    }
}

/* For the others: behind it, what each member has computed is there for all. */
static void wait(struct pass *pass)
{
    if (pass->team.size > 1) {
#pragma omp barrier
        lap(pass, LLMC_PART_WAITING);
    }
}

static enum llmc_rt_step step_of(enum llmc_activation activation)
{
    return activation == LLMC_GELU ? LLMC_STEP_GELU : activation == LLMC_RELU ? LLMC_STEP_RELU : LLMC_STEP_GELU_TANH;
}

static void add_row(const struct llmc_rt_vectors *vectors, const struct llmc_rt_table *table, int64_t row, float *out)
{
    size_t at = (size_t)row * (size_t)table->cols;
    if (table->number == LLMC_I8)
        vectors->add_i8(out, (const int8_t *)table->data + at, table->cols, table->scales[row]);
    else if (table->number == LLMC_F16)
        vectors->add_f16(out, (const uint16_t *)table->data + at, table->cols);
    else
        vectors->add_f32(out, (const float *)table->data + at, table->cols);
}

/* Quantises row `row` of `from` where `next` takes integers. */
static void quantise_row(const struct pass *pass, const struct llmc_rt_linear *next, const float *from, int64_t row)
{
    int32_t hidden = pass->model->architecture.hidden;
    if (next->integer)
        pass->kernels->vectors->quantise(pass->work->x_u8 + (size_t)row * pass->x_stride, from + row * hidden, hidden,
                                &next->input);
}

/* Where a linear layer's inputs are: in FP32 [rows, stride], or in integers where it runs in them. */
struct input {
    const float *f32;
    const uint8_t *u8;
    size_t stride;
};

/* Outputs of the panels first..last-1, which are the target's columns from 0 on, for the first `rows` of the input. */
static void linear_part(struct pass *pass, const struct llmc_rt_linear *linear, int32_t first, int32_t last,
                        struct input input, int64_t rows, const struct llmc_rt_target *target)
{
    int32_t end = last * LLMC_PANEL, outputs = (end < linear->outputs ? end : linear->outputs) - first * LLMC_PANEL;
    if (linear->integer) {
        struct llmc_rt_weights_i8 part = linear->i8;
        part.n = outputs;
        part.panels += (size_t)first * (size_t)part.k_groups * LLMC_PANEL * 4;
        part.start += first * LLMC_PANEL;
        part.scale += first * LLMC_PANEL;
        part.bias += first * LLMC_PANEL;
        pass->kernels->linear_i8(&part, 0, last - first, input.u8, input.stride, rows, target);
        if (pass->profile)
            pass->profile->integer_operations += 2.0 * (double)rows * linear->inputs * outputs;
    } else {
        struct llmc_rt_weights_f32 part = linear->f32;
        part.n = outputs;
        part.panels += (size_t)first * (size_t)part.k * LLMC_PANEL;
        part.bias += first * LLMC_PANEL;
        pass->kernels->vectors->linear_f32(&part, 0, last - first, input.f32, input.stride, rows, target);
    }
    lap(pass, linear->integer ? LLMC_PART_INTEGERS : LLMC_PART_FLOATS);
}

/* A layer, each member of the team some of its outputs. */
static void linear(struct pass *pass, const struct llmc_rt_linear *linear, struct input input,
                   struct llmc_rt_target target)
{
    struct share share = share_of(pass, linear->panels);
    size_t column = (size_t)share.begin * LLMC_PANEL;
    if (target.f32)
        target.f32 += column;
    else
        target.u8 += column;
    if (share.end > share.begin)
        linear_part(pass, linear, (int32_t)share.begin, (int32_t)share.end, input, pass->rows, &target);
    wait(pass);
}

/* Rows of a layer's inputs, as wide as the layer takes them. */
static struct input input_of(const struct llmc_rt_linear *linear, const float *f32, const uint8_t *u8)
{
    size_t inputs = (size_t)linear->inputs;
    return (struct input){f32, u8, linear->integer ? (inputs + LLMC_K_STEP - 1) / LLMC_K_STEP * LLMC_K_STEP : inputs};
}

/* x = the words of this member's rows, of an embedding in factors. Integers lie in x_u8 and floats in y meanwhile. */
static void project_words(struct pass *pass, struct share share)
{
    const struct llmc_model *model = pass->model;
    const struct llmc_rt_linear *projection = &model->projection;
    const struct llmc_rt_table *words = &model->words;
    size_t hidden = (size_t)model->architecture.hidden, rank = (size_t)words->cols;
    float *x = pass->x + (size_t)share.begin * hidden, *rows = pass->y + (size_t)share.begin * hidden;
    uint8_t *integers = pass->work->x_u8 + (size_t)share.begin * pass->x_stride;
    struct llmc_rt_target target = {.f32 = x, .stride = hidden};
    int64_t count = share.end - share.begin;
    if (count == 0)
        return;
    for (int64_t i = 0; i < count; i++) {
        int64_t id = pass->sequences->ids[share.begin + i];
        const int8_t *from = (const int8_t *)words->data + (size_t)id * rank;
        if (!projection->integer) {
            memset(rows + (size_t)i * hidden, 0, rank * sizeof *rows);
            add_row(pass->kernels->vectors, words, id, rows + (size_t)i * hidden);
        }
        for (size_t k = 0; projection->integer && k < rank; k++)
            integers[(size_t)i * pass->x_stride + k] = (uint8_t)(from[k] + LLMC_RT_WORD_ZERO);
    }
    if (!projection->integer) {
        pass->kernels->vectors->linear_f32(&projection->f32, 0, projection->panels, rows, hidden, count, &target);
        return;
    }
    pass->kernels->linear_i8(&projection->i8, 0, projection->panels, integers, pass->x_stride, count, &target);
    for (int64_t i = 0; i < count; i++) {
        float scale = words->scales[pass->sequences->ids[share.begin + i]];
        for (size_t k = 0; k < hidden; k++)
            x[(size_t)i * hidden + k] *= scale;
    }
}

static void embed(struct pass *pass)
{
    const struct llmc_model *model = pass->model;
    const struct llmc_rt_sequences *sequences = pass->sequences;
    int32_t hidden = model->architecture.hidden;
    struct share share = share_of(pass, pass->rows);
    int32_t sequence = 0;
    bool factored = model->architecture.embedding_rank > 0;
    if (factored)
        project_words(pass, share);
    for (int64_t row = share.begin; row < share.end; row++) {
        while (sequences->offsets[sequence + 1] <= row)
            sequence++;
        float *x = pass->x + row * hidden;
        if (!factored) {
            memset(x, 0, (size_t)hidden * sizeof *x);
            add_row(pass->kernels->vectors, &model->words, sequences->ids[row], x);
        }
        add_row(pass->kernels->vectors, &model->positions, row - sequences->offsets[sequence], x);
        add_row(pass->kernels->vectors, &model->types, sequences->types[row], x);
        pass->kernels->vectors->layer_norm(x, NULL, hidden, model->embedding_norm.weight, model->embedding_norm.bias,
                                  model->architecture.norm_epsilon);
        quantise_row(pass, &model->layers[0].qkv, pass->x, row);
    }
    lap(pass, LLMC_PART_EMBEDDING);
    wait(pass);
}

/* Heads that are computed together, and where their queries, keys and values are. */
struct heads {
    int32_t first, last;
    int32_t panel, panels; /* of queries, of keys, of values */
};

static struct heads heads_from(const struct llmc_architecture *architecture, int32_t first, int32_t last)
{
    int32_t width = architecture->head_width, panel = first * width / LLMC_PANEL;
    return (struct heads){first, last, panel, (last * width + LLMC_PANEL - 1) / LLMC_PANEL - panel};
}

/* scratch->qkv = queries, keys and values of these heads: [rows, 3, panels of numbers]. With `first_only`, queries of the
 * first token of each sequence alone; those of other tokens are not set. */
static void project(struct pass *pass, const struct llmc_rt_linear *qkv, const struct heads *heads, bool first_only)
{
    const struct llmc_rt_sequences *sequences = pass->sequences;
    size_t columns = (size_t)heads->panels * LLMC_PANEL, hidden = (size_t)pass->model->architecture.hidden;
    struct llmc_rt_target all = {.f32 = pass->scratch->qkv, .stride = 3 * columns};
    for (int32_t part = 0; part < 3; part++, all.f32 += columns) {
        int32_t first = part * (qkv->panels / 3) + heads->panel, last = first + heads->panels;
        bool single = part == 0 && first_only;
        for (int32_t i = 0; i < (single ? sequences->count : 1); i++) {
            size_t row = single ? (size_t)sequences->offsets[i] : 0;
            struct input input = input_of(qkv, pass->x + row * hidden, pass->work->x_u8 + row * pass->x_stride);
            struct llmc_rt_target target = {.f32 = all.f32 + row * all.stride, .stride = all.stride};
            linear_part(pass, qkv, first, last, input, single ? 1 : pass->rows, &target);
        }
    }
}

/* Attention of these heads, as `next` takes it: into context, or quantised into context_u8. With `first_only`, only the
 * first token of each sequence is needed further: only its query is asked, and the result has one row a sequence. */
static void attend(struct pass *pass, const struct heads *heads, const struct llmc_rt_linear *next, bool first_only)
{
    const struct llmc_rt_sequences *sequences = pass->sequences;
    size_t width = (size_t)pass->model->architecture.head_width;
    size_t stride = input_of(next, NULL, NULL).stride;
    size_t columns = (size_t)heads->panels * LLMC_PANEL, before = (size_t)heads->panel * LLMC_PANEL;
    for (int64_t sequence = 0; sequence < sequences->count; sequence++) {
        int64_t offset = sequences->offsets[sequence], row = first_only ? sequence : offset;
        struct llmc_rt_head head = {.stride = 3 * columns, .length = sequences->offsets[sequence + 1] - (int32_t)offset,
                                 .width = (int32_t)width, .scratch = pass->scratch->numbers};
        struct llmc_rt_target out = {.stride = stride, .quantiser = next->input};
        head.queries = first_only ? 1 : head.length;
        for (int32_t i = heads->first; i < heads->last; i++) {
            size_t column = (size_t)i * width, at = (size_t)row * out.stride + column;
            head.query = pass->scratch->qkv + (size_t)offset * head.stride + (column - before);
            head.key = head.query + columns;
            head.value = head.key + columns;
            if (next->integer)
                out.u8 = pass->work->context_u8 + at;
            else
                out.f32 = pass->work->context + at;
            pass->kernels->vectors->attend(&head, &out);
        }
    }
    lap(pass, LLMC_PART_ATTENTION);
}

/* The self-attention of a layer: each member of the team some of the heads. */
static void self_attention(struct pass *pass, const struct llmc_rt_layer *layer, bool first_only)
{
    const struct llmc_architecture *architecture = &pass->model->architecture;
    struct share share = share_of(pass, layer->heads);
    int32_t at_once = llmc_rt_heads_at_once(architecture, layer->heads, pass->rows);
    int32_t groups = ((int32_t)(share.end - share.begin) + at_once - 1) / at_once;
    for (int32_t first = (int32_t)share.begin, last; first < share.end; first = last, groups--) {
        last = first + ((int32_t)share.end - first + groups - 1) / groups;
        struct heads heads = heads_from(architecture, first, last);
        project(pass, &layer->qkv, &heads, first_only);
        attend(pass, &heads, &layer->attention_output, first_only);
    }
}

/* y = the rows of x of the first tokens; the two change roles behind the next barrier. */
static void keep_first_tokens(struct pass *pass)
{
    int32_t hidden = pass->model->architecture.hidden;
    struct share share = share_of(pass, pass->sequences->count);
    for (int64_t i = share.begin; i < share.end; i++)
        memcpy(pass->y + i * hidden, pass->x + (int64_t)pass->sequences->offsets[i] * hidden,
               (size_t)hidden * sizeof(float));
}

static void exchange(struct pass *pass)
{
    float *x = pass->x;
    pass->x = pass->y;
    pass->y = x;
}

/* x = layer norm of y + x, quantised for `next`; x and y change roles. */
static void normalise(struct pass *pass, const struct llmc_rt_norm *norm, const struct llmc_rt_linear *next)
{
    int32_t hidden = pass->model->architecture.hidden;
    struct share share = share_of(pass, pass->rows);
    for (int64_t row = share.begin; row < share.end; row++) {
        pass->kernels->vectors->layer_norm(pass->y + row * hidden, pass->x + row * hidden, hidden, norm->weight, norm->bias,
                                  pass->model->architecture.norm_epsilon);
        quantise_row(pass, next, pass->y, row);
    }
    lap(pass, LLMC_PART_NORM);
    wait(pass);
    exchange(pass);
}

static void encode_layer(struct pass *pass, int32_t index)
{
    const struct llmc_model *model = pass->model;
    const struct llmc_rt_layer *layer = &model->layers[index];
    struct llmc_rt_work *work = pass->work;
    bool last = index + 1 == model->architecture.layers;
    const struct llmc_rt_linear *next = last ? &model->pooler : &model->layers[index + 1].qkv;
    size_t hidden = (size_t)model->architecture.hidden;

    self_attention(pass, layer, last);
    if (last)
        keep_first_tokens(pass);
    wait(pass);
    if (last) {
        exchange(pass);
        pass->rows = pass->sequences->count;
    }
    linear(pass, &layer->attention_output, input_of(&layer->attention_output, work->context, work->context_u8),
           (struct llmc_rt_target){.f32 = pass->y, .stride = hidden});
    normalise(pass, &layer->attention_norm, &layer->intermediate);

    struct llmc_rt_target wide = {.step = step_of(model->architecture.activation), };
    struct input ffn_input = input_of(&layer->output, work->ffn, work->ffn_u8);
    wide.stride = ffn_input.stride;
    if (layer->output.integer) {
        wide.u8 = work->ffn_u8;
        wide.quantiser = layer->output.input;
    } else {
        wide.f32 = work->ffn;
    }
    linear(pass, &layer->intermediate, input_of(&layer->intermediate, pass->x, work->x_u8), wide);
    linear(pass, &layer->output, ffn_input, (struct llmc_rt_target){.f32 = pass->y, .stride = hidden});
    normalise(pass, &layer->output_norm, next);
}

void llmc_rt_forward(const struct llmc_model *model, const struct llmc_rt_sequences *sequences,
                     struct llmc_rt_work *work, struct llmc_rt_scratch *scratch, struct llmc_rt_team team,
                     struct llmc_rt_profile *profile, float *logits)
{
    size_t hidden = (size_t)model->architecture.hidden;
    struct pass pass = {
        .model = model,
        .kernels = model->kernels,
        .sequences = sequences,
        .work = work,
        .scratch = scratch,
        .team = team,
        .profile = profile,
        .since = profile ? llmc_clock() : 0.0,
        .x = work->x,
        .y = work->y,
        .rows = sequences->offsets[sequences->count],
        .x_stride = (hidden + LLMC_K_STEP - 1) / LLMC_K_STEP * LLMC_K_STEP,
    };
    embed(&pass);
    for (int32_t i = 0; i < model->architecture.layers; i++)
        encode_layer(&pass, i);
    linear(&pass, &model->pooler, input_of(&model->pooler, pass.x, work->x_u8),
           (struct llmc_rt_target){.step = LLMC_STEP_TANH, .f32 = pass.y, .stride = hidden});
    linear(&pass, &model->classifier, (struct input){.f32 = pass.y, .stride = hidden},
           (struct llmc_rt_target){.f32 = logits, .stride = (size_t)model->architecture.labels});
}
