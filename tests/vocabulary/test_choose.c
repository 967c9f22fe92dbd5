/* Which pieces stay, which go, and what a budget too small is told. */
#include "base/memory.h"
#include "text/join.h"
#include "vocabulary/choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct llmc_tokenizer_rules rules = {true, true, true, true};
/* 0..4 special, 5 [unused0], 6..11 characters, 12.. pieces. "##!" and "A" no text has, nor an ideograph beside other
 * characters; "##cz" has a z of its own nowhere. */
static const char pieces[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n[unused0]\na\nb\n!\n##a\n##b\n##c\nab\n##bc\nabc\n##!\nA\n##cz\nab\n"
                             "b!\n##\xe6\xbc\xa2\n\xe6\xbc\xa2" "a\n";
enum { UNUSED = 5, CHARACTER = 6, FIRST_AB = 12, BC, ABC, BANG, UPPER, CZ, AB, B_BANG, IDEOGRAPH, BESIDE_IDEOGRAPH, TOTAL };

struct texts {
    struct llmc_tokenizer *tokenizer;
    struct llmc_dataset dataset;
    struct llmc_text_source source;
    struct llmc_pieces_words words;
};

static void open_texts(struct texts *t, char **lines, size_t count)
{
    struct llmc_rows rows = {.count = count, .texts = lines};
    memset(t, 0, sizeof *t);
    assert_int_equal(llmc_tokenizer_create(&t->tokenizer, pieces, strlen(pieces), &rules, "test"), LLMC_OK);
    assert_int_equal(llmc_tokenizer_size(t->tokenizer), TOTAL);
    assert_int_equal(llmc_dataset_encode(&t->dataset, &rows, t->tokenizer, 32), LLMC_OK);
    t->source = llmc_dataset_source(&t->dataset);
    assert_int_equal(llmc_pieces_count_words(&t->words, &t->source, t->tokenizer, NULL), LLMC_OK);
}

static void close_texts(struct texts *t)
{
    llmc_pieces_words_release(&t->words);
    llmc_dataset_release(&t->dataset);
    llmc_tokenizer_free(t->tokenizer);
}

static bool keeps(const struct llmc_pieces_choice *choice, int32_t id)
{
    for (int32_t i = 0; i < choice->count; i++)
        if (choice->kept[i] == id)
            return true;
    return false;
}

static char *lines[] = {"abc abc abc", "ab ab! nothing", "abbc A", "acz"};

static void test_words(void **state)
{
    struct texts t;
    (void)state;
    open_texts(&t, lines, 4);
    assert_int_equal(t.words.count, 6); /* abc ab ! abbc a acz */
    assert_int_equal(t.words.words[0].count, 3);
    assert_int_equal(t.words.words[1].count, 2);
    assert_int_equal(t.words.unknown, 1);
    assert_int_equal(t.words.tokens, 4 * 2 + 3 + (1 + 1 + 1 + 1) + (2 + 1) + 2);
    assert_int_equal(t.words.pieces, t.words.tokens - 4 * 2 - 1);
    close_texts(&t);
}

static void test_budgets(void **state)
{
    struct texts t;
    struct llmc_pieces_choice choice;
    int64_t least, least_bytes;
    (void)state;
    open_texts(&t, lines, 4);
    assert_int_equal(llmc_pieces_least(t.tokenizer, 10, &least, &least_bytes), LLMC_OK);
    assert_int_equal(least, 12); /* 5 special, 6 characters, ##cz */
    assert_int_equal(least_bytes, 12 * 10 + 4 * 6 + 7 + 3 * 2 + 3 * 4 + 5);
    /* abc is in 3 texts' words, ab in 3 (ab, ab, abbc), ##bc in 1. */
    struct llmc_pieces_budget budget = {.pieces = 14};
    assert_int_equal(llmc_pieces_choose(&choice, t.tokenizer, &t.words, &budget), LLMC_OK);
    assert_int_equal(choice.count, 14);
    assert_true(keeps(&choice, ABC) && keeps(&choice, AB) && keeps(&choice, CZ));
    assert_false(keeps(&choice, BC) || keeps(&choice, FIRST_AB) || keeps(&choice, BANG) || keeps(&choice, UPPER));
    assert_false(keeps(&choice, UNUSED) || keeps(&choice, B_BANG));
    assert_false(keeps(&choice, IDEOGRAPH) || keeps(&choice, BESIDE_IDEOGRAPH));
    assert_int_equal(choice.tokens, 3 + 2 + 1 + 3 + 1 + 2); /* abbc: ab ##b ##c */
    llmc_pieces_choice_release(&choice);

    budget = (struct llmc_pieces_budget){.count_min = 2};
    assert_int_equal(llmc_pieces_choose(&choice, t.tokenizer, &t.words, &budget), LLMC_OK);
    assert_int_equal(choice.count, 14);
    llmc_pieces_choice_release(&choice);
    budget.count_min = 4; /* abc goes first of equals: its words fall on ab, which then is often enough */
    assert_int_equal(llmc_pieces_choose(&choice, t.tokenizer, &t.words, &budget), LLMC_OK);
    assert_true(!keeps(&choice, ABC) && !keeps(&choice, BC));
    llmc_pieces_choice_release(&choice);

    budget = (struct llmc_pieces_budget){.bytes = least_bytes + 10 + 4, .row_nbytes = 10};
    assert_int_equal(llmc_pieces_choose(&choice, t.tokenizer, &t.words, &budget), LLMC_OK);
    assert_int_equal(choice.count, 13);
    llmc_pieces_choice_release(&choice);

    budget = (struct llmc_pieces_budget){.pieces = 11};
    assert_int_equal(llmc_pieces_choose(&choice, t.tokenizer, &t.words, &budget), LLMC_ERR_CONFIG);
    assert_non_null(strstr(llmc_error_message(), "pieces is 11; allowed are 12 and more"));
    assert_null(choice.kept);
    budget = (struct llmc_pieces_budget){.bytes = least_bytes - 1, .row_nbytes = 10};
    assert_int_equal(llmc_pieces_choose(&choice, t.tokenizer, &t.words, &budget), LLMC_ERR_CONFIG);
    assert_non_null(strstr(llmc_error_message(), "bytes is"));
    close_texts(&t);
}

/* A text by the smaller pieces, also one that begins in the middle of a word, and texts cut anew. */
static void test_joined(void **state)
{
    struct texts t;
    struct llmc_pieces_choice choice;
    struct llmc_tokenizer *smaller;
    struct llmc_text_source joined;
    struct llmc_batch batch = {0};
    int64_t rows[] = {1, 2, 4};
    (void)state;
    open_texts(&t, lines, 4);
    const struct llmc_pieces_budget budget = {.pieces = 12};
    assert_int_equal(llmc_pieces_choose(&choice, t.tokenizer, &t.words, &budget), LLMC_OK);
    assert_int_equal(llmc_pieces_tokenizer(&smaller, t.tokenizer, &choice), LLMC_OK);
    assert_int_equal(llmc_joined_source(&joined, &t.source, t.tokenizer, smaller, 7), LLMC_OK);
    assert_int_equal(joined.count, 4);
    assert_int_equal(llmc_batch_gather(&batch, &joined, rows, 2), LLMC_OK);
    /* [CLS] a ##b a ##b ! (no room) [SEP]; [CLS] a ##b ##b ##c a [SEP] */
    const int32_t expected[] = {2, 5, 9, 5, 9, 7, 3, 2, 5, 9, 9, 10, 5, 3};
    assert_int_equal(batch.tokens, 14);
    assert_memory_equal(batch.ids, expected, sizeof expected);
    assert_int_equal(llmc_batch_gather(&batch, &joined, rows + 2, 1), LLMC_ERR_ARGUMENT);
    llmc_text_source_close(&joined);

    const int32_t odd[] = {BC, ABC, 4, CZ, 1, 3};
    struct llmc_joined word;
    llmc_joined_next(&word, t.tokenizer, odd, 6, 0);
    assert_true(!word.first && word.end == 1 && word.nbytes == 2 && memcmp(word.bytes, "bc", 2) == 0);
    llmc_joined_next(&word, t.tokenizer, odd, 6, 2);
    assert_true(word.special && word.end == 3);
    llmc_joined_next(&word, t.tokenizer, odd, 6, 3);
    assert_true(!word.special && !word.first && word.end == 4);
    llmc_tokenizer_free(smaller);
    llmc_pieces_choice_release(&choice);
    llmc_batch_release(&batch);
    close_texts(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
