#include "distill/student.h"

#include "architecture/select.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int32_t or_default(int32_t value, int32_t fallback)
{
    return value ? value : fallback;
}

struct llmc_student_shape llmc_student_shape_of(const struct llmc_config *config)
{
    return (struct llmc_student_shape){
        .layers = config->student.layers,
        .hidden = config->student.hidden,
        .ffn = config->student.ffn,
        .heads = config->student.heads,
        .positions = config->data.tokens_max,
        .from_layers = config->student.from_layers.count ? config->student.from_layers.values : NULL,
    };
}

/* Copies parameter `from` of the teacher into `to` of the student; rows beyond the student's are left out. */
static void copy_parameter(struct llmc_parameters *student, int32_t to, const struct llmc_parameters *teacher,
                           int32_t from)
{
    const struct llmc_parameter *parameter = &student->table[to];
    memcpy(llmc_parameter_values(student, to), llmc_parameter_values(teacher, from),
           (size_t)(parameter->rows * parameter->cols) * sizeof(float));
}

static llmc_status check_from_layers(const struct llmc_architecture *a, const struct llmc_architecture *t,
                                     const struct llmc_student_shape *shape)
{
    for (int32_t i = 0; i < shape->layers; i++) {
        const struct llmc_layer_shape *theirs = &t->layer[shape->from_layers[i]], *ours = &a->layer[i];
        if (a->hidden > t->hidden || ours->ffn > theirs->ffn || ours->heads != theirs->heads ||
            a->head_width != t->head_width)
            return llmc_error(LLMC_ERR_CONFIG,
                              "student.from_layers needs the teacher's heads, %d of %d numbers, and no more than its hidden %d "
                              "and ffn %d; the student has %d of %d, %d, %d (from_layers: [] starts from random layers)",
                              theirs->heads, t->head_width, t->hidden, theirs->ffn, ours->heads, a->head_width, a->hidden,
                              ours->ffn);
    }
    return LLMC_OK;
}

llmc_status llmc_student_architecture(struct llmc_architecture *out, const struct llmc_architecture *teacher,
                                      const struct llmc_student_shape *shape)
{
    struct llmc_layer_shape theirs = llmc_architecture_widest(teacher);
    int32_t heads = or_default(shape->heads, theirs.heads);
    llmc_status status = LLMC_OK;
    *out = *teacher;
    out->hidden = or_default(shape->hidden, teacher->hidden);
    out->positions = shape->positions < teacher->positions ? shape->positions : teacher->positions;
    bool projected = shape->from_layers && out->hidden < teacher->hidden; /* heads stay as they are */
    if ((shape->hidden || shape->heads) && !projected) {
        if (out->hidden % heads != 0)
            LLMC_FAIL(LLMC_ERR_CONFIG, "student.hidden (%d) is no multiple of student.heads (%d)", out->hidden, heads);
        out->head_width = out->hidden / heads;
    }
    out->layers = shape->layers;
    memset(out->layer, 0, sizeof out->layer);
    for (int32_t i = 0; i < shape->layers && i < LLMC_LAYERS_MAX; i++) {
        int32_t from = shape->from_layers ? shape->from_layers[i] : 0;
        if (from < 0 || from >= teacher->layers)
            LLMC_FAIL(LLMC_ERR_CONFIG, "student.from_layers: the teacher has no layer %d; allowed are 0 to %d", from,
                      teacher->layers - 1);
        if (shape->from_layers)
            theirs = teacher->layer[from];
        out->layer[i].heads = or_default(shape->heads, theirs.heads);
        out->layer[i].ffn = or_default(shape->ffn, theirs.ffn);
    }
    LLMC_TRY(llmc_architecture_check(out));
    if (shape->from_layers)
        LLMC_TRY(check_from_layers(out, teacher, shape));
exit:
    return status;
}

