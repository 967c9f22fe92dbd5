#include "base/memory.h"
#include "text/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n"; /* a: 5, b: 6 */

static int create(void **state)
{
    const struct llmc_tokenizer_rules rules = {true, true, true, true};
    return llmc_tokenizer_create((struct llmc_tokenizer **)state, vocabulary, sizeof vocabulary - 1, &rules, "test");
}

static int destroy(void **state)
{
    llmc_tokenizer_free(*state);
    return 0;
}

static void test_encode(void **state)
{
    char *texts[] = {"a", "b b b", ""};
    int32_t label[] = {1, 0, 2};
    const struct llmc_rows rows = {.count = 3, .texts = texts, .label = label};
    struct llmc_dataset dataset;
    static const int32_t ids[] = {2, 5, 3, 2, 6, 6, 3, 2, 3};
    static const int64_t offsets[] = {0, 3, 7, 9};
    assert_int_equal(llmc_dataset_encode(&dataset, &rows, *state, 4), LLMC_OK);
    assert_int_equal(dataset.count, 3);
    assert_memory_equal(dataset.offsets, offsets, sizeof offsets);
    assert_memory_equal(dataset.ids, ids, sizeof ids);
    assert_memory_equal(dataset.label, label, sizeof label);
    assert_int_equal(dataset.tokens_max, 4);
    for (int i = 0; i < 9; i++)
        assert_int_equal(dataset.types[i], 0);
    llmc_dataset_release(&dataset);
}

static void test_encode_pairs_without_labels(void **state)
{
    char *texts[] = {"a", "a a a"}, *pairs[] = {"b", ""};
    const struct llmc_rows rows = {.count = 2, .texts = texts, .pairs = pairs};
    struct llmc_dataset dataset;
    static const int32_t ids[] = {2, 5, 3, 6, 3, 2, 5, 5, 5, 3, 3};
    static const uint8_t types[] = {0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1};
    assert_int_equal(llmc_dataset_encode(&dataset, &rows, *state, 16), LLMC_OK);
    assert_int_equal(dataset.offsets[2], 11);
    assert_memory_equal(dataset.ids, ids, sizeof ids);
    assert_memory_equal(dataset.types, types, sizeof types);
    assert_int_equal(dataset.label[0], -1);
    assert_int_equal(dataset.label[1], -1);
    llmc_dataset_release(&dataset);
}

/* More rows than one thread takes at once: each must be what the tokenizer says, in its place. */
static void test_many_rows(void **state)
{
    enum { ROWS = 5000, TOKENS = 12 };
    struct llmc_rows rows = {.count = ROWS};
    struct llmc_dataset dataset;
    assert_int_equal(llmc_alloc(&rows.texts, ROWS, sizeof *rows.texts), LLMC_OK);
    for (int i = 0; i < ROWS; i++) {
        char text[64] = "";
        for (int k = i % 17; k > 0; k--)
            strcat(text, (i >> k) & 1 ? "a " : "b ");
        assert_int_equal(llmc_strdup(&rows.texts[i], text), LLMC_OK);
    }
    assert_int_equal(llmc_dataset_encode(&dataset, &rows, *state, TOKENS), LLMC_OK);
    assert_int_equal(dataset.tokens_max, TOKENS);
    for (int i = 0; i < ROWS; i++) {
        int32_t ids[TOKENS], count;
        uint8_t types[TOKENS];
        assert_int_equal(llmc_tokenizer_encode(*state, rows.texts[i], strlen(rows.texts[i]), NULL, 0, TOKENS, ids,
                                               types, &count),
                         LLMC_OK);
        assert_int_equal(dataset.offsets[i + 1] - dataset.offsets[i], count);
        assert_memory_equal(dataset.ids + dataset.offsets[i], ids, (size_t)count * sizeof *ids);
        assert_memory_equal(dataset.types + dataset.offsets[i], types, (size_t)count);
        free(rows.texts[i]);
    }
    free(rows.texts);
    llmc_dataset_release(&dataset);
}

static void test_no_rows(void **state)
{
    const struct llmc_rows rows = {0};
    struct llmc_dataset dataset;
    assert_int_equal(llmc_dataset_encode(&dataset, &rows, *state, 8), LLMC_OK);
    assert_int_equal(dataset.count, 0);
    assert_int_equal(dataset.offsets[0], 0);
    llmc_dataset_release(&dataset);
}

