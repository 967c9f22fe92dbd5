/* Attention of one head, forward and backward, in every version and number format against double loops that know
 * no blocks. */
#include "tests/tensor/kernel_checks.h"

/* FP32 sums over up to 512 keys and 64 columns, of numbers around 1; exp to 3e-7. */
#define ATTENTION_TOLERANCE 1e-5
/* exp to 3e-7, a sum, a quotient and a product. */
#define EXP_TOLERANCE 6e-7
/* log to 2e-7, and as much again in the sum of up to 512 ones. */
#define LOG_TOLERANCE 4e-7
/* Gradients are sums of such products, relative to the largest. */
#define GRADIENT_TOLERANCE 3e-5

enum { LENGTH_MAX = 512, SIZE_MAX_ = 64, NUMBERS = LENGTH_MAX * SIZE_MAX_, GAP = 3 };

static const enum llmc_number formats[] = {LLMC_F32, LLMC_F16, LLMC_BF16};
/* What rounding a result to the format may change, relative to it. */
static const double format_errors[] = {0, 0x1p-11, 0x1p-8};

struct reference {
    double out[NUMBERS], lse[LENGTH_MAX], dq[NUMBERS], dk[NUMBERS], dv[NUMBERS];
};

/* A matrix [length, size] as a kernel gets it: with GAP numbers between its rows. */
struct strided {
    struct llmc_head_rows rows;
    struct block block;
    size_t length, size;
};

static char *number_at(const struct strided *x, size_t row, size_t column)
{
    return (char *)x->rows.data + (row * x->rows.stride + column) * llmc_number_nbytes(x->rows.number);
}

static struct strided strided_open(enum llmc_number number, size_t length, size_t size)
{
    struct strided x = {.length = length, .size = size};
    x.rows.number = number;
    x.rows.stride = size + GAP;
    x.rows.data = block_open(&x.block, length * x.rows.stride, llmc_number_nbytes(number));
    return x;
}

/* Fills x, and `rounded` [length, size] with the numbers that x then holds. */
static void strided_fill(struct strided *x, uint32_t seed, double range, float *rounded)
{
    const struct llmc_kernels *k = llmc_kernels_best();
    fill(rounded, x->length * x->size, seed, range);
    for (size_t i = 0; i < x->length; i++) {
        k->narrow(rounded + i * x->size, x->rows.number, number_at(x, i, 0), x->size);
        k->widen(number_at(x, i, 0), x->rows.number, rounded + i * x->size, x->size);
    }
}

/* Compares x with what it should hold, to `tolerance` relative to `unit` and the rounding of its format; checks that
 * nothing was written between and around the rows; frees. */
static void strided_close(struct strided *x, const double *expected, double tolerance, double unit, const char *what)
{
    float row[SIZE_MAX_];
    size_t nbytes = llmc_number_nbytes(x->rows.number);
    for (size_t i = 0; i < x->length; i++) {
        llmc_kernels_best()->widen(number_at(x, i, 0), x->rows.number, row, x->size);
        for (size_t c = 0; c < x->size; c++) {
            double value = expected[i * x->size + c];
            double error = fabs(value) * format_errors[x->rows.number] / unit;
            assert_near((double)row[c] / unit, value / unit, tolerance + error, what, i * x->size + c);
        }
        for (size_t byte = 0; byte < GAP * nbytes; byte++)
            if ((unsigned char)number_at(x, i, x->size)[byte] != GUARD_BYTE)
                fail_msg("%s, length %zu, size %zu: wrote behind row %zu of %s", at.version, x->length, x->size, i,
                         what);
    }
    block_close(&x->block, x->rows.data);
}

/* The factor of dropout on the probability of key j for query i. */
static double mask_of(const struct llmc_attention_head *head, int i, int j)
{
    if (!head->dropout_threshold)
        return 1;
    uint32_t place = (uint32_t)(i * head->length + j);
    return llmc_random_u32(head->dropout_key, place) < head->dropout_threshold ? 0 : (double)head->dropout_scale;
}

