/* The three products in the three number formats against double loops; errors; memory. */
#include "tests/base/test_support.h"

#include "base/memory.h"
#include "base/random.h"
#include "tensor/operations.h"

#include <math.h>

/* FP32 sums of up to 257 products of numbers in [-1, 1]. Longer sums: their partial sums grow with the root of the
 * length, each addition rounds in proportion to its partial sum, and the errors add up as a random walk, so that they
 * grow with the length itself. A plain loop in FP32 over 600 x 32 such sums is off by at most 1.1e-5 at length 257 and
 * 5.2e-5 at 1,088. */
#define F32_TOLERANCE 2e-5
/* The same of split numbers: the products of the lower parts, left out, sum to 1.2e-5 in the root mean square. They do
 * not depend on the partial sums: their total grows with the root of the length. */
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

/* product against double loops; a and b are the operands as floats. */
static void check_numbers(struct llmc_ops *ops, enum llmc_gemm_form form, enum llmc_number number, const int64_t shape[3],
                          const float *a, const float *b, const struct llmc_matrix *product)
{
    int64_t m = shape[0], n = shape[1], depth = shape[2];
    bool a_turned = form == LLMC_GEMM_TN, b_turned = form == LLMC_GEMM_NT;
    bool split = number == LLMC_F16 && ops->gemm.tiles;
    double longer = depth > 257 ? (double)depth / 257 : 1;
    double allowed = split ? SPLIT_TOLERANCE * sqrt(longer) : F32_TOLERANCE * longer;
    assert_int_equal(product->rows, m);
    assert_int_equal(product->cols, n);
    assert_true(product->number == LLMC_F32 || number == LLMC_BF16);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            float got;
            for (int64_t d = 0; d < depth; d++)
                sum += (double)a[a_turned ? d * m + i : i * depth + d] * (double)b[b_turned ? j * depth + d : d * n + j];
            ops->kernels->widen((char *)llmc_matrix_row(product, i) + (size_t)j * llmc_number_nbytes(product->number),
                                product->number, &got, 1);
            double tolerance = allowed + (number == LLMC_BF16 ? BF16_RELATIVE_TOLERANCE * fabs(sum) : 0);
            if (!(fabs((double)got - sum) <= tolerance))
                fail_msg("form %d, %s, %d x %d x %d: [%d, %d] is %g, not %g", (int)form, llmc_number_name(number),
                         (int)m, (int)n, (int)depth, (int)i, (int)j, (double)got, sum);
        }
    }
}

/* Room behind the rows of a matrix, full of what is no number. */
static void make_room(struct llmc_matrix *matrix)
{
    size_t nbytes = (size_t)(matrix->rows * matrix->cols) * llmc_number_nbytes(matrix->number);
    matrix->room = llmc_rows_with_room(matrix->rows);
    matrix->data = realloc(matrix->data, (size_t)(matrix->room * matrix->cols) * llmc_number_nbytes(matrix->number));
    assert_non_null(matrix->data);
    memset((char *)matrix->data + nbytes, 0xff, (size_t)((matrix->room - matrix->rows) * matrix->cols) *
           llmc_number_nbytes(matrix->number));
}

static void check_product(struct llmc_ops *ops, enum llmc_gemm_form form, enum llmc_number number, const int64_t shape[3],
                          bool room)
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
    if (room) {
        make_room(&left);
        make_room(&right);
    }
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
        check_numbers(ops, form, number, shape, a, b, &product);
    }
    free(a), free(b), free(left.data), free(right.data), free(stored);
}

static void test_products(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{1, 1, 1}, {1, 3, 64}, {5, 7, 2}, {17, 33, 31}, {64, 48, 96}, {2, 65, 257}, {130, 4, 1},
                                        {130, 65, 257}};
    static const char *const disabled[] = {"", "amx_bf16"};
    struct llmc_ops ops;
    for (size_t d = 0; d < COUNT_OF(disabled); d++) {
        setenv("LLMC_DISABLE_CPU_FEATURES", disabled[d], 1);
        assert_ok(llmc_ops_init(&ops, 2));
        for (size_t s = 0; s < COUNT_OF(shapes); s++)
            for (int form = LLMC_GEMM_NT; form <= LLMC_GEMM_TN; form++)
                for (size_t i = 0; i < COUNT_OF(numbers); i++)
                    for (int room = 0; room < 2; room++)
                        check_product(&ops, (enum llmc_gemm_form)form, numbers[i], shapes[s], room);
        llmc_ops_release(&ops);
    }
    unsetenv("LLMC_DISABLE_CPU_FEATURES");
}

/* b as a weight [rows, cols] in the form that weights take: packed where there are tiles. */
static void check_weight(struct llmc_ops *ops, enum llmc_gemm_form form, enum llmc_number number, const int64_t shape[3])
{
    int64_t m = shape[0], n = shape[1], depth = shape[2];
    int64_t rows = form == LLMC_GEMM_NT ? n : depth, cols = form == LLMC_GEMM_NT ? depth : n;
    float *a, *b;
    void *a_data = random_matrix(number, m * depth, 1, &a), *b_data = random_matrix(number, n * depth, 2, &b);
    struct llmc_matrix left = llmc_matrix(a_data, number, m, depth), product;
    enum llmc_operand_form weight_form = llmc_gemm_weight_form(&ops->gemm, number, rows, cols);
    struct llmc_weight_copy copy = {.operand = {NULL, weight_form, number, rows, cols}};
    struct llmc_operand left_operand;
    assert_int_equal(weight_form == LLMC_OPERAND_PACKED, ops->gemm.tiles && number != LLMC_F32);
    assert_ok(llmc_alloc(&copy.operand.data, llmc_operand_nbytes(&copy.operand), 1));
    assert_ok(llmc_ops_reserve(ops, cols, 1, 1));
    for (int64_t row = 0; row < rows; row += 32) { /* in parts, as the weights of queries, keys and values are */
        copy.first_row = row;
        llmc_op_cast_weight(ops, b + row * cols, 32, &copy);
    }
    assert_ok(llmc_gemm_operand(&ops->gemm, LLMC_GEMM_A, &left, &left_operand));
    assert_ok(llmc_gemm_run(&ops->gemm, form, &left_operand, &copy.operand, &product));
    check_numbers(ops, form, number, shape, a, b, &product);
    free(a), free(b), free(a_data), free(b_data), free(copy.operand.data);
}

