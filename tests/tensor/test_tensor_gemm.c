/* The three products in the three number formats against double loops; errors; memory. */
#include "tests/base/test_support.h"

#include "base/random.h"
#include "tensor/operations.h"

#include <math.h>

/* FP32 sums of up to 257 products of numbers in [-1, 1]. */
#define F32_TOLERANCE 2e-5
/* The same of split numbers: the products of the lower parts, left out, sum to 1.2e-5 in the root mean square. */
#define SPLIT_TOLERANCE 1e-4
/* A product rounded to BF16 keeps 8 significant bits: half of 2^-7 of the result. */
#define BF16_RELATIVE_TOLERANCE 4e-3

static const enum llmc_number numbers[] = {LLMC_F32, LLMC_F16, LLMC_BF16};

/* rows * cols numbers in [-1, 1], exact in `number`; and the same as floats. */
static void *random_matrix(enum llmc_number number, int64_t count, uint32_t seed, float **floats)
{
    const struct llmc_kernels *k = llmc_kernels_best();
    void *data = malloc((size_t)count * llmc_number_nbytes(number));
    *floats = malloc((size_t)count * sizeof **floats);
    assert_true(data && *floats);
    for (int64_t i = 0; i < count; i++)
        (*floats)[i] = (float)(2.0 * llmc_random_u32(seed, (uint32_t)i) / 4294967295.0 - 1.0);
    k->narrow(*floats, number, data, (size_t)count);
    k->widen(data, number, *floats, (size_t)count);
    return data;
}

static void check_product(struct llmc_ops *ops, enum llmc_gemm_form form, enum llmc_number number, const int64_t shape[3])
{
    int64_t m = shape[0], n = shape[1], depth = shape[2];
    /* NT: a [m, depth], b [n, depth]; NN: a [m, depth], b [depth, n]; TN: a [depth, m], b [depth, n] */
    bool a_turned = form == LLMC_GEMM_TN, b_turned = form == LLMC_GEMM_NT;
    float *a, *b;
    void *a_data = random_matrix(number, m * depth, 1, &a), *b_data = random_matrix(number, n * depth, 2, &b);
    struct llmc_matrix left = llmc_matrix(a_data, number, a_turned ? depth : m, a_turned ? m : depth);
    struct llmc_matrix right = llmc_matrix(b_data, number, b_turned ? n : depth, b_turned ? depth : n);
    struct llmc_operand left_operand, right_operand;
    struct llmc_matrix product;
    float *stored = malloc((size_t)(m * n) * sizeof *stored);
    assert_non_null(stored);
    for (int repeat = 0; repeat < 3; repeat++) { /* the second reuses the buffers, the third stores */
        double flops = ops->gemm.flops;
        assert_ok(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, &left, &left_operand));
        assert_ok(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_B, &right, &right_operand));
        if (repeat < 2) {
            assert_ok(llmc_gemm_run(&ops->gemm, form, &left_operand, &right_operand, &product));
        } else {
            assert_ok(llmc_gemm_store(&ops->gemm, form, &left_operand, &right_operand, stored));
            product = llmc_matrix(stored, LLMC_F32, m, n);
        }
        assert_true(ops->gemm.flops - flops == 2.0 * (double)m * (double)n * (double)depth);
        assert_int_equal(product.rows, m);
        assert_int_equal(product.cols, n);
        assert_true(product.number == LLMC_F32 || number == LLMC_BF16);
        for (int64_t i = 0; i < m; i++) {
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                float got;
                for (int64_t d = 0; d < depth; d++)
                    sum += (double)a[a_turned ? d * m + i : i * depth + d] * (double)b[b_turned ? j * depth + d : d * n + j];
                ops->kernels->widen((char *)llmc_matrix_row(&product, i) + (size_t)j * llmc_number_nbytes(product.number),
                                    product.number, &got, 1);
                double tolerance = left_operand.form == LLMC_OPERAND_SPLIT ? SPLIT_TOLERANCE : F32_TOLERANCE;
                tolerance += number == LLMC_BF16 ? BF16_RELATIVE_TOLERANCE * fabs(sum) : 0;
                if (!(fabs((double)got - sum) <= tolerance))
                    fail_msg("form %d, %s, %d x %d x %d: [%d, %d] is %g, not %g", (int)form, llmc_number_name(number),
                             (int)m, (int)n, (int)depth, (int)i, (int)j, (double)got, sum);
            }
        }
    }
    free(a), free(b), free(a_data), free(b_data), free(stored);
}

