/*
 * Operations give the same numbers with 1, 2 and 3 threads, up to the order of sums,
 * and the same bits twice with one number of threads. What they compute is held
 * against PyTorch by the tests of model/.
 */
#include "tests/tensor/kernel_checks.h"

#include "tensor/operations.h"

/* Sums over rows are taken in parts, one a thread: FP32 sums in another order. */
#define THREADS_TOLERANCE 1e-5

enum { HIDDEN = 36, FFN = 52, HEADS = 3, SEQUENCES = 5, TOKENS = 29, VOCABULARY = 17, TYPES = 2 };

/* Everything that operations wrote, one after the other, as floats. */
struct record {
    float values[120000];
    size_t count;
};

static void record(struct record *r, const struct llmc_matrix *x)
{
    size_t n = (size_t)(x->rows * x->cols);
    assert_true(r->count + n <= COUNT_OF(r->values));
    llmc_kernels_best()->widen(x->data, x->number, r->values + r->count, n);
    r->count += n;
}

static void record_floats(struct record *r, float *x, int64_t n)
{
    struct llmc_matrix matrix = llmc_matrix(x, LLMC_F32, 1, n);
    record(r, &matrix);
}

/* A matrix of random numbers in [-1, 1]. */
static struct llmc_matrix make(enum llmc_number number, int64_t rows, int64_t cols, uint32_t seed)
{
    size_t n = (size_t)(rows * cols);
    struct llmc_matrix matrix = llmc_matrix(malloc(n * sizeof(float)), number, rows, cols);
    float *floats = malloc(n * sizeof *floats);
    assert_true(matrix.data && floats);
    fill(floats, n, seed, 1);
    llmc_kernels_best()->narrow(floats, number, matrix.data, n);
    free(floats);
    return matrix;
}

