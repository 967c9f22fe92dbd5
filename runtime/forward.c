/*
 * Each step of the encoder is shared out among the team: rows of tokens for
 * element-wise steps, panels of outputs for linear layers, (sequence, head)
 * pairs for attention. Every number is computed by one thread in one fixed
 * order, so results do not depend on the size of the team.
 */
#include "runtime/forward.h"

#include "base/clock.h"

#include <string.h>

struct pass {
    const struct llmc_model *model;
    const struct llmc_kernels *kernels;
    const struct llmc_sequences *sequences;
    struct llmc_work *work;
    struct llmc_scratch *scratch;
    struct llmc_team team;
    struct llmc_profile *profile;
    double since;    /* of the profile: when the part under way began */
    float *x, *y;    /* the work's, in changing roles: x is the state of the encoder */
    int64_t rows;    /* of x: all tokens; behind the last attention, the first of each sequence */
    size_t x_stride; /* of x_u8 */
    size_t ffn_stride;
};

struct share {
    int64_t begin, end;
};

static struct share share_of(const struct pass *pass, int64_t count)
{
    return (struct share){count * pass->team.rank / pass->team.size, count * (pass->team.rank + 1) / pass->team.size};
}

/* Ends a part of the profile; the next begins. */
static void lap(struct pass *pass, enum llmc_part part)
{
    if (pass->profile) {
        double now = llmc_clock();
        pass->profile->seconds[part] += now - pass->since;
        pass->since = now;
    }
}

/* Ends a part whose results others need. */
static void finish(struct pass *pass, enum llmc_part part)
{
    lap(pass, part);
    if (pass->team.size > 1) {
#pragma omp barrier
        lap(pass, LLMC_PART_WAITING);
    }
}

static enum llmc_step step_of(enum llmc_activation activation)
{
    return activation == LLMC_GELU ? LLMC_STEP_GELU : activation == LLMC_RELU ? LLMC_STEP_RELU : LLMC_STEP_GELU_TANH;
}

static void add_row(const struct llmc_vectors *vectors, const struct llmc_table *table, int64_t row, float *out)
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
static void quantise_row(const struct pass *pass, const struct llmc_linear *next, const float *from, int64_t row)
{
    int32_t hidden = pass->model->architecture.hidden;
    if (next->integer)
        pass->kernels->vectors->quantise(pass->work->x_u8 + (size_t)row * pass->x_stride, from + row * hidden, hidden,
                                &next->input);
}

/* Outputs of the panels first..last-1: the last panel may be filled up. */
static int32_t outputs_of(const struct llmc_linear *linear, int32_t first, int32_t last)
{
    int32_t end = last * LLMC_PANEL < linear->i8.n ? last * LLMC_PANEL : linear->i8.n;
    return end - first * LLMC_PANEL;
}

/* `x` in FP32 [rows, stride], or `x_u8` where the layer runs in integers. */
static void linear(struct pass *pass, const struct llmc_linear *linear, const float *x, size_t stride,
                   const uint8_t *x_u8, size_t stride_u8, const struct llmc_target *target)
{
    struct share share = share_of(pass, linear->panels);
    int32_t first = (int32_t)share.begin, last = (int32_t)share.end;
    if (linear->integer) {
        pass->kernels->linear_i8(&linear->i8, first, last, x_u8, stride_u8, pass->rows, target);
        if (pass->profile)
            pass->profile->integer_operations +=
                2.0 * (double)pass->rows * linear->inputs * outputs_of(linear, first, last);
    } else {
        pass->kernels->vectors->linear_f32(&linear->f32, first, last, x, stride, pass->rows, target);
    }
    finish(pass, linear->integer ? LLMC_PART_INTEGERS : LLMC_PART_FLOATS);
}

static void embed(struct pass *pass)
{
    const struct llmc_model *model = pass->model;
    const struct llmc_sequences *sequences = pass->sequences;
    int32_t hidden = model->architecture.hidden;
    struct share share = share_of(pass, pass->rows);
    int32_t sequence = 0;
    for (int64_t row = share.begin; row < share.end; row++) {
        while (sequences->offsets[sequence + 1] <= row)
            sequence++;
        float *x = pass->x + row * hidden;
        memset(x, 0, (size_t)hidden * sizeof *x);
        add_row(pass->kernels->vectors, &model->words, sequences->ids[row], x);
        add_row(pass->kernels->vectors, &model->positions, row - sequences->offsets[sequence], x);
        add_row(pass->kernels->vectors, &model->types, sequences->types[row], x);
        pass->kernels->vectors->layer_norm(x, NULL, hidden, model->embedding_norm.weight, model->embedding_norm.bias,
                                  model->architecture.norm_epsilon);
        quantise_row(pass, &model->layers[0].qkv, pass->x, row);
    }
    finish(pass, LLMC_PART_EMBEDDING);
}

/* Attention of qkv, as `next` takes it: into context, or quantised into x_u8. With `first_only`, only the first token of
 * each sequence is needed further: only its query is asked, and the result has one row a sequence. */