static void test_products(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{1, 1, 1}, {1, 3, 64}, {5, 7, 2}, {17, 33, 31}, {64, 48, 96}, {2, 65, 257}, {130, 4, 1}};
    static const char *const disabled[] = {"", "amx_bf16"};
    struct llmc_ops ops;
    for (size_t d = 0; d < COUNT_OF(disabled); d++) {
        setenv("LLMC_DISABLE_CPU_FEATURES", disabled[d], 1);
        assert_ok(llmc_ops_init(&ops, 2));
        for (size_t s = 0; s < COUNT_OF(shapes); s++)
            for (int form = LLMC_GEMM_NT; form <= LLMC_GEMM_TN; form++)
                for (size_t i = 0; i < COUNT_OF(numbers); i++)
                    check_product(&ops, (enum llmc_gemm_form)form, numbers[i], shapes[s]);
        llmc_ops_release(&ops);
    }
    unsetenv("LLMC_DISABLE_CPU_FEATURES");
}

/* LibTorch's own text reaches the caller, and the next product works. */
static void test_errors(void **state)
{
    (void)state;
    static float zeros[64];
    static const int64_t shape[3] = {3, 4, 5};
    struct llmc_ops ops;
    struct llmc_operand a = {zeros, LLMC_OPERAND_F32, LLMC_F32, 4, 8}, b = {zeros, LLMC_OPERAND_F32, LLMC_F32, 4, 7};
    struct llmc_matrix product;
    assert_ok(llmc_ops_init(&ops, 1));
    assert_fails(llmc_gemm_run(&ops.gemm, LLMC_GEMM_NT, &a, &b, &product), LLMC_ERR_TORCH, "shapes");
    assert_fails(llmc_gemm_run(&ops.gemm, LLMC_GEMM_NN, &a, &b, &product), LLMC_ERR_TORCH, "shapes");
    a.form = b.form = LLMC_OPERAND_BF16;
    a.number = b.number = LLMC_BF16;
    assert_int_not_equal(llmc_gemm_run(&ops.gemm, LLMC_GEMM_NT, &a, &b, &product), LLMC_OK);
    assert_non_null(strstr(llmc_error_message(), "shapes"));
    check_product(&ops, LLMC_GEMM_NT, LLMC_F32, shape);
    llmc_ops_release(&ops);
}

static long resident_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    fclose(file);
    return kib;
}

/* A product of 64 KiB leaked a thousand times would be 64 MiB; the allocator's own reserves stay below 16. */
static void test_memory_does_not_grow(void **state)
{
    (void)state;
    enum { ROWS = 128, CALLS = 1000, GROWTH_KIB = 16 * 1024 };
    float *unused;
    struct llmc_ops ops;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* AddressSanitizer keeps freed memory for a while, and looks for leaks itself */
#endif
    assert_ok(llmc_ops_init(&ops, 1));
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        void *data = random_matrix(numbers[i], ROWS * ROWS, 3, &unused);
        free(unused);
        struct llmc_matrix matrix = llmc_matrix(data, numbers[i], ROWS, 16), product;
        struct llmc_operand a, b;
        long before = 0;
        for (int call = 0; call < CALLS + 20; call++) {
            if (call == 20)
                before = resident_kib();
            assert_ok(llmc_gemm_operand(&ops.gemm, LLMC_GEMM_A, &matrix, &a));
            assert_ok(llmc_gemm_operand(&ops.gemm, LLMC_GEMM_B, &matrix, &b));
            assert_ok(llmc_gemm_run(&ops.gemm, LLMC_GEMM_NT, &a, &b, &product));
        }
        long growth = resident_kib() - before;
        if (growth > GROWTH_KIB)
            fail_msg("%s: memory grew by %ld KiB in %d products", llmc_number_name(numbers[i]), growth, CALLS);
        free(data);
    }
    long before = resident_kib();
    llmc_ops_release(&ops);
    for (int i = 0; i < CALLS; i++) {
        assert_ok(llmc_ops_init(&ops, 1));
        assert_ok(llmc_ops_reserve(&ops, 4096, 16, 16));
        llmc_ops_release(&ops);
    }
    assert_true(resident_kib() - before < GROWTH_KIB);
}

static void test_version(void **state)
{
    (void)state;
    char version[16];
    int major = 0, minor = 0, patch = -1;
    llmc_torch_version(version);
    assert_int_equal(sscanf(version, "%d.%d.%d", &major, &minor, &patch), 3);
    assert_true(major > 2 || (major == 2 && minor >= 13));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_memory_does_not_grow), cmocka_unit_test(test_version)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
