/*
 * Reading the files of a Hugging Face folder: what is accepted, and a clear
 * refusal of everything that would give other ids.
 */
#include "base/file.h"
#include "base/memory.h"
#include "text/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define VOCABULARY "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n"

/* A whole tokenizer.json; the parts of test cases replace one another by name. */
struct parts {
    const char *model, *vocabulary, *normalizer, *pre_tokenizer, *post_processor, *added;
};

static const struct parts good = {
    .model = "\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
             "\"max_input_chars_per_word\":100",
    .vocabulary = "{\"[PAD]\":0,\"a\":5,\"[UNK]\":1,\"##b\":6,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4}",
    .normalizer = "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
                  "\"strip_accents\":null,\"lowercase\":true}",
    .pre_tokenizer = "{\"type\":\"BertPreTokenizer\"}",
    .post_processor = "{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]}",
    .added = "[{\"id\":3,\"content\":\"[SEP]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
             "\"normalized\":false,\"special\":true}]",
};

static char folder[] = "/tmp/llmc-test-XXXXXX";

static void write_file(const char *name, const char *content)
{
    char *path;
    assert_int_equal(llmc_path_join(&path, folder, name), LLMC_OK);
    assert_int_equal(llmc_file_write(path, content, strlen(content)), LLMC_OK);
    free(path);
}

static void write_json(const struct parts *parts)
{
    char *content;
    assert_int_equal(llmc_format(&content,
                                 "{\"version\":\"1.0\",\"truncation\":{\"max_length\":3},\"added_tokens\":%s,"
                                 "\"normalizer\":%s,\"pre_tokenizer\":%s,\"post_processor\":%s,"
                                 "\"model\":{%s,\"vocab\":%s}}",
                                 parts->added, parts->normalizer, parts->pre_tokenizer, parts->post_processor,
                                 parts->model, parts->vocabulary),
                     LLMC_OK);
    write_file("tokenizer.json", content);
    free(content);
}

static int clean_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json", "vocab.txt"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path;
        assert_int_equal(llmc_path_join(&path, folder, names[i]), LLMC_OK);
        unlink(path);
        free(path);
    }
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void expect_error(llmc_status expected, const char *message)
{
    struct llmc_tokenizer *tokenizer;
    assert_int_equal(llmc_tokenizer_load(&tokenizer, folder), expected);
    assert_null(tokenizer);
    if (!strstr(llmc_error_message(), message))
        fail_msg("\"%s\" does not hold \"%s\"", llmc_error_message(), message);
    assert_non_null(strstr(llmc_error_message(), folder));
}

/* Loads and checks the rules: lowercase, strip_accents, split_chinese, clean as four digits. */
static void expect_rules(const char *expected)
{
    struct llmc_tokenizer *tokenizer;
    size_t nbytes;
    char found[5];
    if (llmc_tokenizer_load(&tokenizer, folder) != LLMC_OK)
        fail_msg("%s", llmc_error_message());
    struct llmc_tokenizer_rules rules = llmc_tokenizer_get_rules(tokenizer);
    snprintf(found, sizeof found, "%d%d%d%d", rules.lowercase, rules.strip_accents, rules.split_chinese, rules.clean);
    assert_string_equal(found, expected);
    const char *vocabulary = llmc_tokenizer_vocabulary(tokenizer, &nbytes);
    assert_int_equal(nbytes, strlen(VOCABULARY));
    assert_memory_equal(vocabulary, VOCABULARY, nbytes);
    llmc_tokenizer_free(tokenizer);
}

static void test_json(void **state)
{
    (void)state;
    write_json(&good);
    expect_rules("1111");
    struct parts parts = good;
    parts.normalizer = "{\"type\":\"BertNormalizer\",\"clean_text\":false,\"handle_chinese_chars\":false,"
                       "\"strip_accents\":null,\"lowercase\":false}";
    write_json(&parts);
    expect_rules("0000");
    parts.normalizer = "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
                       "\"strip_accents\":false,\"lowercase\":true}";
    write_json(&parts);
    expect_rules("1011");
}

static void test_json_of_an_early_release(void **state)
{
    (void)state;
    struct parts parts = good;
    parts.model = "\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100";
    write_json(&parts);
    expect_rules("1111");
}

