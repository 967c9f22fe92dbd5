/* Variants of texts: the same at any time, of whole words only, with special tokens and sides of pairs in their places. */
#include "tests/base/test_support.h"

#include "base/random.h"
#include "distill/variant.h"

#include <math.h>

enum { CLS = 2, SEP = 3, MASK = 4, WORDS_BEGIN = 5, TEXTS = 40, TOKENS_MAX = 16, VARIANTS = 4000 };
/* Words of letters 5 to 14, a comma 15, a two-piece word 16 17 and a three-piece word 18 19 19. */
static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\naa\nbb\ncc\ndd\nee\nff\ngg\nhh\nii\njj\n,\nun\n##do\nre\n##x\n";
enum { PIECES = 20, LAST_WORD = 14 };

static struct llmc_words words;
static struct llmc_dataset single, pairs;
static int32_t place[PIECES], neighbours[2 * LLMC_NEIGHBOURS];
static struct llmc_tokenizer *tokenizer;

static struct llmc_dataset make_texts(bool paired)
{
    static char buffers[2][2 * TEXTS][128];
    static char *firsts[TEXTS], *seconds[TEXTS];
    static const char *const spelled[] = {"aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh", "ii", "jj", ",", "undo", "rexx"};
    struct llmc_dataset out;
    int32_t label[TEXTS] = {0};
    for (uint32_t i = 0; i < 2 * TEXTS; i++) {
        char *at = buffers[paired][i];
        at[0] = 0;
        for (uint32_t w = 0; w < i % 7; w++) /* some are empty, some are cut to TOKENS_MAX */
            snprintf(at + strlen(at), 128 - strlen(at), "%s ", spelled[llmc_random_u32(i, w) % COUNT_OF(spelled)]);
        *(i % 2 ? &seconds[i / 2] : &firsts[i / 2]) = at;
    }
    const struct llmc_rows rows = {.count = TEXTS, .texts = firsts, .pairs = paired ? seconds : NULL, .label = label};
    assert_ok(llmc_dataset_encode(&out, &rows, tokenizer, TOKENS_MAX));
    return out;
}

static int open_texts(void **state)
{
    const struct llmc_tokenizer_rules rules = {.lowercase = true};
    (void)state;
    assert_ok(llmc_tokenizer_create(&tokenizer, vocabulary, sizeof vocabulary - 1, &rules, "test"));
    assert_ok(llmc_words_init(&words, tokenizer));
    single = make_texts(false);
    pairs = make_texts(true);
    memset(place, -1, sizeof place);
    memset(neighbours, -1, sizeof neighbours);
    place[5] = 0; /* aa: bb and cc; dd: jj */
    place[8] = 1;
    neighbours[0] = 6;
    neighbours[1] = 7;
    neighbours[LLMC_NEIGHBOURS] = 14;
    return 0;
}

static int close_texts(void **state)
{
    (void)state;
    llmc_dataset_release(&single);
    llmc_dataset_release(&pairs);
    llmc_words_release(&words);
    llmc_tokenizer_free(tokenizer);
    return 0;
}

static struct llmc_variants make(const struct llmc_dataset *texts, double masked, double replaced, double ngram, double joined)
{
    return (struct llmc_variants){.settings = {masked, replaced, ngram, joined}, .seed = 9, .texts = texts,
                                  .tokens_max = TOKENS_MAX, .words = &words, .place = place, .neighbours = neighbours};
}

static void test_words(void **state)
{
    int64_t counts[PIECES];
    (void)state;
    for (int32_t id = 0; id < PIECES; id++) {
        assert_int_equal(words.continues[id], id == 17 || id == 19);
        assert_int_equal(words.whole[id], (id >= WORDS_BEGIN && id <= LAST_WORD) || id == 16 || id == 18);
    }
    assert_int_equal(words.mask, MASK);
    llmc_words_count(&words, &single, counts);
    assert_true(counts[5] > 0 && counts[15] == 0 && counts[16] == 0 && counts[17] == 0);
}

/* Whether ids[0..count-1] is a word of the data's spelling, a mask or a word that may be a neighbour. */
static bool is_word(const int32_t *ids, int32_t count)
{
    if (count == 1)
        return (ids[0] >= MASK && ids[0] <= 15);
    return (count == 2 && ids[0] == 16 && ids[1] == 17) || (count == 3 && ids[0] == 18 && ids[1] == 19 && ids[2] == 19);
}

/* A text that the tokenizer cut may end within a word. */
static bool may_be_cut(const int32_t *ids)
{
    return ids[0] == 16 || ids[0] == 18;
}

static void check_form(const struct llmc_batch *batch, bool paired)
{
    int32_t separators = 0;
    assert_true(batch->tokens <= TOKENS_MAX);
    assert_int_equal(batch->ids[0], CLS);
    assert_int_equal(batch->ids[batch->tokens - 1], SEP);
    assert_int_equal(batch->label[0], -1);
    for (int32_t i = 1; i < batch->tokens; i++) {
        assert_int_equal(batch->types[i], separators);
        if (batch->ids[i] == SEP) {
            separators++;
            continue;
        }
        int32_t length = llmc_word_end(&words, batch->ids + i, batch->tokens - i);
        assert_true(is_word(batch->ids + i, length) || may_be_cut(batch->ids + i));
        for (int32_t j = 1; j < length; j++)
            assert_int_equal(batch->types[i + j], separators);
        i += length - 1;
    }
    assert_int_equal(separators, 1 + paired);
}

