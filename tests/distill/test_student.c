/* What the student takes over from the teacher, what starts at random, and what is refused. */
#include "tests/base/test_support.h"

#include "base/random.h"
#include "distill/student.h"

#include <math.h>

static const struct llmc_architecture teacher_shape = {300, 20, 2, 24, 8, 3, LLMC_GELU_TANH, 1e-7f, 4, {{3, 32}, {3, 32}, {3, 32}, {3, 32}}, 0};

/* A teacher whose every number is its own. */
static void make_teacher(struct llmc_parameters *teacher)
{
    assert_ok(llmc_parameters_init(teacher, &teacher_shape));
    for (int32_t i = 0; i < teacher->count; i++)
        for (int64_t j = 0; j < teacher->table[i].rows * teacher->table[i].cols; j++)
            llmc_parameter_values(teacher, i)[j] = (float)(i * 100000 + j);
}

/* Student parameter `to` holds the first rows of teacher parameter `from`. */
static bool copied(const struct llmc_parameters *student, int32_t to, const struct llmc_parameters *teacher, int32_t from)
{
    size_t count = (size_t)(student->table[to].rows * student->table[to].cols);
    assert_int_equal(student->table[to].cols, teacher->table[from].cols);
    return memcmp(llmc_parameter_values(student, to), llmc_parameter_values(teacher, from), count * sizeof(float)) == 0;
}

static void test_layers_are_copied(void **state)
{
    (void)state;
    static const int32_t from[][3] = {{0, 3, 2}, {3, 3, 3}, {0, 1, 2}};
    struct llmc_parameters teacher, student;
    make_teacher(&teacher);
    for (size_t f = 0; f < COUNT_OF(from); f++) {
        struct llmc_student_shape shape = {.layers = 3, .positions = 11, .from_layers = from[f]};
        assert_ok(llmc_student_init(&student, &teacher, &shape, 1, NULL));
        const struct llmc_architecture *a = &student.architecture;
        assert_true(a->layers == 3 && a->hidden == 24 && a->layer[2].ffn == 32 && a->layer[2].heads == 3 && a->positions == 11);
        assert_true(a->vocabulary == 300 && a->types == 2 && a->labels == 3);
        assert_true(a->activation == LLMC_GELU_TANH && a->norm_epsilon == 1e-7f);
        assert_int_equal(student.table[LLMC_POSITIONS].rows, 11);
        for (int32_t i = 0; i < LLMC_FIRST_LAYER; i++)
            assert_true(copied(&student, i, &teacher, i));
        for (int32_t layer = 0; layer < 3; layer++)
            for (int32_t i = 0; i < LLMC_LAYER_PARAMETERS; i++)
                assert_true(copied(&student, llmc_layer_parameter(layer, i), &teacher, llmc_layer_parameter(from[f][layer], i)));
        for (int32_t i = 0; i < LLMC_HEAD_PARAMETERS; i++)
            assert_true(copied(&student, llmc_head_parameter(a, i), &teacher, llmc_head_parameter(&teacher_shape, i)));
        llmc_parameters_release(&student);
    }
    struct llmc_student_shape long_texts = {.layers = 1, .positions = 512, .from_layers = from[0]};
    assert_ok(llmc_student_init(&student, &teacher, &long_texts, 1, NULL));
    assert_int_equal(student.architecture.positions, teacher_shape.positions);
    llmc_parameters_release(&student);
    llmc_parameters_release(&teacher);
}