/* Runs every operation once. `tokens` may be fewer than threads. */
static void run_all(int threads, enum llmc_number number, int32_t tokens, struct record *r)
{
    static const int32_t ids[TOKENS] = {0, 5, 16, 5, 3, 3, 3, 9}, places[SEQUENCES] = {0, 3, 7, 8, 20};
    static const uint8_t types[TOKENS] = {0, 1, 1};
    static const int32_t many[SEQUENCES + 1] = {0, 1, 8, 10, 27, TOKENS}, one[2] = {0, 1};
    int32_t order[TOKENS], starts[] = {0, 1, tokens / 2 > 1 ? tokens / 2 : 1, tokens};
    struct llmc_sequences sequences = {tokens == TOKENS ? SEQUENCES : 1, tokens == TOKENS ? many : one};
    struct llmc_dropout dropout = {123, 0x33333333, 1.25f};
    struct llmc_quantizer quantizer = {0.01f, 100.0f, 100};
    float sums[6][FFN] = {{0}}, rstd[TOKENS], weight[FFN], bias[FFN], *flat[4], lse[HEADS * TOKENS];
    float min = INFINITY, max = -INFINITY;
    double dscale = 0.5;
    struct llmc_ops ops;
    assert_ok(llmc_ops_init(&ops, threads));
    assert_ok(llmc_ops_reserve(&ops, 3 * HIDDEN, TOKENS, HIDDEN / HEADS));
    fill(weight, FFN, 1, 2);
    fill(bias, FFN, 2, 1);
    struct llmc_norm norm = {weight, bias, 1e-5f};
    struct llmc_matrix wide = make(LLMC_F32, tokens, FFN, 3), before = make(number, tokens, FFN, 4);
    struct llmc_matrix after = make(number, tokens, FFN, 5), x = make(LLMC_F32, tokens, HIDDEN, 6);
    struct llmc_matrix residual = make(number, tokens, HIDDEN, 7), normalised = make(number, tokens, HIDDEN, 8);
    struct llmc_matrix y = make(number, tokens, HIDDEN, 9), dsum = make(number, tokens, HIDDEN, 10);
    struct llmc_matrix dbranch = make(number, tokens, HIDDEN, 11), qkv = make(number, tokens, 3 * HIDDEN, 12);
    struct llmc_matrix context = make(number, tokens, HIDDEN, 13), dqkv = make(number, tokens, 3 * HIDDEN, 14);
    struct llmc_matrix words = make(LLMC_F32, VOCABULARY, HIDDEN, 15), positions = make(LLMC_F32, TOKENS, HIDDEN, 16);
    struct llmc_matrix kinds = make(LLMC_F32, TYPES, HIDDEN, 17), pooled = make(LLMC_F32, SEQUENCES, HIDDEN, 18);
    struct llmc_matrix tanhs = make(LLMC_F32, SEQUENCES, HIDDEN, 19), cast = make(number, FFN, HIDDEN, 20);

    r->count = 0;
    llmc_op_bias(&ops, &wide, bias, &before);
    record(r, &before);
    llmc_op_bias_activation(&ops, &wide, bias, LLMC_GELU, NULL, &before);
    record(r, &before);
    llmc_op_bias_activation(&ops, &wide, bias, LLMC_GELU, &before, &after);
    record(r, &before), record(r, &after);
    llmc_op_activation_backward(&ops, &wide, &before, LLMC_GELU, &after, sums[0]);
    record(r, &after);
    llmc_op_residual_norm(&ops, &x, bias, &dropout, &residual, &norm, &normalised, rstd, &y);
    record(r, &normalised), record(r, &y), record_floats(r, rstd, tokens);
    llmc_op_residual_norm_backward(&ops, &x, &residual, &normalised, rstd, &norm, &dropout, &dsum, &dbranch, sums[1],
                                   sums[2], sums[3]);
    record(r, &dsum), record(r, &dbranch);
    llmc_op_attention(&ops, &qkv, &sequences, HEADS, &dropout, &context, lse);
    record(r, &context), record_floats(r, lse, (int64_t)HEADS * tokens);
    llmc_op_attention_backward(&ops, &qkv, &sequences, HEADS, &dropout, lse, &x, &dqkv);
    record(r, &dqkv);
    llmc_op_sum_rows(&ops, &x, sums[4]);
    for (int limit = 0; limit <= 7; limit += 7) {
        struct llmc_embeddings tables = {words.data, positions.data, kinds.data, {(float)limit, NULL}, {(float)limit, NULL}, false};
        llmc_op_embed(&ops, &tables, ids, types, &sequences, &norm, &dropout, &normalised, rstd, &y);
        record(r, &y);
    }
    llmc_op_embed_backward(&ops, &x, &residual, &normalised, rstd, &norm, &dropout, &dsum, sums[5], sums[0]);
    record(r, &dsum), record_floats(r, sums[0], 6 * FFN);
    for (int32_t i = 0; i < tokens; i++)
        order[i] = tokens - 1 - i;
    float groups[3 * HIDDEN] = {0};
    llmc_op_sum_groups(&ops, &x, order, starts, tokens > 2 ? 3 : 1, groups);
    record_floats(r, groups, 3 * HIDDEN);
    if (tokens == TOKENS) {
        llmc_op_pick_rows(&ops, &y, places, &pooled);
        llmc_op_tanh_dropout(&ops, &pooled, &dropout, &tanhs);
        record(r, &pooled), record(r, &tanhs);
        llmc_op_tanh_dropout_backward(&ops, &tanhs, &pooled, &dropout, &tanhs);
        record(r, &tanhs);
        llmc_op_place_rows(&ops, &tanhs, places, SEQUENCES, &x);
        record(r, &x);
    }
    llmc_op_fake_input(&ops, &quantizer, &wide, &before);
    record(r, &before);
    llmc_op_fake_input_backward(&ops, &quantizer, &before, &wide, &dscale);
    record(r, &wide);
    llmc_op_min_max(&ops, &wide, &min, &max);
    float scalars[4] = {(float)dscale, min, max, 0};
    for (int limit = 0; limit <= 127; limit += 127) {
        enum llmc_operand_form form = llmc_gemm_operand_form(&ops.gemm, number);
        struct llmc_weight_copy copy = {llmc_operand(cast.data, form, number, VOCABULARY, HIDDEN), 0, {(float)limit, NULL}};
        llmc_op_cast_weight(&ops, words.data, VOCABULARY, &copy);
        cast = llmc_matrix(cast.data, form == LLMC_OPERAND_F32 ? LLMC_F32 : number, VOCABULARY, HIDDEN);
        record(r, &cast);
    }
    enum { FLAT = 9000 }; /* more than two blocks */
    for (int i = 0; i < 4; i++) {
        flat[i] = malloc(FLAT * sizeof(float));
        assert_non_null(flat[i]);
        fill(flat[i], FLAT, 30 + (uint32_t)i, 1);
    }
    for (int i = 0; i < FLAT; i++)
        flat[2][i] = fabsf(flat[2][i]);
    scalars[3] = (float)llmc_op_sum_squares(&ops, flat[0], FLAT);
    struct llmc_adamw settings = {1e-2f, 0.9f, 0.999f, 1e-8f, 0.1f, 0.1f, 0.001f, 1};
    struct llmc_update updates[2] = {
        {.settings = settings, .p = flat[0], .m = flat[1], .v = flat[2], .g = flat[3], .rows = 1, .cols = HIDDEN},
        {.settings = settings, .p = flat[0] + HIDDEN, .m = flat[1] + HIDDEN, .v = flat[2] + HIDDEN,
         .g = flat[3] + HIDDEN, .rows = FLAT / HIDDEN - 1, .cols = HIDDEN},
    };
    llmc_op_update(&ops, updates, 2);
    struct llmc_missed_row missed[5];
    for (int i = 0; i < 5; i++)
        missed[i] = (struct llmc_missed_row){{1e-2f, 1e-8f, 0.9f, 0.999f}, flat[0] + 2 * i * HIDDEN,
                                             flat[1] + 2 * i * HIDDEN, flat[2] + 2 * i * HIDDEN, HIDDEN};
    llmc_op_catch_up(&ops, missed, 5);
    for (int i = 0; i < 3; i++)
        record_floats(r, flat[i], FLAT);
    record_floats(r, scalars, 4);

    for (int i = 0; i < 4; i++)
        free(flat[i]);
    void *all[] = {wide.data,    before.data, after.data, x.data,     residual.data,  normalised.data, y.data,
                   dsum.data,    dbranch.data, qkv.data,  context.data, dqkv.data,    words.data,      positions.data,
                   kinds.data,   pooled.data, tanhs.data, cast.data};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        free(all[i]);
    llmc_ops_release(&ops);
}

