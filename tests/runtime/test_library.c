/*
 * The library as programs use it: a file and its bytes in memory give the same answers; threads with predictors of
 * their own share a model whose rows nobody has asked for yet; tokens.
 */
#include "base/file.h"
#include "include/llmc_runtime.h"
#include "tests/runtime/sample_model.h"

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 8, TEXTS = 200, VOCABULARY = 3000, LABELS = 2 };

static char path[64];
static char texts[TEXTS][64];
static const char *text_list[TEXTS];
static float expected[TEXTS * LABELS];

static int make_file(void **state)
{
    (void)state;
    struct llmc_compressed content;
    snprintf(path, sizeof path, "/tmp/llmc_test_library_%d.llmc", (int)getpid());
    if (sample_model_make(&content, VOCABULARY, 32, 2) != LLMC_OK || llmc_compressed_write(path, &content) != LLMC_OK)
        return -1;
    llmc_compressed_release(&content);
    for (int i = 0; i < TEXTS; i++) {
        snprintf(texts[i], sizeof texts[i], "w%d W%d w%d zzz", i * 37 % 2995, i * 101 % 2995, i);
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

static void predict(const struct llmc_model *model, int threads, float *out)
{
    struct llmc_predictor *predictor;
    assert_int_equal(llmc_predictor_create(&predictor, model, threads), LLMC_OK);
    assert_int_equal(llmc_predict(predictor, text_list, NULL, TEXTS, out), LLMC_OK);
    llmc_predictor_free(predictor);
}

static void test_file_and_memory(void **state)
{
    (void)state;
    struct llmc_model *model;
    char *bytes;
    size_t nbytes;
    float again[TEXTS * LABELS];
    assert_int_equal(llmc_model_open(&model, path), LLMC_OK);
    predict(model, 1, expected);
    predict(model, 2, again);
    assert_memory_equal(expected, again, sizeof expected);
    llmc_model_free(model);

    assert_int_equal(llmc_file_read(path, 1 << 24, &bytes, &nbytes), LLMC_OK);
    assert_int_equal(llmc_model_open_memory(&model, bytes, nbytes), LLMC_OK);
    predict(model, 1, again);
    assert_memory_equal(expected, again, sizeof expected);
    assert_string_equal(llmc_model_label(model, 1), "yes");
    assert_null(llmc_model_label(model, 2));
    assert_null(llmc_model_label(model, -1));
    llmc_model_free(model);
    bytes[nbytes - 1] ^= 1;
    assert_int_equal(llmc_model_open_memory(&model, bytes, nbytes), LLMC_ERR_FORMAT);
    assert_null(model);
    assert_int_equal(llmc_model_open_memory(&model, bytes, 0), LLMC_ERR_FORMAT);
    assert_non_null(strstr(llmc_error_message(), "memory: "));
    free(bytes);
}

struct worker {
    pthread_t thread;
    const struct llmc_model *model;
    float out[TEXTS * LABELS];
    int first;
    llmc_status status;
};

/* Text by text, each worker from another place, so that they meet in all chunks of the embedding. */
static void *work(void *argument)
{
    struct worker *worker = argument;
    struct llmc_predictor *predictor;
    worker->status = llmc_predictor_create(&predictor, worker->model, 1);
    for (int i = 0; i < TEXTS && worker->status == LLMC_OK; i++) {
        int at = (i + worker->first) % TEXTS;
        worker->status = llmc_predict(predictor, &text_list[at], NULL, 1, worker->out + at * LABELS);
    }
    llmc_predictor_free(predictor);
    return NULL;
}

static void test_many_threads_share_a_model(void **state)
{
    (void)state;
    struct worker *workers = calloc(THREADS, sizeof *workers);
    struct llmc_model *model;
    assert_non_null(workers);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(llmc_model_open(&model, path), LLMC_OK);
        for (int i = 0; i < THREADS; i++) {
            workers[i].model = model;
            workers[i].first = i * TEXTS / THREADS / 4;
            assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(workers[i].thread, NULL);
            assert_int_equal(workers[i].status, LLMC_OK);
            assert_memory_equal(workers[i].out, expected, sizeof expected);
        }
        llmc_model_free(model);
    }
    free(workers);
}

/* Rows that nobody has read yet are read when they are needed, from the file that was opened. */
static void test_file_that_changes(void **state)
{
    (void)state;
    struct llmc_model *model;
    struct llmc_predictor *predictor;
    float again[TEXTS * LABELS];
    char *bytes;
    size_t nbytes;
    assert_int_equal(llmc_file_read(path, 1 << 24, &bytes, &nbytes), LLMC_OK);
    assert_int_equal(llmc_model_open(&model, path), LLMC_OK);
    unlink(path);
    predict(model, 1, again);
    assert_memory_equal(expected, again, sizeof expected);
    llmc_model_free(model);

    assert_int_equal(llmc_file_write(path, bytes, nbytes), LLMC_OK);
    assert_int_equal(llmc_model_open(&model, path), LLMC_OK);
    assert_int_equal(truncate(path, 1000), 0);
    assert_int_equal(llmc_predictor_create(&predictor, model, 1), LLMC_OK);
    assert_int_equal(llmc_predict(predictor, text_list, NULL, TEXTS, again), LLMC_ERR_FORMAT);
    assert_non_null(strstr(llmc_error_message(), "shorter"));
    assert_int_equal(llmc_file_write(path, bytes, nbytes), LLMC_OK);
    llmc_predictor_free(predictor);
    llmc_model_free(model);
    free(bytes);
}

/* Beyond the bound the OpenMP library would end the whole program. */
static void test_numbers_of_threads(void **state)
{
    (void)state;
    static const int refused[] = {-1, 257, 100000, INT_MAX, INT_MIN};
    struct llmc_model *model;
    struct llmc_predictor *predictor;
    assert_int_equal(llmc_model_open(&model, path), LLMC_OK);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(llmc_predictor_create(&predictor, model, refused[i]), LLMC_ERR_ARGUMENT);
        assert_null(predictor);
        assert_non_null(strstr(llmc_error_message(), "0 (all processors) to 256"));
    }
    assert_int_equal(llmc_predictor_create(&predictor, model, 0), LLMC_OK);
    assert_in_range(llmc_predictor_threads(predictor), 1, 256);
    llmc_predictor_free(predictor);
    assert_int_equal(llmc_predictor_create(&predictor, model, 256), LLMC_OK);
    assert_int_equal(llmc_predictor_threads(predictor), 256);
    llmc_predictor_free(predictor);
    llmc_model_free(model);
}

static void test_tokens(void **state)
{
    (void)state;
    struct llmc_model *model;
    int32_t ids[32], count;
    uint8_t types[32];
    assert_int_equal(llmc_model_open(&model, path), LLMC_OK);
    assert_int_equal(llmc_model_tokens_max(model), 32);
    assert_int_equal(llmc_tokenize(model, "w7 nothing", "W8", ids, types, &count), LLMC_OK);
    assert_int_equal(count, 6);
    assert_memory_equal(ids, ((int32_t[]){2, 12, 1, 3, 13, 3}), 6 * sizeof *ids);
    assert_memory_equal(types, "\0\0\0\0\1\1", 6);
    assert_int_equal(llmc_tokenize(model, "", NULL, ids, NULL, &count), LLMC_OK);
    assert_int_equal(count, 2);
    llmc_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_and_memory),
        cmocka_unit_test(test_many_threads_share_a_model),
        cmocka_unit_test(test_file_that_changes),
        cmocka_unit_test(test_numbers_of_threads),
        cmocka_unit_test(test_tokens),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