/* Embeddings and head come from the teacher where the width is the same; random layers have another FFN. */
static void test_random_layers(void **state)
{
    (void)state;
    struct llmc_student_shape shape = {.layers = 2, .ffn = 48, .heads = 6, .positions = 20};
    struct llmc_parameters teacher, student, again, other;
    make_teacher(&teacher);
    assert_ok(llmc_student_init(&student, &teacher, &shape, 1, NULL));
    assert_ok(llmc_student_init(&again, &teacher, &shape, 1, NULL));
    assert_ok(llmc_student_init(&other, &teacher, &shape, 2, NULL));
    assert_true(student.architecture.layer[1].ffn == 48 && student.architecture.layer[1].heads == 6);
    assert_true(copied(&student, LLMC_WORDS, &teacher, LLMC_WORDS));
    assert_true(copied(&student, llmc_head_parameter(&student.architecture, LLMC_CLASSIFIER_WEIGHT), &teacher,
                       llmc_head_parameter(&teacher_shape, LLMC_CLASSIFIER_WEIGHT)));
    assert_false(copied(&student, llmc_layer_parameter(0, LLMC_QUERY_WEIGHT), &teacher,
                        llmc_layer_parameter(0, LLMC_QUERY_WEIGHT)));
    size_t nbytes = (size_t)student.total * sizeof(float);
    assert_memory_equal(student.values, again.values, nbytes);
    assert_memory_not_equal(student.values, other.values, nbytes);
    assert_memory_not_equal(llmc_parameter_values(&student, llmc_layer_parameter(0, LLMC_QUERY_WEIGHT)),
                            llmc_parameter_values(&student, llmc_layer_parameter(1, LLMC_QUERY_WEIGHT)), 24 * 24 * 4);
    llmc_parameters_release(&student);
    llmc_parameters_release(&again);
    llmc_parameters_release(&other);
    llmc_parameters_release(&teacher);
}

/* Another width: everything is random, matrices normal (0, 0.02), norms 1 and 0, biases 0. */
static void test_random_numbers(void **state)
{
    (void)state;
    struct llmc_student_shape shape = {.layers = 2, .hidden = 64, .ffn = 128, .heads = 4, .positions = 20};
    struct llmc_parameters teacher, student;
    make_teacher(&teacher);
    assert_ok(llmc_student_init(&student, &teacher, &shape, 3, NULL));
    for (int32_t i = 0; i < student.count; i++) {
        const struct llmc_parameter *parameter = &student.table[i];
        const float *values = llmc_parameter_values(&student, i);
        int64_t count = parameter->rows * parameter->cols, beyond = 0;
        if (parameter->kind == LLMC_PARAMETER_VECTOR) {
            for (int64_t j = 0; j < count; j++)
                assert_true(values[j] == (strstr(parameter->name, "LayerNorm.weight") ? 1.0f : 0.0f));
            continue;
        }
        double mean = 0, square = 0;
        for (int64_t j = 0; j < count; j++) {
            mean += (double)values[j] / (double)count;
            square += (double)values[j] * (double)values[j] / (double)count;
            beyond += fabsf(values[j]) > 0.04f;
        }
        double n = (double)count, deviations = 5; /* standard errors of a mean, a variance and a share */
        assert_true(fabs(mean) < deviations * 0.02 / sqrt(n));
        assert_true(fabs(square / 4e-4 - 1) < deviations * sqrt(2 / n));
        assert_true(fabs((double)beyond / n - 0.0455) < deviations * sqrt(0.0455 / n));
    }
    llmc_parameters_release(&student);
    llmc_parameters_release(&teacher);
}

static void test_errors(void **state)
{
    (void)state;
    static const int32_t beyond[] = {0, 4}, negative[] = {-1, 0}, good[] = {0, 1};
    static const struct {
        struct llmc_student_shape shape;
        llmc_status status;
        const char *words;
    } cases[] = {
        {{2, 0, 0, 0, 20, beyond}, LLMC_ERR_CONFIG, "no layer 4; allowed are 0 to 3"},
        {{2, 0, 0, 0, 20, negative}, LLMC_ERR_CONFIG, "no layer -1"},
        {{2, 48, 0, 0, 20, good}, LLMC_ERR_CONFIG, "hidden 24 and ffn 32; the student has 3 of 16, 48, 32"},
        {{2, 0, 64, 0, 20, good}, LLMC_ERR_CONFIG, "from_layers"},
        {{2, 0, 0, 4, 20, good}, LLMC_ERR_CONFIG, "from_layers"},
        {{2, 0, 0, 5, 20, NULL}, LLMC_ERR_CONFIG, "student.heads (5)"},
        {{0, 0, 0, 0, 20, NULL}, LLMC_ERR_FORMAT, "layers"},
        {{2, 0, 0, 0, 0, NULL}, LLMC_ERR_FORMAT, "position"},
    };
    struct llmc_parameters teacher, student;
    make_teacher(&teacher);
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        assert_fails(llmc_student_init(&student, &teacher, &cases[c].shape, 1, NULL), cases[c].status, cases[c].words);
        assert_null(student.values);
        llmc_parameters_release(&student); /* harmless */
    }
    llmc_parameters_release(&teacher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layers_are_copied), cmocka_unit_test(test_random_layers),
                                       cmocka_unit_test(test_random_numbers), cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