static void test_threads(void **state)
{
    (void)state;
    static struct record first, again, one;
    static const int32_t token_counts[] = {TOKENS, 1};
    for (int number = LLMC_F32; number <= LLMC_BF16; number++) {
        for (size_t t = 0; t < COUNT_OF(token_counts); t++) {
            run_all(1, (enum llmc_number)number, token_counts[t], &one);
            assert_true(one.count > 27000);
            for (int threads = 1; threads <= 3; threads++) {
                at.version = llmc_number_name((enum llmc_number)number);
                at.kernel = "operations";
                at.n = (size_t)threads;
                run_all(threads, (enum llmc_number)number, token_counts[t], &first);
                run_all(threads, (enum llmc_number)number, token_counts[t], &again);
                assert_int_equal(first.count, one.count);
                assert_same(again.values, first.values, first.count, "second run");
                for (size_t i = 0; i < one.count; i++)
                    assert_near((double)first.values[i], (double)one.values[i], THREADS_TOLERANCE, "one thread", i);
            }
        }
    }
}

/* Clipping must see one bad number among many, whichever thread meets it. */
static void test_sum_squares_sees_infinity(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static float x[COUNT];
    struct llmc_ops ops;
    assert_ok(llmc_ops_init(&ops, 3));
    for (int i = 0; i < COUNT; i += 997) {
        x[i] = i % 2 ? NAN : INFINITY;
        assert_false(isfinite(llmc_op_sum_squares(&ops, x, COUNT)));
        x[i] = 0.5f;
        assert_true(isfinite(llmc_op_sum_squares(&ops, x, COUNT)));
    }
    assert_true(llmc_op_sum_squares(&ops, x, 0) == 0);
    assert_true(llmc_op_sum_squares(&ops, x, COUNT) == 0.25 * ((COUNT + 996) / 997));
    llmc_ops_release(&ops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads), cmocka_unit_test(test_sum_squares_sees_infinity)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
