/* Unlabelled texts: from every form of file to the ids that encoding them one by one gives; and files that are refused. */
#include "tests/base/test_support.h"

#include "text/unlabeled.h"

#include <zlib.h>

enum { TOKENS_MAX = 8, MANY = 20000 };
static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##c\n";
static const struct llmc_columns single = {.text = "sentence", .label = "label"};
static const struct llmc_columns pairs = {.text = "first", .text_pair = "second", .label = "label"};

static struct llmc_tokenizer *tokenizer;

static int open_tokenizer(void **state)
{
    const struct llmc_tokenizer_rules rules = {.lowercase = true};
    return make_test_folder(state) ||
           llmc_tokenizer_create(&tokenizer, vocabulary, sizeof vocabulary - 1, &rules, "test") != LLMC_OK;
}

static int close_tokenizer(void **state)
{
    llmc_tokenizer_free(tokenizer);
    return remove_test_folder(state);
}

static const char *write_file(const char *name, const char *text)
{
    const char *path = test_path(name);
    gzFile file = gzopen(path, strstr(name, ".gz") ? "wb" : "wbT");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), strlen(text));
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

/* Checks the spool's texts against `expected`, a space between tokens and a line a text. */
static void check_texts(struct llmc_spool *spool, const char *expected)
{
    struct llmc_text_source texts = llmc_spool_source(spool);
    struct llmc_batch batch = {0};
    char got[1024] = "";
    for (int64_t row = texts.count - 1; row >= 0; row--) { /* any order will do */
        char line[128] = "", rest[1024];
        assert_ok(llmc_batch_gather(&batch, &texts, &row, 1));
        assert_int_equal(batch.label[0], -1);
        for (int32_t i = 0; i < batch.tokens; i++)
            snprintf(line + strlen(line), sizeof line - strlen(line), "%d/%d ", batch.ids[i], batch.types[i]);
        snprintf(rest, sizeof rest, "%s", got);
        snprintf(got, sizeof got, "%.120s\n%.800s", line, rest);
    }
    assert_string_equal(got, expected);
    llmc_batch_release(&batch);
}

static void test_files(void **state)
{
    struct llmc_spool *spool;
    (void)state;
    assert_ok(llmc_spool_create(&spool, test_folder));
    assert_ok(llmc_unlabeled_read(spool, write_file("plain.txt", "\xEF\xBB\xBF" "a b\r\n\nA\tb"), &single, tokenizer, TOKENS_MAX));
    assert_ok(llmc_unlabeled_read(spool, write_file("packed.gz", "bc\n"), &single, tokenizer, TOKENS_MAX));
    assert_ok(llmc_unlabeled_read(spool, write_file("columns.tsv", "id\tsentence\n1\tb\n"), &single, tokenizer, TOKENS_MAX));
    check_texts(spool, "2/0 5/0 6/0 3/0 \n2/0 5/0 6/0 3/0 \n2/0 6/0 7/0 3/0 \n2/0 6/0 3/0 \n");
    llmc_spool_free(spool);

    assert_ok(llmc_spool_create(&spool, test_folder));
    assert_ok(llmc_unlabeled_read(spool, write_file("pairs.tsv.gz", "second\tfirst\na\tb\n"), &pairs, tokenizer, TOKENS_MAX));
    check_texts(spool, "2/0 6/0 3/0 5/1 3/1 \n");
    llmc_spool_free(spool);
}

static void test_many(void **state)
{
    struct llmc_spool *spool;
    struct llmc_batch batch = {0};
    char *text = calloc(MANY, 8);
    (void)state;
    for (int i = 0; i < MANY; i++)
        strcat(text + 3 * (size_t)i, i % 3 == 0 ? "a \n" : i % 3 == 1 ? "bb\n" : "bc\n");
    assert_ok(llmc_spool_create(&spool, test_folder));
    assert_ok(llmc_unlabeled_read(spool, write_file("many.txt", text), &single, tokenizer, TOKENS_MAX));
    struct llmc_text_source texts = llmc_spool_source(spool);
    assert_int_equal(texts.count, MANY);
    for (int64_t row = MANY - 1; row >= 0; row -= 7) {
        assert_ok(llmc_batch_gather(&batch, &texts, &row, 1));
        assert_int_equal(batch.ids[1], row % 3 == 0 ? 5 : row % 3 == 1 ? 1 : 6);
    }
    llmc_batch_release(&batch);
    llmc_spool_free(spool);
    free(text);
}

static void test_refused(void **state)
{
    struct llmc_spool *spool;
    (void)state;
    assert_ok(llmc_spool_create(&spool, test_folder));
#define REFUSED(name, text, columns, status, words) \
    assert_fails(llmc_unlabeled_read(spool, write_file(name, text), columns, tokenizer, TOKENS_MAX), status, words)
    REFUSED("latin.txt", "a\nb\nna\xEFve\n", &single, LLMC_ERR_DATA, "latin.txt:3: byte 3 of the line is not UTF-8");
    REFUSED("empty.txt", "", &single, LLMC_ERR_DATA, "empty.txt: no texts");
    REFUSED("blank.txt", "\n\n\n", &single, LLMC_ERR_DATA, "blank.txt: no texts");
    REFUSED("nothing.tsv", "", &single, LLMC_ERR_DATA, "must name the columns");
    REFUSED("header.tsv", "sentence\tid\n", &single, LLMC_ERR_DATA, "no texts");
    REFUSED("other.tsv", "text\tid\na\t1\n", &single, LLMC_ERR_DATA, "no column \"sentence\"; the columns are: text id");
    REFUSED("ragged.tsv", "sentence\tid\na\t1\nb\n", &single, LLMC_ERR_DATA, "ragged.tsv:3: 1 columns; the header has 2");
    REFUSED("one.tsv", "sentence\na\t1\n", &single, LLMC_ERR_DATA, "one.tsv:2: 2 columns; the header has 1");
    REFUSED("single.txt", "a\n", &pairs, LLMC_ERR_CONFIG, "makes no pairs; allowed are .tsv");
    REFUSED("pointer.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", &single, LLMC_ERR_FORMAT, "git-lfs");
    assert_fails(llmc_unlabeled_read(spool, test_path("nowhere"), &single, tokenizer, TOKENS_MAX), LLMC_ERR_IO, "nowhere");
    const char *path = write_file("cut.gz", "a\nb\nc\n");
    assert_int_equal(truncate(path, 15), 0);
    assert_fails(llmc_unlabeled_read(spool, path, &single, tokenizer, TOKENS_MAX), LLMC_ERR_DATA, "damaged gzip file");
    llmc_spool_free(spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}