static void test_form(void **state)
{
    struct llmc_batch batch = {0}, again = {0};
    (void)state;
    for (int paired = 0; paired < 2; paired++) {
        const struct llmc_variants variants = make(paired ? &pairs : &single, 0.2, 0.3, 0.3, 0.3);
        int different = 0;
        assert_ok(llmc_batch_begin(&again, 0));
        for (int64_t i = 0; i < VARIANTS; i++)
            assert_ok(llmc_variant_add(&variants, i % TEXTS, i, i, &again));
        for (int64_t i = VARIANTS - 1; i >= 0; i -= 3) { /* in another order they are the same */
            assert_ok(llmc_batch_begin(&batch, 0));
            assert_ok(llmc_variant_add(&variants, i % TEXTS, i, i, &batch));
            check_form(&batch, paired);
            int32_t begin = again.offsets[i];
            assert_int_equal(batch.tokens, again.offsets[i + 1] - begin);
            assert_memory_equal(batch.ids, again.ids + begin, (size_t)batch.tokens * sizeof *batch.ids);
            assert_memory_equal(batch.types, again.types + begin, (size_t)batch.tokens);
            int64_t text = i % TEXTS, start = variants.texts->offsets[text];
            int64_t tokens = variants.texts->offsets[text + 1] - start;
            different += tokens != batch.tokens ||
                         memcmp(batch.ids, variants.texts->ids + start, (size_t)tokens * sizeof *batch.ids) != 0;
        }
        assert_true(different > VARIANTS / 3 * 7 / 10);
    }
    llmc_batch_release(&batch);
    llmc_batch_release(&again);
}

/* Each change alone, certain or absent. */
static void test_changes(void **state)
{
    struct llmc_batch batch = {0};
    (void)state;
    for (int64_t i = 0; i < VARIANTS; i++) {
        int64_t text = i % TEXTS, start = single.offsets[text], length = single.offsets[text + 1] - start;
        const int32_t *ids = single.ids + start;
        struct llmc_variants variants = make(&single, 0, 0, 0, 0);
        assert_ok(llmc_batch_begin(&batch, 0));
        assert_ok(llmc_variant_add(&variants, text, i, i, &batch));
        assert_int_equal(batch.tokens, length);
        assert_memory_equal(batch.ids, ids, (size_t)length * sizeof *ids);

        variants = make(&single, 1, 0, 0, 0);
        assert_ok(llmc_batch_begin(&batch, 0));
        assert_ok(llmc_variant_add(&variants, text, i, i, &batch));
        for (int32_t t = 1; t < batch.tokens - 1; t++)
            assert_int_equal(batch.ids[t], MASK);

        variants = make(&single, 0.01, 0, 0, 0); /* what is absent does not stand in for what happens rarely */
        assert_ok(llmc_batch_begin(&batch, 0));
        assert_ok(llmc_variant_add(&variants, text, i, i, &batch));
        for (int32_t t = 0; t < batch.tokens; t++)
            assert_true(batch.ids[t] == MASK || batch.tokens < length || batch.ids[t] == ids[t]);

        variants = make(&single, 0, 1, 0, 0);
        assert_ok(llmc_batch_begin(&batch, 0));
        assert_ok(llmc_variant_add(&variants, text, i, i, &batch));
        bool any = false;
        for (int32_t t = 0; t < length; t++)
            any = any || place[ids[t]] >= 0;
        for (int32_t t = 0; any && t < length; t++)
            assert_true(place[ids[t]] < 0 ? batch.ids[t] == ids[t]
                        : ids[t] == 5     ? batch.ids[t] == 6 || batch.ids[t] == 7
                                          : batch.ids[t] == 14);

        variants = make(&single, 0, 0, 1, 0);
        assert_ok(llmc_batch_begin(&batch, 0));
        assert_ok(llmc_variant_add(&variants, text, i, i, &batch));
        bool found = batch.tokens == 2;
        for (int64_t at = 1; !found && at + batch.tokens - 2 < length; at++)
            found = memcmp(ids + at, batch.ids + 1, (size_t)(batch.tokens - 2) * sizeof *ids) == 0;
        assert_true(found);

        variants = make(&single, 0, 0, 0, 1);
        assert_ok(llmc_batch_begin(&batch, 0));
        assert_ok(llmc_variant_add(&variants, text, i, i, &batch));
        assert_true(length == 2 || batch.ids[1] == ids[1]); /* begins as its text does */
    }
    llmc_batch_release(&batch);
}

/* A text has as many variants as its tokens' share of them, to one more or less. */
static void test_shares(void **state)
{
    const int64_t counts[] = {1, 7, VARIANTS, INT64_C(3000000000)};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        int64_t found[TEXTS] = {0};
        for (int64_t row = 0, before = 0; row < counts[i]; row++) {
            int64_t text = llmc_variant_text(&single, row, counts[i]);
            assert_in_range(text, before, TEXTS - 1);
            found[before = text]++;
        }
        for (int64_t text = 0; text < TEXTS; text++) {
            double share = (double)(single.offsets[text + 1] - single.offsets[text]) / (double)single.offsets[TEXTS];
            assert_true(fabs((double)found[text] - share * (double)counts[i]) <= 1);
        }
    }
    assert_int_equal(llmc_variant_text(&single, 0, counts[3]), 0);
    assert_int_equal(llmc_variant_text(&single, counts[3] - 1, counts[3]), TEXTS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_form),
                                       cmocka_unit_test(test_changes), cmocka_unit_test(test_shares)};
    return cmocka_run_group_tests(tests, open_texts, close_texts);
}