static void test_json_with_a_template(void **state)
{
    (void)state;
    struct parts parts = good;
    parts.post_processor =
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},"
        "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}}],"
        "\"pair\":[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
        "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}},"
        "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":1}}]}";
    write_json(&parts);
    expect_rules("1111");
    parts.post_processor = "{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]}";
    write_json(&parts);
    expect_error(LLMC_ERR_UNSUPPORTED, "post_processor.single is \"A:0\"");
}

static void test_other_tokenizers_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct parts parts; /* the one that is set replaces the good one */
        llmc_status status;
        const char *message;
    } cases[] = {
        {{.model = "\"type\":\"BPE\""}, LLMC_ERR_UNSUPPORTED, "model.type is \"BPE\""},
        {{.model = "\"type\":\"WordPiece\",\"unk_token\":\"<unk>\""}, LLMC_ERR_UNSUPPORTED, "model.unk_token"},
        {{.model = "\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"@@\""},
         LLMC_ERR_UNSUPPORTED,
         "continuing_subword_prefix is \"@@\""},
        {{.model = "\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":200"},
         LLMC_ERR_UNSUPPORTED,
         "max_input_chars_per_word must be the number 100"},
        {{.model = "\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":\"100\""},
         LLMC_ERR_UNSUPPORTED,
         "max_input_chars_per_word must be the number 100"},
        {{.normalizer = "null"}, LLMC_ERR_UNSUPPORTED, "normalizer.type is \"nothing\""},
        {{.normalizer = "{\"type\":\"NFC\"}"}, LLMC_ERR_UNSUPPORTED, "normalizer.type is \"NFC\""},
        {{.normalizer = "{\"type\":\"BertNormalizer\",\"lowercase\":1}"}, LLMC_ERR_FORMAT, "lowercase"},
        {{.pre_tokenizer = "{\"type\":\"Whitespace\"}"}, LLMC_ERR_UNSUPPORTED, "pre_tokenizer.type"},
        {{.post_processor = "null"}, LLMC_ERR_UNSUPPORTED, "post_processor.type"},
        {{.post_processor = "{\"type\":\"BertProcessing\",\"sep\":[\"</s>\",3],\"cls\":[\"<s>\",2]}"},
         LLMC_ERR_UNSUPPORTED,
         "<s> and </s>"},
        {{.added = "[{\"id\":5,\"content\":\"a\"}]"}, LLMC_ERR_UNSUPPORTED, "added_tokens has \"a\""},
        {{.added = "[{\"id\":4,\"content\":\"[MASK]\",\"lstrip\":true}]"}, LLMC_ERR_UNSUPPORTED, "\"lstrip\": true"},
        {{.added = "[{\"id\":5,\"content\":\"[MASK]\"}]"}, LLMC_ERR_FORMAT, "[MASK] has another id"},
        {{.added = "[17]"}, LLMC_ERR_UNSUPPORTED, "added_tokens has \"nothing\""},
        {{.vocabulary = "[]"}, LLMC_ERR_FORMAT, "model.vocab is missing or not an object"},
        {{.vocabulary = "{}", .added = "[]"}, LLMC_ERR_FORMAT, "the vocabulary is empty"},
        {{.vocabulary = "{\"a\":0,\"b\":2}", .added = "[]"},
         LLMC_ERR_FORMAT,
         "model.vocab[\"b\"] is not an id from 0 to 1"},
        {{.vocabulary = "{\"a\":-1}", .added = "[]"}, LLMC_ERR_FORMAT, "model.vocab[\"a\"]"},
        {{.vocabulary = "{\"a\":\"0\"}", .added = "[]"}, LLMC_ERR_FORMAT, "model.vocab[\"a\"]"},
        {{.vocabulary = "{\"a\":0,\"b\":0}", .added = "[]"}, LLMC_ERR_FORMAT, "gives the id 0 to"},
        {{.vocabulary = "{\"a\\nb\":0}", .added = "[]"}, LLMC_ERR_UNSUPPORTED, "holds a line end"},
        {{.vocabulary = "{\"a\":0}", .added = "[]"}, LLMC_ERR_FORMAT, "no [PAD]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct parts parts = good;
        parts.model = cases[i].parts.model ? cases[i].parts.model : good.model;
        parts.vocabulary = cases[i].parts.vocabulary ? cases[i].parts.vocabulary : good.vocabulary;
        parts.normalizer = cases[i].parts.normalizer ? cases[i].parts.normalizer : good.normalizer;
        parts.pre_tokenizer = cases[i].parts.pre_tokenizer ? cases[i].parts.pre_tokenizer : good.pre_tokenizer;
        parts.post_processor = cases[i].parts.post_processor ? cases[i].parts.post_processor : good.post_processor;
        parts.added = cases[i].parts.added ? cases[i].parts.added : good.added;
        write_json(&parts);
        expect_error(cases[i].status, cases[i].message);
    }
}

static void test_broken_json(void **state)
{
    (void)state;
    write_file("tokenizer.json", "{\n \"model\": ");
    expect_error(LLMC_ERR_FORMAT, "tokenizer.json:2:");
    write_file("tokenizer.json", "[1, 2]");
    expect_error(LLMC_ERR_FORMAT, "not a JSON object");
    write_file("tokenizer.json", "{}");
    expect_error(LLMC_ERR_UNSUPPORTED, "model.unk_token");
    write_file("tokenizer.json", "");
    expect_error(LLMC_ERR_FORMAT, "tokenizer.json:1:");
}

static void test_contradicting_files_are_refused(void **state)
{
    (void)state;
    write_json(&good);
    write_file("tokenizer_config.json", "{\"do_lower_case\": true, \"tokenize_chinese_chars\": true}");
    expect_rules("1111");
    write_file("tokenizer_config.json", "{\"do_lower_case\": false}");
    expect_error(LLMC_ERR_UNSUPPORTED, "do_lower_case: false");
    write_file("tokenizer_config.json", "{\"strip_accents\": false}");
    expect_error(LLMC_ERR_UNSUPPORTED, "strip_accents: false");
    write_file("tokenizer_config.json", "{\"tokenize_chinese_chars\": false}");
    expect_error(LLMC_ERR_UNSUPPORTED, "normalizer.handle_chinese_chars: true");
    write_file("tokenizer_config.json", "{");
    expect_error(LLMC_ERR_FORMAT, "tokenizer_config.json:1:");
}

static void test_vocabulary(void **state)
{
    (void)state;
    write_file("vocab.txt", VOCABULARY);
    expect_rules("1111");
    write_file("tokenizer_config.json", "{\"do_lower_case\": false}");
    expect_rules("0011");
    write_file("tokenizer_config.json",
               "{\"strip_accents\": false, \"tokenize_chinese_chars\": false,"
               " \"unk_token\": {\"content\": \"[UNK]\"}}");
    expect_rules("1001");
    write_file("tokenizer_config.json", "{\"unk_token\": \"<unk>\"}");
    expect_error(LLMC_ERR_UNSUPPORTED, "unk_token is \"<unk>\"");
    write_file("tokenizer_config.json", "{\"do_lower_case\": \"no\"}");
    expect_error(LLMC_ERR_FORMAT, "do_lower_case");
}

static void test_vocabulary_line_ends(void **state)
{
    (void)state;
    write_file("vocab.txt", "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\na\r\n##b\r\n");
    expect_rules("1111");
    write_file("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b");
    expect_rules("1111");
}

static void test_bad_vocabulary(void **state)
{
    (void)state;
    write_file("vocab.txt", "");
    expect_error(LLMC_ERR_FORMAT, "vocab.txt: the vocabulary is empty");
    write_file("vocab.txt", "[PAD]\n[UNK]\n");
    expect_error(LLMC_ERR_FORMAT, "vocab.txt: the vocabulary has no [CLS]");
    write_file("vocab.txt", "[PAD]\n\xFF\n");
    expect_error(LLMC_ERR_FORMAT, "not UTF-8");
}

static void test_empty_folder(void **state)
{
    (void)state;
    expect_error(LLMC_ERR_IO, "has neither tokenizer.json nor vocab.txt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_json, clean_folder),
        cmocka_unit_test_teardown(test_json_of_an_early_release, clean_folder),
        cmocka_unit_test_teardown(test_json_with_a_template, clean_folder),
        cmocka_unit_test_teardown(test_other_tokenizers_are_refused, clean_folder),
        cmocka_unit_test_teardown(test_broken_json, clean_folder),
        cmocka_unit_test_teardown(test_contradicting_files_are_refused, clean_folder),
        cmocka_unit_test_teardown(test_vocabulary, clean_folder),
        cmocka_unit_test_teardown(test_vocabulary_line_ends, clean_folder),
        cmocka_unit_test_teardown(test_bad_vocabulary, clean_folder),
        cmocka_unit_test_teardown(test_empty_folder, clean_folder),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