static void naive(const struct llmc_attention_head *head, const float *q, const float *k, const float *v,
                  const float *dout, struct reference *r)
{
    int length = head->length, size = head->size;
    double p[LENGTH_MAX], dp[LENGTH_MAX];
    memset(r, 0, sizeof *r);
    for (int i = 0; i < length; i++) {
        double sum = 0, max = -INFINITY, inner = 0;
        for (int j = 0; j < length; j++) {
            p[j] = 0;
            for (int c = 0; c < size; c++)
                p[j] += (double)q[i * size + c] * (double)k[j * size + c];
            p[j] *= (double)head->scale;
            max = fmax(max, p[j]);
        }
        for (int j = 0; j < length; j++)
            sum += exp(p[j] - max);
        r->lse[i] = max + log(sum);
        for (int j = 0; j < length; j++) {
            double mask = mask_of(head, i, j);
            p[j] = exp(p[j] - r->lse[i]);
            dp[j] = 0;
            for (int c = 0; c < size; c++) {
                r->out[i * size + c] += p[j] * mask * (double)v[j * size + c];
                r->dv[j * size + c] += p[j] * mask * (double)dout[i * size + c];
                dp[j] += mask * (double)dout[i * size + c] * (double)v[j * size + c];
            }
            inner += p[j] * dp[j];
        }
        for (int j = 0; j < length; j++) {
            double score = p[j] * (dp[j] - inner) * (double)head->scale;
            for (int c = 0; c < size; c++) {
                r->dq[i * size + c] += score * (double)k[j * size + c];
                r->dk[j * size + c] += score * (double)q[i * size + c];
            }
        }
    }
}

static void close_gradient(struct strided *got, const double *expected, const char *what)
{
    double largest = 1;
    for (size_t i = 0; i < got->length * got->size; i++)
        largest = fmax(largest, fabs(expected[i]));
    strided_close(got, expected, GRADIENT_TOLERANCE, largest, what);
}

/* range: of queries and keys; large ones make the softmax pick single keys. */
static void check(const struct llmc_kernels *kernels, enum llmc_number number, int length, int size,
                  uint32_t threshold, double range)
{
    static struct reference reference;
    static float floats[4][NUMBERS];
    size_t rows = (size_t)length, cols = (size_t)size;
    struct strided in[4], result[4]; /* q, k, v, dout; out, dq, dk, dv */
    struct block blocks[2];
    at.n = rows * cols;
    for (uint32_t i = 0; i < 4; i++) {
        in[i] = strided_open(i == 3 ? LLMC_F32 : number, rows, cols);
        strided_fill(&in[i], i + 1, i < 2 ? range : 1, floats[i]);
        result[i] = strided_open(number, rows, cols);
    }
    float *lse = block_open(&blocks[0], rows, sizeof *lse);
    float *work = block_open(&blocks[1], llmc_attention_work(length, size), sizeof *work);
    struct llmc_attention_head head = {
        .length = length,
        .size = size,
        .q = in[0].rows,
        .k = in[1].rows,
        .v = in[2].rows,
        .scale = 1.0f / sqrtf((float)size),
        .dropout_key = 99,
        .dropout_threshold = threshold,
        .dropout_scale = (float)(1 / (1 - threshold / 4294967296.0)),
        .work = work,
    };
    naive(&head, floats[0], floats[1], floats[2], floats[3], &reference);
    kernels->attention(&head, &result[0].rows, lse);
    for (int i = 0; i < length; i++)
        assert_near((double)lse[i], reference.lse[i], ATTENTION_TOLERANCE, "lse", (size_t)i);
    kernels->attention_backward(&head, lse, &in[3].rows, &result[1].rows, &result[2].rows, &result[3].rows);
    strided_close(&result[0], reference.out, ATTENTION_TOLERANCE * fmax(1, range), 1, "out");
    close_gradient(&result[1], reference.dq, "dq");
    close_gradient(&result[2], reference.dk, "dk");
    close_gradient(&result[3], reference.dv, "dv");
    for (int i = 0; i < 4; i++)
        block_close(&in[i].block, in[i].rows.data);
    block_close(&blocks[0], lse);
    block_close(&blocks[1], work);
}

/* Lengths around the blocks of every version, sizes that fill vectors and that do not. */
static void test_attention(void **state)
{
    (void)state;
    static const int all_lengths[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 65, 80};
    static const int sizes[] = {1, 3, 8, 12, 16, 32, 33, 48, SIZE_MAX_};
    static const uint32_t thresholds[] = {0, 0x1999999a, 0xc0000000u};
    static const double ranges[] = {1, 12};
    const struct llmc_kernels *list[4];
    int count = llmc_kernels_list(list);
    at.kernel = "attention";
    for (int version = 0; version < count; version++) {
        at.version = list[version]->name;
        for (size_t l = 0; l < COUNT_OF(all_lengths); l++)
            for (size_t s = 0; s < COUNT_OF(sizes); s++)
                for (size_t t = 0; t < COUNT_OF(thresholds); t++)
                    for (size_t r = 0; r < COUNT_OF(ranges); r++) {
                        at.shift = (l + s) % SHIFTS;
                        check(list[version], formats[(s + t + r) % COUNT_OF(formats)], all_lengths[l], sizes[s],
                              thresholds[t], ranges[r]);
                    }
    }
}

