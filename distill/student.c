#include "distill/student.h"

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
        if (a->hidden != t->hidden || ours->ffn != theirs->ffn || ours->heads != theirs->heads ||
            a->head_width != t->head_width)
            return llmc_error(LLMC_ERR_CONFIG,
                              "student.from_layers needs the teacher's shapes: hidden %d, ffn %d, heads %d; the student "
                              "has %d, %d, %d (from_layers: [] starts from random layers)",
                              t->hidden, theirs->ffn, theirs->heads, a->hidden, ours->ffn, ours->heads);
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
    if (shape->hidden || shape->heads) {
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

llmc_status llmc_student_init(struct llmc_parameters *student, const struct llmc_parameters *teacher,
                              const struct llmc_student_shape *shape, uint64_t seed)
{
    llmc_status status = LLMC_OK;
    const struct llmc_architecture *t = &teacher->architecture;
    struct llmc_architecture a;
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
    for (int32_t layer = 0; shape->from_layers && layer < a.layers; layer++)
        for (int32_t i = 0; i < LLMC_LAYER_PARAMETERS; i++)
            copy_parameter(student, llmc_layer_parameter(layer, i), teacher,
                           llmc_layer_parameter(shape->from_layers[layer], i));
exit:
    if (status != LLMC_OK)
        llmc_parameters_release(student);
    return status;
}
