/*
 * The tokenizer on a vocabulary small enough to know every id by heart. What
 * Hugging Face makes of real texts is compared by test_tokenizer_reference.py.
 */
#include "text/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* clang-format off */
static const char vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" /* 0 .. 4 */
    "a\nb\n##b\n##a\nab\n"                 /* 5 .. 9 */
    ",\n[\n]\nun\n##able\n"                /* 10 .. 14 */
    "\xC3\xA9\n\xE4\xB8\xAD\nA\n##\xC3\xA9\n"; /* 15 e acute, 16 a Chinese character, 17, 18 */
/* clang-format on */

static const struct llmc_tokenizer_rules uncased = {
    .lowercase = true, .strip_accents = true, .split_chinese = true, .clean = true};
static const struct llmc_tokenizer_rules cased = {.split_chinese = true, .clean = true};

static struct llmc_tokenizer *create(const struct llmc_tokenizer_rules *rules)
{
    struct llmc_tokenizer *tokenizer;
    assert_int_equal(llmc_tokenizer_create(&tokenizer, vocabulary, sizeof vocabulary - 1, rules, "test"), LLMC_OK);
    return tokenizer;
}

/* The ids as text: "2 5 3", and with types "2:0 5:0 3:0". */
static const char *encode(const struct llmc_tokenizer *tokenizer, const char *text, const char *pair,
                          int32_t tokens_max, bool with_types)
{
    static char list[4096];
    int32_t ids[256], count = -1;
    uint8_t types[256];
    assert_true(tokens_max <= 256);
    assert_int_equal(llmc_tokenizer_encode(tokenizer, text, strlen(text), pair, pair ? strlen(pair) : 0, tokens_max,
                                           ids, with_types ? types : NULL, &count),
                     LLMC_OK);
    assert_in_range(count, 2, tokens_max);
    list[0] = 0;
    for (int32_t i = 0; i < count; i++) {
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, with_types ? "%s%d:%d" : "%s%d", i ? " " : "", ids[i],
                 with_types ? types[i] : 0);
    }
    return list;
}

static void test_pieces(void **state)
{
    (void)state;
    struct llmc_tokenizer *tokenizer = create(&uncased);
    assert_string_equal(encode(tokenizer, "", NULL, 16, false), "2 3");
    assert_string_equal(encode(tokenizer, "a", NULL, 16, false), "2 5 3");
    assert_string_equal(encode(tokenizer, "ab", NULL, 16, false), "2 9 3");
    assert_string_equal(encode(tokenizer, "aba", NULL, 16, false), "2 9 8 3");
    assert_string_equal(encode(tokenizer, "unable", NULL, 16, false), "2 13 14 3");
    assert_string_equal(encode(tokenizer, "abc", NULL, 16, false), "2 1 3");
    assert_string_equal(encode(tokenizer, " a  b\t,a,\n", NULL, 16, false), "2 5 6 10 5 10 3");
    assert_string_equal(encode(tokenizer, "AB", NULL, 16, false), "2 9 3");
    assert_string_equal(encode(tokenizer, "##b", NULL, 16, false), "2 1 1 6 3");
    llmc_tokenizer_free(tokenizer);
}

static void test_rules(void **state)
{
    (void)state;
    struct llmc_tokenizer *tokenizer = create(&uncased);
    assert_string_equal(encode(tokenizer, "\xC3\x81", NULL, 16, false), "2 5 3"); /* A acute */
    assert_string_equal(encode(tokenizer, "a\xCC\x81", NULL, 16, false), "2 5 3");
    assert_string_equal(encode(tokenizer, "a\xE4\xB8\xAD" "b", NULL, 16, false), "2 5 16 6 3");
    assert_string_equal(encode(tokenizer, "a\xE2\x80\x8B" "b", NULL, 16, false), "2 9 3"); /* zero width space */
    assert_string_equal(encode(tokenizer, "a\xC2\xA0" "b", NULL, 16, false), "2 5 6 3");   /* no-break space */
    assert_string_equal(encode(tokenizer, "a\xFF" "b", NULL, 16, false), "2 9 3");
    llmc_tokenizer_free(tokenizer);
    tokenizer = create(&cased);
    assert_string_equal(encode(tokenizer, "A", NULL, 16, false), "2 17 3");
    assert_string_equal(encode(tokenizer, "a\xC3\xA9 \xC3\xA9", NULL, 16, false), "2 5 18 15 3");
    llmc_tokenizer_free(tokenizer);
}

