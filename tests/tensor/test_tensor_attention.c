/* Attention of one head, forward and backward, in every version against double loops that know no blocks. */
#include "tests/tensor/kernel_checks.h"

/* FP32 sums over up to 80 keys and 33 columns, of numbers around 1; exp to 2e-7. */
#define ATTENTION_TOLERANCE 1e-5
/* exp to 2e-7, a sum, a quotient and a product. */
#define EXP_TOLERANCE 5e-7
/* Gradients are sums of such products, relative to the largest. */
#define GRADIENT_TOLERANCE 3e-5

enum { LENGTH_MAX = 80, SIZE_MAX_ = 33, NUMBERS = LENGTH_MAX * SIZE_MAX_ };

struct reference {
    double out[NUMBERS], lse[LENGTH_MAX], dq[NUMBERS], dk[NUMBERS], dv[NUMBERS];
};

/* The factor of dropout on the probability of key j for query i. */
static double mask_of(const struct llmc_attention_head *head, int i, int j)
{
    if (!head->dropout_threshold)
        return 1;
    uint32_t place = (uint32_t)(i * head->length + j);
    return llmc_random_u32(head->dropout_key, place) < head->dropout_threshold ? 0 : (double)head->dropout_scale;
}

static void naive(const struct llmc_attention_head *head, const float *dout, struct reference *r)
{
    int length = head->length, size = head->size;
    double p[LENGTH_MAX], dp[LENGTH_MAX];
    memset(r, 0, sizeof *r);
    for (int i = 0; i < length; i++) {
        double sum = 0, max = -INFINITY, inner = 0;
        for (int j = 0; j < length; j++) {
            p[j] = 0;
            for (int c = 0; c < size; c++)
                p[j] += (double)head->q[i * size + c] * (double)head->k[j * size + c];
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
                r->out[i * size + c] += p[j] * mask * (double)head->v[j * size + c];
                r->dv[j * size + c] += p[j] * mask * (double)dout[i * size + c];
                dp[j] += mask * (double)dout[i * size + c] * (double)head->v[j * size + c];
            }
            inner += p[j] * dp[j];
        }
        for (int j = 0; j < length; j++) {
            double score = p[j] * (dp[j] - inner) * (double)head->scale;
            for (int c = 0; c < size; c++) {
                r->dq[i * size + c] += score * (double)head->k[j * size + c];
                r->dk[j * size + c] += score * (double)head->q[i * size + c];
            }
        }
    }
}

static void assert_gradient(const float *got, const double *expected, size_t n, const char *what)
{
    double largest = 1;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < n; i++)
        assert_near((double)got[i] / largest, expected[i] / largest, GRADIENT_TOLERANCE, what, i);
}

/* range: of queries and keys; large ones make the softmax pick single keys. */
static void check(const struct llmc_kernels *kernels, int length, int size, uint32_t threshold, double range)
{
    static struct reference reference;
    static float q[NUMBERS], k[NUMBERS], v[NUMBERS], dout[NUMBERS];
    size_t n = (size_t)(length * size);
    struct block blocks[6];
    at.n = n;
    fill(q, n, 1, range);
    fill(k, n, 2, range);
    fill(v, n, 3, 1);
    fill(dout, n, 4, 1);
    float *out = block_open(&blocks[0], n, sizeof *out), *lse = block_open(&blocks[1], (size_t)length, sizeof *lse);
    float *dq = block_open(&blocks[2], n, sizeof *dq), *dk = block_open(&blocks[3], n, sizeof *dk);
    float *dv = block_open(&blocks[4], n, sizeof *dv);
    float *work = block_open(&blocks[5], llmc_attention_work(length, size), sizeof *work);
    struct llmc_attention_head head = {length, size, q, k, v, 1.0f / sqrtf((float)size), 99, threshold, 1.0f, work};
    if (threshold)
        head.dropout_scale = (float)(1 / (1 - threshold / 4294967296.0));
    naive(&head, dout, &reference);
    kernels->attention(&head, out, lse);
    for (int i = 0; i < length; i++)
        assert_near((double)lse[i], reference.lse[i], ATTENTION_TOLERANCE, "lse", (size_t)i);
    for (size_t i = 0; i < n; i++)
        assert_near((double)out[i], reference.out[i], ATTENTION_TOLERANCE * fmax(1, range), "out", i);
    kernels->attention_backward(&head, out, lse, dout, dq, dk, dv);
    assert_gradient(dq, reference.dq, n, "dq");
    assert_gradient(dk, reference.dk, n, "dk");
    assert_gradient(dv, reference.dv, n, "dv");
    float *data[] = {out, lse, dq, dk, dv, work};
    for (int i = 0; i < 6; i++)
        block_close(&blocks[i], data[i]);
}

static void test_attention(void **state)
{
    (void)state;
    static const int all_lengths[] = {1, 2, 3, 15, 16, 17, 31, 33, 64, 65, LENGTH_MAX};
    static const int sizes[] = {1, 3, 8, 12, 16, 32, SIZE_MAX_};
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
                        check(list[version], all_lengths[l], sizes[s], thresholds[t], ranges[r]);
                    }
    }
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
    struct llmc_attention_head head = {LENGTH, SIZE, q, k, v, 0.5f, 0, 0, 1, work};
    for (int version = 0; version < count; version++) {
        list[version]->attention(&head, out, lse);
        for (int i = 0; i < LENGTH * SIZE; i++)
            assert_true(out[i] == LENGTH - 1);
        assert_true(lse[0] == 0.5f * SIZE * 1e4f * (LENGTH - 1));
        k[5] = NAN;
        list[version]->attention(&head, out, lse);
        assert_true(isnan(out[0]) && isnan(out[LENGTH * SIZE - 1]));
        k[5] = 1;
    }
    free(work);
}

/* Two keys with scores 0 and -d, values 0 and 1: the output is exp(-d) / (1 + exp(-d)). */
static void test_exponential(void **state)
{
    (void)state;
    float work[256], q[2] = {1, 1}, k[2] = {0}, v[2] = {0, 1}, out[2], lse[2];
    const struct llmc_kernels *list[4];
    int count = llmc_kernels_list(list);
    struct llmc_attention_head head = {2, 1, q, k, v, 1, 0, 0, 1, work};
    assert_true(llmc_attention_work(2, 1) <= COUNT_OF(work));
    at.kernel = "exponential";
    for (int version = 0; version < count; version++) {
        at.version = list[version]->name;
        for (int i = 0; i <= 5000; i++) {
            float d = (float)i * 0.01613f;
            k[1] = -d;
            list[version]->attention(&head, out, lse);
            double expected = exp(-(double)d) / (1 + exp(-(double)d));
            assert_near((double)out[0] / expected, 1, EXP_TOLERANCE, "relative to exp", (size_t)i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_attention), cmocka_unit_test(test_exponential),
                                       cmocka_unit_test(test_extreme_scores)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