static void test_long_sequences(void **state)
{
    (void)state;
    const struct llmc_kernels *list[4];
    int count = llmc_kernels_list(list);
    at.kernel = "long attention";
    for (int version = 0; version < count; version++) {
        at.version = list[version]->name;
        for (size_t f = 0; f < COUNT_OF(formats); f++) {
            check(list[version], formats[f], LENGTH_MAX, 32, 0, 3);
            check(list[version], formats[f], LENGTH_MAX - 1, SIZE_MAX_ - 1, 0x1999999a, 1);
        }
    }
}

static struct llmc_head_rows dense(float *x, size_t size)
{
    struct llmc_head_rows rows = {x, LLMC_F32, size};
    return rows;
}

/* Scores far apart: no overflow, the largest wins; NaN anywhere stays visible. */
static void test_extreme_scores(void **state)
{
    (void)state;
    enum { LENGTH = 19, SIZE = 4 };
    static float q[LENGTH * SIZE], k[LENGTH * SIZE], v[LENGTH * SIZE], out[LENGTH * SIZE], lse[LENGTH];
    float *work = malloc(llmc_attention_work(LENGTH, SIZE) * sizeof *work);
    const struct llmc_kernels *list[4];
    int count = llmc_kernels_list(list);
    assert_non_null(work);
    for (int i = 0; i < LENGTH * SIZE; i++) {
        q[i] = 1e4f;
        k[i] = (float)(i / SIZE);
        v[i] = (float)(i / SIZE);
    }
    struct llmc_attention_head head = {LENGTH, SIZE, dense(q, SIZE), dense(k, SIZE), dense(v, SIZE),
                                       0.5f,   0,    0,              1,              work};
    struct llmc_head_rows rows = dense(out, SIZE);
    for (int version = 0; version < count; version++) {
        list[version]->attention(&head, &rows, lse);
        for (int i = 0; i < LENGTH * SIZE; i++)
            assert_true(out[i] == LENGTH - 1);
        assert_true(lse[0] == 0.5f * SIZE * 1e4f * (LENGTH - 1));
        k[5] = float_from_bits(0x7f800001); /* a NaN whose quiet bit and highest bits are clear */
        list[version]->attention(&head, &rows, lse);
        assert_true(isnan(out[0]) && isnan(out[LENGTH * SIZE - 1]) && isnan(lse[0]) && isnan(lse[LENGTH - 1]));
        k[5] = 1;
    }
    free(work);
}

/* Two keys with scores 0 and -d, values 0 and 1: the output is exp(-d) / (1 + exp(-d)). */
static void test_exponential(void **state)
{
    (void)state;
    static float work[4096];
    float q[2] = {1, 1}, k[2] = {0}, v[2] = {0, 1}, out[2], lse[2];
    const struct llmc_kernels *list[4];
    int count = llmc_kernels_list(list);
    struct llmc_attention_head head = {2, 1, dense(q, 1), dense(k, 1), dense(v, 1), 1, 0, 0, 1, work};
    struct llmc_head_rows rows = dense(out, 1);
    assert_true(llmc_attention_work(2, 1) <= COUNT_OF(work));
    at.kernel = "exponential";
    for (int version = 0; version < count; version++) {
        at.version = list[version]->name;
        for (int i = 0; i <= 5000; i++) {
            float d = (float)i * 0.01613f;
            k[1] = -d;
            list[version]->attention(&head, &rows, lse);
            double expected = exp(-(double)d) / (1 + exp(-(double)d));
            assert_near((double)out[0] / expected, 1, EXP_TOLERANCE, "relative to exp", (size_t)i);
        }
    }
}

/* Equal scores: lse is the log of the length, for each length. */
static void test_logarithm(void **state)
{
    (void)state;
    static float zeros[LENGTH_MAX], out[LENGTH_MAX], lse[LENGTH_MAX];
    float *work = malloc(llmc_attention_work(LENGTH_MAX, 1) * sizeof *work);
    const struct llmc_kernels *list[4];
    int count = llmc_kernels_list(list);
    struct llmc_head_rows rows = dense(out, 1);
    assert_non_null(work);
    at.kernel = "logarithm";
    for (int version = 0; version < count; version++) {
        at.version = list[version]->name;
        for (int length = 1; length <= LENGTH_MAX; length++) {
            struct llmc_attention_head head = {length, 1, dense(zeros, 1), dense(zeros, 1), dense(zeros, 1),
                                               1, 0, 0, 1, work};
            list[version]->attention(&head, &rows, lse);
            for (int i = 0; i < length; i++)
                assert_near((double)lse[i], log(length), LOG_TOLERANCE, "log", (size_t)length);
        }
    }
    free(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_attention), cmocka_unit_test(test_long_sequences),
                                       cmocka_unit_test(test_exponential), cmocka_unit_test(test_logarithm),
                                       cmocka_unit_test(test_extreme_scores)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
