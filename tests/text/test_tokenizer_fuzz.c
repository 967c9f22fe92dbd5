/*
 * Random texts and random vocabularies: no crash, every id in range, every count
 * as promised. Worth most in a build with LLMC_SANITIZE, which sees reads behind
 * the end: texts and results stand in blocks of exactly their size.
 */
#include "text/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 30000

static uint64_t seed = 20240229;

/* xorshift64: the same numbers on every run */
static uint32_t pick(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

/* Pieces of text that reach the corners of the code more often than random bytes do. */
static const char *const fragments[] = {
    "a", "B", " ", ",", "[", "]", "[SEP]", "[CLS]", "[MASK]", "[PAD]", "[UNK]", "##", "\n", "\t", "\xC3\xA9",
    "\xCC\x81", "\xCC\xA3", "\xE3\x80\xAE", "\xF0\x9D\x85\xA5", "\xE4\xB8\xAD", "\xED\x95\x9C", "\xF0\x9F\x98\x80",
    "\xC4\xB0", "\xE1\xBE\x82", "\xE2\x80\x8B", "\xEF\xBF\xBD", "\xC3", "\xE4\xB8", "\xF0\x9F", "\x80", "\xFF", "\x01",
};

static char *random_text(size_t *nbytes)
{
    size_t capacity = 1 + pick(pick(20) ? 60 : 3000), kind = pick(3);
    char *text = malloc(capacity);
    assert_non_null(text);
    *nbytes = 0;
    while (*nbytes < capacity) {
        char random = (char)pick(256);
        const char *part = kind == 0 || pick(8) == 0 ? &random : fragments[pick(sizeof fragments / sizeof *fragments)];
        size_t length = part == &random ? 1 : strlen(part);
        if (*nbytes + length > capacity)
            break;
        memcpy(text + *nbytes, part, length);
        *nbytes += length;
    }
    char *exact = realloc(text, *nbytes ? *nbytes : 1);
    assert_non_null(exact);
    return exact;
}

static struct llmc_tokenizer *random_tokenizer(void)
{
    static const char special[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    struct llmc_tokenizer_rules rules = {pick(2), pick(2), pick(2), pick(2)};
    struct llmc_tokenizer *tokenizer;
    char vocabulary[8192];
    size_t nbytes = sizeof special - 1;
    memcpy(vocabulary, special, nbytes);
    for (uint32_t count = pick(200); count > 0; count--) {
        for (uint32_t parts = pick(5); parts > 0; parts--) {
            const char *part = fragments[pick(26)]; /* those that are UTF-8 */
            memcpy(vocabulary + nbytes, part, strlen(part));
            nbytes += strlen(part);
        }
        vocabulary[nbytes++] = '\n';
    }
    assert_int_equal(llmc_tokenizer_create(&tokenizer, vocabulary, nbytes, &rules, "random"), LLMC_OK);
    return tokenizer;
}

static void test_random_texts(void **state)
{
    (void)state;
    struct llmc_tokenizer *tokenizer = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 100 == 0) {
            llmc_tokenizer_free(tokenizer);
            tokenizer = random_tokenizer();
        }
        size_t text_nbytes, pair_nbytes = 0;
        char *text = random_text(&text_nbytes);
        char *pair = pick(2) ? random_text(&pair_nbytes) : NULL;
        int32_t tokens_max = 4 + (int32_t)pick(pick(2) ? 12 : 600), count = -1;
        int32_t *ids = malloc((size_t)tokens_max * sizeof *ids);
        uint8_t *types = pick(4) ? malloc((size_t)tokens_max) : NULL;
        assert_non_null(ids);
        assert_int_equal(llmc_tokenizer_encode(tokenizer, text, text_nbytes, pair, pair_nbytes, tokens_max, ids, types,
                                               &count),
                         LLMC_OK);
        assert_in_range(count, pair ? 3 : 2, tokens_max);
        for (int32_t i = 0; i < count; i++) {
            assert_true(ids[i] >= 0 && ids[i] < llmc_tokenizer_size(tokenizer));
            assert_true(!types || types[i] <= (pair != NULL));
        }
        free(text);
        free(pair);
        free(ids);
        free(types);
    }
    llmc_tokenizer_free(tokenizer);
}

/* Random bytes are refused or make a tokenizer, and never more than that. */
static void test_random_vocabularies(void **state)
{
    (void)state;
    const struct llmc_tokenizer_rules rules = {true, true, true, true};
    for (int round = 0; round < ROUNDS; round++) {
        size_t nbytes;
        char *bytes = random_text(&nbytes);
        struct llmc_tokenizer *tokenizer;
        if (nbytes && pick(2))
            bytes[nbytes - 1] = '\n';
        if (llmc_tokenizer_create(&tokenizer, bytes, nbytes, &rules, "random") != LLMC_OK)
            assert_null(tokenizer);
        llmc_tokenizer_free(tokenizer);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_random_vocabularies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
