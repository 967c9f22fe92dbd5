/* A stage's checkpoint: layers and bits that differ come back, and files that break a rule are refused. */
#include "tests/base/test_support.h"

#include "formats/hdf5/envelope.h"
#include "formats/hdf5/file.h"
#include "stage/state_file.h"

#include <math.h>

static const struct llmc_architecture even = {40, 12, 2, 16, 8, 3, LLMC_GELU, 1e-12f, 2, {{2, 24}, {2, 24}}, 0};
static const struct llmc_architecture layered = {40, 12, 2, 16, 8, 3, LLMC_GELU, 1e-12f, 2, {{1, 24}, {3, 5}}, 0};

static const char pieces[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

static void make(struct llmc_state *state, const struct llmc_architecture *architecture)
{
    memset(state, 0, sizeof *state);
    assert_ok(llmc_bert_init(&state->model, architecture, LLMC_F32));
    for (int32_t i = 0; i < state->model.parameters.count; i++)
        llmc_parameter_randomize(&state->model.parameters, i, 1);
    struct llmc_tokenizer *tokenizer;
    const struct llmc_tokenizer_rules rules = {.lowercase = true};
    const struct llmc_labels labels = {(char *[]){(char *)"a", (char *)"b", (char *)"c"}, 3};
    assert_ok(llmc_tokenizer_create(&tokenizer, pieces, sizeof pieces - 1, &rules, "test"));
    assert_ok(llmc_state_set_texts(state, tokenizer, &labels, 12));
    llmc_tokenizer_free(tokenizer);
}

static void check_round_trip(struct llmc_state *state)
{
    struct llmc_state read = {0};
    const struct llmc_parameters *a = &state->model.parameters, *b = &read.model.parameters;
    assert_ok(llmc_state_save(test_path("state.h5"), state, "f", NULL, NULL));
    assert_ok(llmc_state_load(test_path("state.h5"), LLMC_F32, &read));
    assert_memory_equal(&a->architecture, &b->architecture, sizeof a->architecture);
    assert_memory_equal(a->values, b->values, (size_t)a->total * sizeof *a->values);
    for (int32_t i = 0; i < a->count; i++)
        assert_int_equal(a->table[i].bits, b->table[i].bits);
    assert_int_equal(a->steps != NULL, b->steps != NULL);
    for (int64_t i = 0; a->steps && i < a->step_count; i++)
        assert_true(a->steps[i] == b->steps[i]);
    llmc_state_release(&read);
    llmc_state_release(state);
}

static void test_round_trips(void **unused)
{
    (void)unused;
    struct llmc_state state;
    make(&state, &even);
    check_round_trip(&state);
    make(&state, &even);
    llmc_parameters_set_bits(&state.model.parameters, 8, 6);
    check_round_trip(&state);
    make(&state, &layered);
    llmc_parameters_set_bits(&state.model.parameters, 4, 0);
    check_round_trip(&state);
    for (int shape = 0; shape < 2; shape++) {
        make(&state, shape ? &layered : &even);
        llmc_parameters_set_bits(&state.model.parameters, 8, 8);
        state.model.parameters.table[llmc_layer_parameter(1, LLMC_KEY_WEIGHT)].bits = 3;
        state.model.parameters.table[llmc_layer_parameter(0, LLMC_OUTPUT_WEIGHT)].bits = 0;
        check_round_trip(&state);
    }
}

/* Of parameters with few bits; the others keep 0. */
static void make_steps(struct llmc_parameters *p)
{
    llmc_parameters_set_bits(p, 3, 8);
    assert_ok(llmc_parameters_make_steps(p));
    for (int32_t i = 0; i < p->count; i++)
        for (int64_t row = 0; p->table[i].bits == 3 && row < p->table[i].rows; row++)
            llmc_parameter_steps(p, i)[row] = 0.5f + (float)(i + row);
}

static void test_steps(void **unused)
{
    (void)unused;
    static const float bad[] = {-1, NAN, INFINITY};
    struct llmc_state state, read = {0};
    make(&state, &layered);
    make_steps(&state.model.parameters);
    check_round_trip(&state);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        make(&state, &even);
        make_steps(&state.model.parameters);
        llmc_parameter_steps(&state.model.parameters, LLMC_FIRST_LAYER)[2] = bad[i];
        assert_ok(llmc_state_save(test_path("steps.h5"), &state, "f", NULL, NULL));
        assert_fails(llmc_state_load(test_path("steps.h5"), LLMC_F32, &read), LLMC_ERR_FORMAT,
                     "steps/bert.encoder.layer.0.attention.self.query.weight: number 2 is");
        llmc_state_release(&state);
    }
}

/* Bits written by hand into a file, which the seal then covers. */
static void save_with_bits(const uint8_t *bits, int64_t count)
{
    struct llmc_h5 *file;
    const struct llmc_envelope second = {"LLMS", 2, "stage checkpoint", 2};
    assert_ok(llmc_h5_create(&file, test_path("bits.h5"), LLMC_ENVELOPE_NBYTES));
    for (int32_t i = 0; i < 5; i++)
        assert_ok(llmc_h5_write_int(file, "", (const char *[]){"vocabulary", "positions", "types", "hidden", "layers"}[i],
                                    (const int[]){40, 12, 2, 16, 1}[i]));
    assert_ok(llmc_h5_write_int(file, "", "heads", 2));
    assert_ok(llmc_h5_write_int(file, "", "ffn", 24));
    assert_ok(llmc_h5_write_int(file, "", "labels", 3));
    assert_ok(llmc_h5_write_text(file, "", "activation", "gelu"));
    assert_ok(llmc_h5_write_double(file, "", "norm_epsilon", 1e-12));
    assert_ok(llmc_h5_write(file, "bits", LLMC_U8, 1, &count, bits, 0));
    assert_ok(llmc_h5_close(&file));
    assert_ok(llmc_envelope_seal(test_path("bits.h5"), &second));
}

