/* Bits for a budget of bytes: they fit it, use it, and go where the answers depend on them. */
#include "tests/base/test_support.h"

#include "base/random.h"
#include "quantize/allot.h"
#include "quantize/steps.h"

static const struct llmc_architecture shape = {200, 12, 2, 48, 16, 3, LLMC_GELU, 1e-12f, 2, {{3, 96}, {2, 64}}, 0};

struct fixture {
    struct llmc_parameters parameters;
    float *squares;
    struct llmc_allotment allotment;
};

/* One weight is a hundred times as sensitive as the others. */
enum { SENSITIVE = LLMC_FIRST_LAYER + LLMC_OUTPUT_WEIGHT };

static void make(struct fixture *f)
{
    struct llmc_parameters *p = &f->parameters;
    assert_ok(llmc_parameters_init(p, &shape));
    f->squares = calloc((size_t)p->total, sizeof *f->squares);
    assert_non_null(f->squares);
    for (int32_t i = 0; i < p->count; i++) {
        llmc_parameter_randomize(p, i, 3);
        for (int64_t j = 0; j < p->table[i].rows * p->table[i].cols; j++)
            f->squares[p->table[i].offset + j] = i == SENSITIVE ? 100 : 1;
    }
    f->allotment = (struct llmc_allotment){0, llmc_quantize_other_bytes(p, 1000), 8, 8, true, f->squares};
}

static void release(struct fixture *f)
{
    llmc_parameters_release(&f->parameters);
    free(f->squares);
}

static int64_t bits_in_all(const struct llmc_parameters *p)
{
    int64_t bits = 0;
    for (int32_t i = 0; i < p->count; i++)
        bits += p->table[i].bits * p->table[i].rows * p->table[i].cols;
    return bits;
}

static void test_budgets(void **state)
{
    (void)state;
    struct fixture f;
    double bytes, least = 0, most;
    make(&f);
    f.allotment.bytes = 1e9;
    assert_ok(llmc_quantize_allot(&f.parameters, &f.allotment, &most));
    for (int32_t i = 0; i < f.parameters.count; i++)
        assert_int_equal(f.parameters.table[i].bits, llmc_parameter_takes_bits(f.parameters.table[i].kind) ? 8 : 0);
    for (double budget = most; budget > 0.3 * most; budget *= 0.9) {
        int64_t before = bits_in_all(&f.parameters);
        f.allotment.bytes = budget;
        if (llmc_quantize_allot(&f.parameters, &f.allotment, &bytes) != LLMC_OK)
            break;
        assert_true(bytes <= budget && (least = bytes) > 0.8 * budget);
        assert_true(bits_in_all(&f.parameters) <= before);
        for (int32_t i = 0; i < f.parameters.count; i++) {
            assert_true(!f.parameters.table[i].bits || f.parameters.table[i].bits >= 2);
            if (f.parameters.table[i].kind == LLMC_PARAMETER_LINEAR)
                assert_true(f.parameters.table[i].bits <= f.parameters.table[SENSITIVE].bits + 1); /* what still fits */
        }
    }
    assert_true(least > 0 && least < 0.6 * most);
    release(&f);
}

static void test_most_bits(void **state)
{
    (void)state;
    struct fixture f;
    double bytes;
    make(&f);
    f.allotment.bytes = 1e9;
    f.allotment.weight_bits = 5;
    f.allotment.embedding_bits = 3;
    assert_ok(llmc_quantize_allot(&f.parameters, &f.allotment, &bytes));
    int32_t weight_bits, embedding_bits;
    assert_true(llmc_parameters_bits_are_even(&f.parameters, &weight_bits, &embedding_bits));
    assert_true(weight_bits == 5 && embedding_bits == 3);
    release(&f);
}

static void test_too_few_bytes(void **state)
{
    (void)state;
    struct fixture f;
    double bytes;
    make(&f);
    f.allotment.bytes = 100;
    assert_fails(llmc_quantize_allot(&f.parameters, &f.allotment, &bytes), LLMC_ERR_CONFIG,
                 "bytes is 100; with 2 bits everywhere the file has about");
    f.allotment.bytes = bytes + 1; /* what the message names is enough */
    assert_ok(llmc_quantize_allot(&f.parameters, &f.allotment, &bytes));
    release(&f);
}

/* Three of four rows of the words are one row, in runs with others between. */
static void test_rows_alike(void **state)
{
    (void)state;
    struct fixture f;
    double before, after;
    make(&f);
    struct llmc_parameter *words = &f.parameters.table[LLMC_WORDS];
    float *values = llmc_parameter_values(&f.parameters, LLMC_WORDS);
    f.allotment.bytes = 1e9;
    assert_ok(llmc_quantize_allot(&f.parameters, &f.allotment, &before));
    for (int64_t row = 1; row < words->rows; row++)
        if (row % 4 != 0)
            memcpy(values + row * words->cols, values + words->cols, (size_t)words->cols * sizeof *values);
    assert_ok(llmc_quantize_allot(&f.parameters, &f.allotment, &after));
    double saved = (before - after) / (double)(words->rows * words->cols); /* of about 7.5 bits a number */
    assert_true(saved > 0.6 && saved < 0.75);
    release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_budgets), cmocka_unit_test(test_most_bits),
                                       cmocka_unit_test(test_too_few_bytes),
                                       cmocka_unit_test(test_rows_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