static void attend(struct pass *pass, const struct llmc_linear *next, bool first_only)
{
    const struct llmc_sequences *sequences = pass->sequences;
    const struct llmc_architecture *architecture = &pass->model->architecture;
    size_t hidden = (size_t)architecture->hidden, width = hidden / (size_t)architecture->heads;
    struct share share = share_of(pass, (int64_t)sequences->count * architecture->heads);
    for (int64_t i = share.begin; i < share.end; i++) {
        int64_t sequence = i / architecture->heads, offset = sequences->offsets[sequence];
        int64_t row = first_only ? sequence : offset;
        size_t column = (size_t)(i % architecture->heads) * width;
        struct llmc_head head = {.stride = 3 * hidden, .length = sequences->offsets[sequence + 1] - (int32_t)offset,
                                 .width = (int32_t)width, .scratch = pass->scratch->numbers};
        struct llmc_target out = {.quantiser = next->input};
        head.queries = first_only ? 1 : head.length;
        head.query = pass->work->qkv + (size_t)offset * head.stride + column;
        head.key = head.query + hidden;
        head.value = head.key + hidden;
        out.stride = next->integer ? pass->x_stride : hidden;
        if (next->integer)
            out.u8 = pass->work->x_u8 + (size_t)row * out.stride + column;
        else
            out.f32 = pass->work->context + (size_t)row * out.stride + column;
        pass->kernels->vectors->attend(&head, &out);
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
static void normalise(struct pass *pass, const struct llmc_norm *norm, const struct llmc_linear *next)
{
    int32_t hidden = pass->model->architecture.hidden;
    struct share share = share_of(pass, pass->rows);
    for (int64_t row = share.begin; row < share.end; row++) {
        pass->kernels->vectors->layer_norm(pass->y + row * hidden, pass->x + row * hidden, hidden, norm->weight, norm->bias,
                                  pass->model->architecture.norm_epsilon);
        quantise_row(pass, next, pass->y, row);
    }
    finish(pass, LLMC_PART_NORM);
    exchange(pass);
}

static void encode_layer(struct pass *pass, int32_t index)
{
    const struct llmc_model *model = pass->model;
    const struct llmc_layer *layer = &model->layers[index];
    struct llmc_work *work = pass->work;
    bool last = index + 1 == model->architecture.layers;
    const struct llmc_linear *next = last ? &model->pooler : &model->layers[index + 1].qkv;
    size_t hidden = (size_t)model->architecture.hidden, ffn = (size_t)model->architecture.ffn;

    struct llmc_target qkv = {.f32 = work->qkv, .stride = 3 * hidden};
    linear(pass, &layer->qkv, pass->x, hidden, work->x_u8, pass->x_stride, &qkv);
    attend(pass, &layer->attention_output, last);
    if (last)
        keep_first_tokens(pass);
    finish(pass, LLMC_PART_ATTENTION);
    if (last) {
        exchange(pass);
        pass->rows = pass->sequences->count;
    }
    struct llmc_target attended = {.f32 = pass->y, .stride = hidden};
    linear(pass, &layer->attention_output, work->context, hidden, work->x_u8, pass->x_stride, &attended);
    normalise(pass, &layer->attention_norm, &layer->intermediate);

    struct llmc_target wide = {.step = step_of(model->architecture.activation), .f32 = work->ffn, .stride = ffn};
    if (layer->output.integer) {
        wide.f32 = NULL;
        wide.u8 = work->ffn_u8;
        wide.stride = pass->ffn_stride;
        wide.quantiser = layer->output.input;
    }
    linear(pass, &layer->intermediate, pass->x, hidden, work->x_u8, pass->x_stride, &wide);
    struct llmc_target narrow = {.f32 = pass->y, .stride = hidden};
    linear(pass, &layer->output, work->ffn, ffn, work->ffn_u8, pass->ffn_stride, &narrow);
    normalise(pass, &layer->output_norm, next);
}

void llmc_forward(const struct llmc_model *model, const struct llmc_sequences *sequences, struct llmc_work *work,
                  struct llmc_scratch *scratch, struct llmc_team team, struct llmc_profile *profile, float *logits)
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
        .ffn_stride = ((size_t)model->architecture.ffn + LLMC_K_STEP - 1) / LLMC_K_STEP * LLMC_K_STEP,
    };
    embed(&pass);
    for (int32_t i = 0; i < model->architecture.layers; i++)
        encode_layer(&pass, i);
    struct llmc_target pooled = {.step = LLMC_STEP_TANH, .f32 = pass.y, .stride = hidden};
    linear(&pass, &model->pooler, pass.x, hidden, work->x_u8, pass.x_stride, &pooled);
    struct llmc_target out = {.f32 = logits, .stride = (size_t)model->architecture.labels};
    linear(&pass, &model->classifier, pass.y, hidden, NULL, 0, &out);
}
