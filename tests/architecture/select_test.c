/* architecture/select.h: every number of the new model is the old one's at the place that a reader would look it up. */
#include "architecture/select.h"

#include "tests/base/test_support.h"

static const struct llmc_architecture shape = {
    .vocabulary = 9, .positions = 5, .types = 2, .hidden = 12, .head_width = 3, .labels = 2, .activation = LLMC_GELU,
    .norm_epsilon = 1e-12f, .layers = 3, .layer = {{4, 7}, {2, 5}, {3, 6}}};

/* Old number (row, col) of old parameter `index`. */
static float number_at(int32_t index, int64_t row, int64_t col)
{
    return (float)(index * 10000 + row * 100 + col);
}

static void make_old(struct llmc_parameters *p)
{
    assert_ok(llmc_parameters_init(p, &shape));
    assert_ok(llmc_parameters_make_mask(p));
    assert_ok(llmc_parameters_make_steps(p));
    for (int32_t i = 0; i < p->count; i++) {
        p->table[i].bits = llmc_parameter_takes_bits(p->table[i].kind) ? 2 + i % 7 : 0;
        for (int64_t row = 0; p->table[i].bits && row < p->table[i].rows; row++)
            llmc_parameter_steps(p, i)[row] = number_at(i, row, 0);
        for (int64_t j = 0; j < p->table[i].rows * p->table[i].cols; j++) {
            llmc_parameter_values(p, i)[j] = number_at(i, j / p->table[i].cols, j % p->table[i].cols);
            if (i != LLMC_WORDS)
                p->mask[p->table[i].offset - p->dense_begin + j] = (uint8_t)((i + j) % 2);
        }
    }
}

/* Where `parts`, of `width` numbers each, had number i. */
static int64_t place(const int32_t *parts, int64_t width, int64_t i)
{
    return parts ? parts[i / width] * width + i % width : i;
}

static bool has(const char *name, const char *words)
{
    return strstr(name, words) != NULL;
}

/* By the parameters' names, not by the encoder's table, as select.c does. */
static void check_numbers(const struct llmc_parameters *new, const struct llmc_parameters *old,
                          const struct llmc_selection *s)
{
    int32_t layers = new->architecture.layers;
    for (int32_t i = 0; i < new->count; i++) {
        const struct llmc_parameter *p = &new->table[i];
        int32_t layer = has(p->name, "encoder.layer.") ? atoi(strstr(p->name, "layer.") + 6) : -1, from = i;
        const struct llmc_layer_selection *parts = s->layers && layer >= 0 ? &s->layers[layer] : NULL;
        if (parts)
            from = i + (parts->from - layer) * LLMC_LAYER_PARAMETERS;
        else if (i >= LLMC_FIRST_LAYER + layers * LLMC_LAYER_PARAMETERS)
            from = i + (3 - layers) * LLMC_LAYER_PARAMETERS;
        const int32_t *rows = NULL, *cols = NULL;
        int64_t row_width = 1, col_width = 1;
        if (has(p->name, "word_embeddings"))
            rows = s->words;
        else if (parts && has(p->name, "attention.self") && has(p->name, "weight"))
            rows = parts->heads, row_width = 3;
        else if (parts && (has(p->name, "attention.self") || has(p->name, "attention.output.dense.weight")))
            cols = parts->heads, col_width = 3;
        else if (parts && has(p->name, "intermediate.dense.weight"))
            rows = parts->neurons;
        else if (parts && (has(p->name, "intermediate") || has(p->name, "output.dense.weight")))
            cols = parts->neurons;
        assert_int_equal(p->bits, old->table[from].bits);
        for (int64_t r = 0; p->bits && r < p->rows; r++)
            assert_true(llmc_parameter_steps(new, i)[r] == number_at(from, place(rows, row_width, r), 0));
        for (int64_t r = 0; r < p->rows; r++)
            for (int64_t c = 0; c < p->cols; c++) {
                int64_t j = r * p->cols + c, old_r = place(rows, row_width, r), old_c = place(cols, col_width, c);
                assert_true(llmc_parameter_values(new, i)[j] == number_at(from, old_r, old_c));
                if (i != LLMC_WORDS)
                    assert_int_equal(new->mask[p->offset - new->dense_begin + j],
                                     (from + old_r * old->table[from].cols + old_c) % 2);
            }
    }
}

