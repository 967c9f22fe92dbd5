/*
 * Reads that fail once and would succeed when tried again (a network file system, memory that is short for a moment):
 * an answer is right or an error, never LLMC_OK with parts that nobody filled in. The linker puts this file's
 * llmc_source_read in front of the real one.
 */
#include "formats/hdf5/source.h"
#include "include/llmc_runtime.h"
#include "tests/base/hdf5_leaks.h"
#include "tests/runtime/sample_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXTS = 64, VOCABULARY = 3000, LABELS = 2, FAILING = 2, NEVER = -1000 };

static char path[64];
static char texts[TEXTS][64];
static const char *text_list[TEXTS];
static atomic_int calls, first_failing = NEVER;

llmc_status __real_llmc_source_read(const struct llmc_source *source, uint64_t at, void *out, size_t nbytes);
llmc_status __wrap_llmc_source_read(const struct llmc_source *source, uint64_t at, void *out, size_t nbytes);

llmc_status __wrap_llmc_source_read(const struct llmc_source *source, uint64_t at, void *out, size_t nbytes)
{
    int call = atomic_fetch_add(&calls, 1);
    if (call >= first_failing && call < first_failing + FAILING)
        return llmc_error(LLMC_ERR_IO, "%s: read %d failed on purpose", source->name, call);
    return __real_llmc_source_read(source, at, out, nbytes);
}

/* Reads number `first` and the next one fail, counted from now. */
static void fail_from(int first)
{
    calls = 0;
    first_failing = first;
}

static int make_file(void **state)
{
    (void)state;
    struct llmc_compressed content;
    snprintf(path, sizeof path, "/tmp/llmc_test_failures_%d.llmc", (int)getpid());
    if (sample_model_make(&content, VOCABULARY, 32, 2) != LLMC_OK || llmc_compressed_write(path, &content) != LLMC_OK)
        return -1;
    llmc_compressed_release(&content);
    for (int i = 0; i < TEXTS; i++) {
        snprintf(texts[i], sizeof texts[i], "w%d w%d", i * 37 % 2995, i * 101 % 2995);
        text_list[i] = texts[i];
    }
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void check_equal(const struct llmc_compressed *content, const struct llmc_compressed *expected)
{
    assert_int_equal(content->tensor_count, expected->tensor_count);
    for (int32_t i = 0; i < content->tensor_count; i++) {
        const struct llmc_compressed_tensor *a = &content->tensors[i], *b = &expected->tensors[i];
        assert_memory_equal(a->data, b->data, (size_t)(b->rows * b->cols) * llmc_number_nbytes(b->number));
        if (b->scales)
            assert_memory_equal(a->scales, b->scales, (size_t)b->rows * sizeof *b->scales);
    }
}

/* Where a look that only chooses between two ways to the same bytes fails, the other way is taken. */
static void test_reading(void **state)
{
    (void)state;
    struct llmc_compressed content, expected;
    int failures = 0;
    fail_from(NEVER);
    assert_int_equal(llmc_compressed_read(path, &expected), LLMC_OK);
    int count = calls;
    assert_true(count > 50);
    for (int i = 0; i < count; i++) {
        fail_from(i);
        if (llmc_compressed_read(path, &content) == LLMC_OK) {
            check_equal(&content, &expected);
            llmc_compressed_release(&content);
        } else {
            assert_non_null(strstr(llmc_error_message(), path));
            failures++;
        }
    }
    assert_true(failures > count / 2);
    llmc_compressed_release(&expected);
}

/* A model that nobody has asked yet reads rows of its embedding. */
static void test_predicting(void **state)
{
    (void)state;
    struct llmc_model *model;
    struct llmc_predictor *predictor;
    float expected[TEXTS * LABELS], out[TEXTS * LABELS];
    int count = FAILING;
    for (int i = NEVER; i < count; i = i < 0 ? 0 : i + 1) {
        fail_from(NEVER);
        assert_int_equal(llmc_model_open(&model, path), LLMC_OK);
        assert_int_equal(llmc_predictor_create(&predictor, model, 2), LLMC_OK);
        fail_from(i);
        llmc_status status = llmc_predict(predictor, text_list, NULL, TEXTS, i < 0 ? expected : out);
        if (i < 0) {
            assert_int_equal(status, LLMC_OK);
            count = calls;
            assert_true(count > 20);
        } else if (status == LLMC_OK) {
            fail_msg("reads %d and %d of %d failed, and texts were answered all the same", i, i + 1, count);
        } else {
            assert_int_equal(status, LLMC_ERR_IO);
            assert_non_null(strstr(llmc_error_message(), "on purpose"));
            fail_from(NEVER);
            assert_int_equal(llmc_predict(predictor, text_list, NULL, TEXTS, out), LLMC_OK);
            assert_memory_equal(out, expected, sizeof expected);
        }
        llmc_predictor_free(predictor);
        llmc_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_predicting),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