/* neurons [count] = those of layer `layer` whose weights in and out have the largest product of lengths, rising. */
static llmc_status choose_neurons(const struct llmc_parameters *p, int32_t layer, int32_t count, int32_t *neurons)
{
    llmc_status status = LLMC_OK;
    const struct llmc_parameter *into = &p->table[llmc_layer_parameter(layer, LLMC_INTERMEDIATE_WEIGHT)];
    const float *in = llmc_parameter_values(p, llmc_layer_parameter(layer, LLMC_INTERMEDIATE_WEIGHT));
    const float *out = llmc_parameter_values(p, llmc_layer_parameter(layer, LLMC_OUTPUT_WEIGHT));
    double *importance = NULL;
    LLMC_TRY(llmc_alloc(&importance, (size_t)into->rows, sizeof *importance));
    for (int64_t neuron = 0; neuron < into->rows; neuron++) {
        double squares_in = 0, squares_out = 0;
        for (int64_t i = 0; i < into->cols; i++) {
            squares_in += pow((double)in[neuron * into->cols + i], 2);
            squares_out += pow((double)out[i * into->rows + neuron], 2);
        }
        importance[neuron] = squares_in * squares_out;
    }
    for (int32_t i = 0; i < count; i++) {
        int64_t best = 0;
        for (int64_t neuron = 1; neuron < into->rows; neuron++)
            best = importance[neuron] > importance[best] ? neuron : best;
        importance[best] = -1;
    }
    for (int32_t neuron = 0, place = 0; neuron < into->rows; neuron++)
        if (importance[neuron] < 0)
            neurons[place++] = neuron;
exit:
    free(importance);
    return status;
}

/* The teacher's layers that the student is made of, with the neurons that it has room for. */
static llmc_status select_parts(struct llmc_parameters *out, const struct llmc_parameters *teacher,
                                const struct llmc_architecture *student, const struct llmc_student_shape *shape)
{
    llmc_status status = LLMC_OK;
    struct llmc_layer_selection layers[LLMC_LAYERS_MAX] = {{0}};
    int32_t *neurons = NULL, widest = llmc_architecture_widest(student).ffn;
    const struct llmc_selection selection = {.layers = layers, .layer_count = student->layers};
    LLMC_TRY(llmc_alloc(&neurons, (size_t)student->layers * (size_t)widest, sizeof *neurons));
    for (int32_t i = 0; i < student->layers; i++) {
        layers[i].from = shape->from_layers[i];
        if (student->layer[i].ffn == teacher->architecture.layer[layers[i].from].ffn)
            continue;
        layers[i].neurons = neurons + (int64_t)i * widest;
        layers[i].neuron_count = student->layer[i].ffn;
        LLMC_TRY(choose_neurons(teacher, layers[i].from, layers[i].neuron_count, neurons + (int64_t)i * widest));
    }
    LLMC_TRY(llmc_parameters_select(out, teacher, &selection));
exit:
    free(neurons);
    return status;
}

llmc_status llmc_student_init(struct llmc_parameters *student, const struct llmc_parameters *teacher,
                              const struct llmc_student_shape *shape, uint64_t seed,
                              const struct llmc_projected_start *projected)
{
    llmc_status status = LLMC_OK;
    const struct llmc_architecture *t = &teacher->architecture;
    struct llmc_architecture a;
    struct llmc_parameters selected = {0};
    memset(student, 0, sizeof *student);
    LLMC_TRY(llmc_student_architecture(&a, t, shape));
    LLMC_TRY(llmc_parameters_init(student, &a));
    for (int32_t i = 0; i < student->count; i++)
        llmc_parameter_randomize(student, i, seed);
    if (a.hidden == t->hidden) {
        for (int32_t i = 0; i < LLMC_FIRST_LAYER; i++)
            copy_parameter(student, i, teacher, i);
        for (int32_t i = 0; i < LLMC_HEAD_PARAMETERS; i++)
            copy_parameter(student, llmc_head_parameter(&a, i), teacher, llmc_head_parameter(t, i));
    }
    if (shape->from_layers) {
        LLMC_TRY(select_parts(&selected, teacher, &a, shape));
        for (int32_t i = 0; a.hidden == t->hidden && i < a.layers * LLMC_LAYER_PARAMETERS; i++)
            copy_parameter(student, LLMC_FIRST_LAYER + i, &selected, LLMC_FIRST_LAYER + i);
        if (a.hidden < t->hidden)
            LLMC_TRY(llmc_projected_start(projected, &selected, student));
    }
exit:
    llmc_parameters_release(&selected);
    if (status != LLMC_OK)
        llmc_parameters_release(student);
    return status;
}