static void numbers_follow_their_parts(void **state)
{
    (void)state;
    static const int32_t words[] = {8, 0, 3, 4}, two_heads[] = {3, 1}, one_head[] = {1}, neurons[] = {0, 5, 2, 6},
                         one_neuron[] = {4};
    static const struct llmc_layer_selection in_order[] = {{0, two_heads, 2, NULL, 0}, {1, one_head, 1, one_neuron, 1}, {2, NULL, 0, NULL, 0}},
                                             fewer[] = {{2, NULL, 0, NULL, 0}, {0, NULL, 0, neurons, 4}};
    static const struct llmc_selection cases[] = {
        {NULL, 0, NULL, 0}, {NULL, 0, words, 4}, {in_order, 3, NULL, 0}, {fewer, 2, words, 2}, {in_order, 1, words, 1}};
    struct llmc_parameters old, new;
    make_old(&old);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_ok(llmc_parameters_select(&new, &old, &cases[i]));
        assert_int_equal(new.architecture.vocabulary, cases[i].words ? cases[i].word_count : 9);
        assert_int_equal(new.architecture.layers, cases[i].layers ? cases[i].layer_count : 3);
        check_numbers(&new, &old, &cases[i]);
        llmc_parameters_release(&new);
    }
    assert_ok(llmc_parameters_select(&new, &old, &cases[2]));
    assert_true(new.architecture.layer[0].heads == 2 && new.architecture.layer[0].ffn == 7);
    assert_true(new.architecture.layer[1].heads == 1 && new.architecture.layer[1].ffn == 1);
    llmc_parameters_release(&new);
    llmc_parameters_release(&old);
}

static void without_mask_and_steps_there_are_none(void **state)
{
    (void)state;
    struct llmc_parameters old, new;
    assert_ok(llmc_parameters_init(&old, &shape));
    assert_ok(llmc_parameters_select(&new, &old, &(struct llmc_selection){0}));
    assert_null(new.mask);
    assert_null(new.steps);
    llmc_parameters_release(&new);
    llmc_parameters_release(&old);
}

static void what_is_not_there_is_refused(void **state)
{
    (void)state;
    static const int32_t bad_word[] = {9}, bad_head[] = {1, 2}, bad_neuron[] = {-1}, none[] = {0};
    static const struct {
        struct llmc_layer_selection layer;
        const char *words;
    } layers[] = {
        {{3, NULL, 0, NULL, 0}, "there is no layer 3 to select; allowed are 0 to 2"},
        {{1, bad_head, 2, NULL, 0}, "layer 1: there is no head 2 to select; allowed are 0 to 1"},
        {{0, NULL, 0, bad_neuron, 1}, "layer 0: there is no neuron -1 to select; allowed are 0 to 6"},
        {{0, none, 0, NULL, 0}, "layer 0: heads is 0"},
        {{0, NULL, 0, none, 0}, "layer 0: ffn is 0"},
    };
    struct llmc_parameters old, new;
    make_old(&old);
    for (size_t i = 0; i < COUNT_OF(layers); i++) {
        struct llmc_selection selection = {.layers = &layers[i].layer, .layer_count = 1};
        assert_fails(llmc_parameters_select(&new, &old, &selection), LLMC_ERR_FORMAT, layers[i].words);
        assert_null(new.values);
    }
    struct llmc_selection selection = {.words = bad_word, .word_count = 1};
    assert_fails(llmc_parameters_select(&new, &old, &selection), LLMC_ERR_FORMAT, "there is no word 9 to select; allowed are 0 to 8");
    selection.word_count = 0;
    assert_fails(llmc_parameters_select(&new, &old, &selection), LLMC_ERR_FORMAT, "vocabulary is 0");
    selection = (struct llmc_selection){.layers = &layers[0].layer};
    assert_fails(llmc_parameters_select(&new, &old, &selection), LLMC_ERR_FORMAT, "layers is 0");
    llmc_parameters_release(&old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_follow_their_parts),
        cmocka_unit_test(without_mask_and_steps_there_are_none),
        cmocka_unit_test(what_is_not_there_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