static void test_special_tokens_in_the_text(void **state)
{
    (void)state;
    struct llmc_tokenizer *tokenizer = create(&uncased);
    assert_string_equal(encode(tokenizer, "a[SEP]b", NULL, 16, false), "2 5 3 6 3");
    assert_string_equal(encode(tokenizer, "[[MASK]]", NULL, 16, false), "2 11 4 12 3");
    assert_string_equal(encode(tokenizer, "[ab]", NULL, 16, false), "2 11 9 12 3");
    assert_string_equal(encode(tokenizer, "[PAD", NULL, 16, false), "2 11 1 3");
    llmc_tokenizer_free(tokenizer);
}

static void test_mask_may_be_missing(void **state)
{
    (void)state;
    static const char small[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nmask\n[\n]\n";
    struct llmc_tokenizer *tokenizer;
    assert_int_equal(llmc_tokenizer_create(&tokenizer, small, sizeof small - 1, &uncased, "test"), LLMC_OK);
    assert_string_equal(encode(tokenizer, "[MASK]", NULL, 16, false), "2 5 4 6 3");
    llmc_tokenizer_free(tokenizer);
}

static void test_truncation(void **state)
{
    (void)state;
    struct llmc_tokenizer *tokenizer = create(&uncased);
    assert_string_equal(encode(tokenizer, "a b a b", NULL, 3, true), "2:0 5:0 3:0");
    assert_string_equal(encode(tokenizer, "unable", NULL, 3, true), "2:0 13:0 3:0");
    assert_string_equal(encode(tokenizer, "a b a b", NULL, 6, true), "2:0 5:0 6:0 5:0 6:0 3:0");
    assert_string_equal(encode(tokenizer, "a b", "b a", 16, true), "2:0 5:0 6:0 3:0 6:1 5:1 3:1");
    assert_string_equal(encode(tokenizer, "a b", "", 16, true), "2:0 5:0 6:0 3:0 3:1");
    /* Only the longer loses ... */
    assert_string_equal(encode(tokenizer, "a", "b b b b b", 7, true), "2:0 5:0 3:0 6:1 6:1 6:1 3:1");
    assert_string_equal(encode(tokenizer, "a a a a a", "b", 7, true), "2:0 5:0 5:0 5:0 3:0 6:1 3:1");
    /* ... until both get half; the odd token goes to the longer, to the second of equals. */
    assert_string_equal(encode(tokenizer, "a a a a", "b b b", 6, true), "2:0 5:0 5:0 3:0 6:1 3:1");
    assert_string_equal(encode(tokenizer, "a a a", "b b b", 6, true), "2:0 5:0 3:0 6:1 6:1 3:1");
    assert_string_equal(encode(tokenizer, "a a a", "b b b", 4, true), "2:0 3:0 6:1 3:1");
    llmc_tokenizer_free(tokenizer);
}

static void test_too_few_tokens(void **state)
{
    (void)state;
    struct llmc_tokenizer *tokenizer = create(&uncased);
    int32_t ids[4], count;
    assert_int_equal(llmc_tokenizer_encode(tokenizer, "a", 1, NULL, 0, 2, ids, NULL, &count), LLMC_ERR_ARGUMENT);
    assert_non_null(strstr(llmc_error_message(), "at least 3"));
    assert_int_equal(llmc_tokenizer_encode(tokenizer, "a", 1, "b", 1, 3, ids, NULL, &count), LLMC_ERR_ARGUMENT);
    assert_non_null(strstr(llmc_error_message(), "at least 4"));
    assert_int_equal(llmc_tokenizer_encode(tokenizer, "a", 1, NULL, 0, -1, ids, NULL, &count), LLMC_ERR_ARGUMENT);
    llmc_tokenizer_free(tokenizer);
}

static void test_long_words(void **state)
{
    (void)state;
    struct llmc_tokenizer *tokenizer = create(&uncased);
    int32_t ids[256], count;
    char word[10000];
    memset(word, 'b', sizeof word);
    assert_int_equal(llmc_tokenizer_encode(tokenizer, word, 100, NULL, 0, 256, ids, NULL, &count), LLMC_OK);
    assert_int_equal(count, 102);
    assert_int_equal(llmc_tokenizer_encode(tokenizer, word, 101, NULL, 0, 256, ids, NULL, &count), LLMC_OK);
    assert_int_equal(count, 3);
    assert_int_equal(ids[1], 1);
    assert_int_equal(llmc_tokenizer_encode(tokenizer, word, sizeof word, NULL, 0, 256, ids, NULL, &count), LLMC_OK);
    assert_int_equal(count, 3);
    llmc_tokenizer_free(tokenizer);
}

static void test_properties(void **state)
{
    (void)state;
    struct llmc_tokenizer *tokenizer = create(&cased);
    size_t nbytes;
    const char *bytes = llmc_tokenizer_vocabulary(tokenizer, &nbytes);
    assert_int_equal(nbytes, sizeof vocabulary - 1);
    assert_memory_equal(bytes, vocabulary, nbytes);
    assert_int_equal(llmc_tokenizer_size(tokenizer), 19);
    assert_true(llmc_tokenizer_get_rules(tokenizer).clean);
    assert_false(llmc_tokenizer_get_rules(tokenizer).lowercase);
    llmc_tokenizer_free(tokenizer);
    llmc_tokenizer_free(NULL);
}

static void test_of_equal_pieces_the_last_counts(void **state)
{
    (void)state;
    static const char twice[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n\na\n";
    struct llmc_tokenizer *tokenizer;
    assert_int_equal(llmc_tokenizer_create(&tokenizer, twice, sizeof twice - 1, &uncased, "test"), LLMC_OK);
    assert_string_equal(encode(tokenizer, "a", NULL, 16, false), "2 6 3");
    llmc_tokenizer_free(tokenizer);
}

static void test_bad_vocabularies(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *message;
    } cases[] = {
        {"", "empty"},
        {"[PAD]\n[UNK]\n[CLS]\n[SEP]\na", "line end"},
        {"[PAD]\n[UNK]\n[CLS]\n[SEP]\n\xFF\n", "byte 24 of the vocabulary is not UTF-8"},
        {"[UNK]\n[CLS]\n[SEP]\n", "no [PAD]"},
        {"[PAD]\n[CLS]\n[SEP]\n", "no [UNK]"},
        {"[PAD]\n[UNK]\n[SEP]\n", "no [CLS]"},
        {"[PAD]\n[UNK]\n[CLS]\n", "no [SEP]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct llmc_tokenizer *tokenizer;
        assert_int_equal(
            llmc_tokenizer_create(&tokenizer, cases[i].bytes, strlen(cases[i].bytes), &uncased, "words.txt"),
            LLMC_ERR_FORMAT);
        assert_null(tokenizer);
        assert_ptr_equal(strstr(llmc_error_message(), "words.txt: "), llmc_error_message());
        assert_non_null(strstr(llmc_error_message(), cases[i].message));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_special_tokens_in_the_text),
        cmocka_unit_test(test_mask_may_be_missing),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_too_few_tokens),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_of_equal_pieces_the_last_counts),
        cmocka_unit_test(test_bad_vocabularies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