static void test_bad_bits(void **unused)
{
    (void)unused;
    enum { COUNT = LLMC_FIRST_LAYER + LLMC_LAYER_PARAMETERS + LLMC_HEAD_PARAMETERS };
    static const struct {
        int32_t parameter;
        uint8_t bits;
        const char *words;
    } cases[] = {{LLMC_WORDS, 9, "bits of bert.embeddings.word_embeddings.weight is 9; allowed values are 0 and 2 to 8"},
                 {LLMC_FIRST_LAYER, 1, "bits of bert.encoder.layer.0.attention.self.query.weight is 1"},
                 {LLMC_FIRST_LAYER, 255, "is 255"},
                 {LLMC_TYPES, 8, "token_type_embeddings.weight is 8, but it stays in floating point"},
                 {COUNT - 1, 8, "bits of classifier.bias is 8, but"}};
    struct llmc_state state = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t bits[COUNT] = {0};
        bits[cases[i].parameter] = cases[i].bits;
        save_with_bits(bits, COUNT);
        assert_fails(llmc_state_load(test_path("bits.h5"), LLMC_F32, &state), LLMC_ERR_FORMAT, cases[i].words);
    }
    save_with_bits((const uint8_t[COUNT]){0}, COUNT - 1);
    assert_fails(llmc_state_load(test_path("bits.h5"), LLMC_F32, &state), LLMC_ERR_FORMAT, "bits");
    save_with_bits((const uint8_t[COUNT]){0}, COUNT); /* good ones: the texts come next */
    assert_fails(llmc_state_load(test_path("bits.h5"), LLMC_F32, &state), LLMC_ERR_FORMAT, "lowercase");
}

/* What a stage under way keeps of the optimiser, after `steps` steps; the row `word` is at step `word_step`. */
static llmc_status save_and_load(int64_t steps, int32_t word, int32_t word_step, struct llmc_optimizer *read)
{
    static float numbers[] = {1, 0.5f, 3e-30f};
    static const struct llmc_stage_progress progress = {0.25, 17, 2.5, numbers, 3};
    struct llmc_stage_progress back = {0};
    struct llmc_state state;
    make(&state, &even);
    struct llmc_training training = {.model = &state.model, .step = steps + 1}, again = {.model = &state.model};
    make_steps(&state.model.parameters);
    assert_ok(llmc_optimizer_init(&training.optimizer, &state.model.parameters, 0.01f, 1, true));
    assert_ok(llmc_optimizer_init(&again.optimizer, &state.model.parameters, 0.01f, 1, true));
    assert_ok(llmc_optimizer_reserve(&training.optimizer, steps));
    training.optimizer.step = steps;
    for (int64_t i = 0; i < steps; i++)
        training.optimizer.learning_rates[i] = 0.5f + (float)i;
    training.optimizer.word_step[word] = word_step;
    training.optimizer.steps.m[3] = 0.25f;
    training.optimizer.steps.v[4] = 0.5f;
    assert_ok(llmc_state_save(test_path("part.h5"), &state, "f", &training, &progress));
    llmc_status status = llmc_state_load_training(test_path("part.h5"), &again, &back);
    if (status == LLMC_OK) {
        assert_int_equal(again.step, steps + 1);
        assert_true(again.optimizer.steps.m[3] == 0.25f && again.optimizer.steps.v[4] == 0.5f);
        assert_true(back.initial_sparsity == 0.25 && back.metrics_nbytes == 17 && back.seconds == 2.5);
        assert_int_equal(back.number_count, 3);
        assert_memory_equal(back.numbers, numbers, sizeof numbers);
    }
    free(back.numbers);
    *read = again.optimizer;
    llmc_optimizer_release(&training.optimizer);
    llmc_state_release(&state);
    return status;
}

static void test_training_under_way(void **unused)
{
    (void)unused;
    static const int64_t steps[] = {0, 1, 300}; /* 0: all were skipped so far */
    struct llmc_optimizer read;
    for (size_t s = 0; s < COUNT_OF(steps); s++) {
        assert_ok(save_and_load(steps[s], 7, (int32_t)steps[s], &read));
        assert_int_equal(read.step, steps[s]);
        for (int64_t i = 0; i < steps[s]; i++)
            assert_true(read.learning_rates[i] == 0.5f + (float)i);
        for (int32_t word = 0; word < even.vocabulary; word++)
            assert_int_equal(read.word_step[word], word == 7 ? steps[s] : 0);
        llmc_optimizer_release(&read);
    }
    static const int32_t bad[] = {-1, 4}; /* both would read beyond the learning rates */
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_fails(save_and_load(3, 39, bad[i], &read), LLMC_ERR_FORMAT,
                     i ? "training/word_step: number 39 is 4; allowed values are 0 to 3"
                       : "training/word_step: number 39 is -1");
        llmc_optimizer_release(&read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trips), cmocka_unit_test(test_bad_bits),
                                       cmocka_unit_test(test_steps),
                                       cmocka_unit_test(test_training_under_way)};
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