static void test_too_few_tokens(void **state)
{
    char *texts[] = {"a"}, *pairs[] = {"b"};
    struct llmc_rows rows = {.count = 1, .texts = texts};
    struct llmc_dataset dataset;
    assert_int_equal(llmc_dataset_encode(&dataset, &rows, *state, 2), LLMC_ERR_ARGUMENT);
    assert_non_null(strstr(llmc_error_message(), "at least 3"));
    rows.pairs = pairs;
    assert_int_equal(llmc_dataset_encode(&dataset, &rows, *state, 3), LLMC_ERR_ARGUMENT);
    assert_non_null(strstr(llmc_error_message(), "at least 4"));
    assert_null(dataset.offsets);
}

static void test_batches(void **state)
{
    char *texts[] = {"a", "b b b", "", "a b"};
    int32_t label[] = {1, 0, 2, 3};
    const struct llmc_rows rows = {.count = 4, .texts = texts, .label = label};
    struct llmc_dataset dataset;
    struct llmc_batch batch = {0};
    assert_int_equal(llmc_dataset_encode(&dataset, &rows, *state, 8), LLMC_OK);
    const struct llmc_text_source source = llmc_dataset_source(&dataset);

    const int64_t chosen[] = {3, 0, 3};
    static const int32_t ids[] = {2, 5, 6, 3, 2, 5, 3, 2, 5, 6, 3}, offsets[] = {0, 4, 7, 11}, labels[] = {3, 1, 3};
    assert_int_equal(llmc_batch_gather(&batch, &source, chosen, 3), LLMC_OK);
    assert_int_equal(batch.sequences, 3);
    assert_int_equal(batch.tokens, 11);
    assert_memory_equal(batch.ids, ids, sizeof ids);
    assert_memory_equal(batch.offsets, offsets, sizeof offsets);
    assert_memory_equal(batch.label, labels, sizeof labels);
    assert_memory_equal(batch.rows, chosen, sizeof chosen);
    for (int i = 0; i < 11; i++)
        assert_int_equal(batch.types[i], 0);

    /* A smaller batch keeps the arrays; a larger one grows them. */
    const int32_t *before = batch.ids;
    const int64_t one[] = {2}, all[] = {0, 1, 2, 3, 0, 1, 2, 3};
    assert_int_equal(llmc_batch_gather(&batch, &source, one, 1), LLMC_OK);
    assert_ptr_equal(batch.ids, before);
    assert_int_equal(batch.tokens, 2);
    assert_int_equal(llmc_batch_gather(&batch, &source, all, 8), LLMC_OK);
    assert_int_equal(batch.tokens, 2 * dataset.offsets[4]);
    assert_int_equal(batch.offsets[8], batch.tokens);
    assert_memory_equal(batch.ids, dataset.ids, (size_t)dataset.offsets[4] * sizeof *batch.ids);
    llmc_batch_release(&batch);
    llmc_dataset_release(&dataset);
}

static void test_bad_batches(void **state)
{
    char *texts[] = {"a"};
    const struct llmc_rows rows = {.count = 1, .texts = texts};
    const int64_t above[] = {0, 1}, below[] = {-1};
    struct llmc_dataset dataset;
    struct llmc_batch batch = {0};
    assert_int_equal(llmc_dataset_encode(&dataset, &rows, *state, 8), LLMC_OK);
    const struct llmc_text_source source = llmc_dataset_source(&dataset);
    assert_int_equal(llmc_batch_gather(&batch, &source, above, 2), LLMC_ERR_ARGUMENT);
    assert_non_null(strstr(llmc_error_message(), "row 1 is not among the 1 texts"));
    assert_int_equal(llmc_batch_gather(&batch, &source, below, 1), LLMC_ERR_ARGUMENT);
    assert_int_equal(llmc_batch_gather(&batch, &source, below, -1), LLMC_ERR_ARGUMENT);
    assert_int_equal(batch.sequences, 0);
    assert_int_equal(llmc_batch_gather(&batch, &source, NULL, 0), LLMC_OK);
    assert_int_equal(batch.tokens, 0);
    assert_int_equal(batch.offsets[0], 0);
    llmc_batch_release(&batch);
    llmc_dataset_release(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_encode_pairs_without_labels),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_too_few_tokens),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_bad_batches),
    };
    return cmocka_run_group_tests(tests, create, destroy);
}