/* Few rows, which threads cannot share; many; more than are multiplied at a time. */
static void test_weights(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{1, 32, 32}, {37, 320, 64}, {289, 64, 96}, {600, 32, 1088}};
    struct llmc_ops ops;
    for (int threads = 1; threads <= 3; threads++) {
        assert_ok(llmc_ops_init(&ops, threads));
        for (size_t s = 0; s < COUNT_OF(shapes); s++)
            for (int form = LLMC_GEMM_NT; form <= LLMC_GEMM_NN; form++)
                for (size_t i = 0; i < COUNT_OF(numbers); i++)
                    check_weight(&ops, (enum llmc_gemm_form)form, numbers[i], shapes[s]);
        llmc_ops_release(&ops);
    }
}

/* Every half times one is itself: nothing of it is lost where it is multiplied in parts. */
static void test_halves_are_exact(void **state)
{
    (void)state;
    enum { ROWS = 2048, COLS = 32 };
    static uint16_t halves[ROWS * COLS], one[COLS * COLS];
    struct llmc_matrix left = llmc_matrix(halves, LLMC_F16, ROWS, COLS), right = llmc_matrix(one, LLMC_F16, COLS, COLS);
    struct llmc_matrix product;
    struct llmc_operand a, b;
    struct llmc_ops ops;
    for (int i = 0; i < ROWS * COLS; i++)
        halves[i] = (i & 0x7c00) == 0x7c00 ? 0 : (uint16_t)i; /* infinity and NaN would spread over the row */
    for (int i = 0; i < COLS; i++)
        one[i * COLS + i] = llmc_f16_from_f32(1);
    assert_ok(llmc_ops_init(&ops, 2));
    for (int form = LLMC_GEMM_NT; form <= LLMC_GEMM_TN; form++) {
        bool turned = form == LLMC_GEMM_TN; /* 1^T . X, else X . 1 */
        assert_ok(llmc_gemm_operand(&ops.gemm, LLMC_GEMM_A, turned ? &right : &left, &a));
        assert_ok(llmc_gemm_operand(&ops.gemm, LLMC_GEMM_B, turned ? &left : &right, &b));
        if (turned)
            a.rows = b.rows = COLS;
        assert_ok(llmc_gemm_run(&ops.gemm, (enum llmc_gemm_form)form, &a, &b, &product));
        for (int64_t i = 0; i < product.rows * product.cols; i++)
            assert_true(((float *)product.data)[i] == llmc_f32_from_f16(halves[i]));
    }
    llmc_ops_release(&ops);
}

/* Shapes that do not fit are refused before any library sees them; LibTorch's own text reaches the caller; and the
 * next product works. */
static void test_errors(void **state)
{
    (void)state;
    static float zeros[64];
    static const int64_t shape[3] = {3, 4, 5};
    struct llmc_ops ops;
    struct llmc_operand a = llmc_operand(zeros, LLMC_OPERAND_F32, LLMC_F32, 4, 8);
    struct llmc_operand b = llmc_operand(zeros, LLMC_OPERAND_F32, LLMC_F32, 4, 7);
    struct llmc_matrix product;
    assert_ok(llmc_ops_init(&ops, 1));
    assert_fails(llmc_gemm_run(&ops.gemm, LLMC_GEMM_NT, &a, &b, &product), LLMC_ERR_ARGUMENT, "4 x 8 and 4 x 7");
    assert_fails(llmc_gemm_run(&ops.gemm, LLMC_GEMM_NN, &a, &b, &product), LLMC_ERR_ARGUMENT, "4 x 8 and 4 x 7");
    b.rows = 5;
    assert_fails(llmc_gemm_run(&ops.gemm, LLMC_GEMM_TN, &a, &b, &product), LLMC_ERR_ARGUMENT, "4 x 8 and 5 x 7");
    a.cols = b.cols = -1;
    assert_fails(llmc_gemm_run(&ops.gemm, LLMC_GEMM_NT, &a, &b, &product), LLMC_ERR_TORCH, "negative");
    a.form = b.form = LLMC_OPERAND_BF16;
    a.number = b.number = LLMC_BF16;
    a.cols = 8, b.cols = 7;
    assert_fails(llmc_gemm_run(&ops.gemm, LLMC_GEMM_NT, &a, &b, &product), LLMC_ERR_ARGUMENT, "4 x 8 and 5 x 7");
    check_product(&ops, LLMC_GEMM_NT, LLMC_F32, shape, false);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_weights),
                                       cmocka_unit_test(test_halves_are_exact), cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_memory_does_not_grow), cmocka_unit_test(test_version)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
