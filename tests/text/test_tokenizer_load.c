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
    static const char *const names[] = {"tokenizer.json",          "tokenizer_config.json", "vocab.txt",
                                        "special_tokens_map.json", "added_tokens.json",     "config.json"};
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
    write_file("tokenizer_config.json", "{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}"); /* tokenizer.json alone */
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
        "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":1}}],"
        "\"special_tokens\":{\"[CLS]\":{\"id\":\"[CLS]\",\"ids\":[2],\"tokens\":[\"[CLS]\"]},"
        "\"[SEP]\":{\"id\":\"[SEP]\",\"ids\":[3],\"tokens\":[\"[SEP]\"]}}}";
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
        {{.model = "\"type\":\"BPE\",\"merges\":[]"}, LLMC_ERR_UNSUPPORTED, "model.type is \"BPE\""},
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
         "uses <s>; only [CLS] is supported"},
        {{.post_processor = "{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",4],\"cls\":[\"[CLS]\",2]}"},
         LLMC_ERR_FORMAT,
         "post_processor has another id for [SEP]"},
        {{.model = "\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"fuse_unk\":true"},
         LLMC_ERR_UNSUPPORTED,
         "does not know the field \"model.fuse_unk\""},
        {{.normalizer = "{\"type\":\"BertNormalizer\",\"lower\":true}"}, LLMC_ERR_UNSUPPORTED, "\"normalizer.lower\""},
        {{.normalizer = "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"BertNormalizer\"}]}"},
         LLMC_ERR_UNSUPPORTED,
         "normalizer.type is \"Sequence\""},
        {{.normalizer = "{\"type\":\"BertNormalizer\",\"lowercase\":false}"},
         LLMC_ERR_UNSUPPORTED,
         "does not say do_lower_case: true, which transformers then takes, but "},
        {{.normalizer = "{\"type\":\"BertNormalizer\",\"clean_text\":false}"}, LLMC_ERR_UNSUPPORTED, "clean_text: false"},
        {{.added = "[{\"id\":5,\"content\":\"a\"}]"}, LLMC_ERR_UNSUPPORTED, "added_tokens has \"a\""},
        {{.added = "[{\"id\":4,\"content\":\"[MASK]\",\"lstrip\":true}]"}, LLMC_ERR_UNSUPPORTED, "\"lstrip\": true"},
        {{.added = "[{\"id\":5,\"content\":\"[MASK]\"}]"}, LLMC_ERR_FORMAT, "[MASK] has another id"},
        {{.added = "[17]"}, LLMC_ERR_UNSUPPORTED, "added_tokens has \"nothing\""},
        {{.vocabulary = "[]"}, LLMC_ERR_FORMAT, "model.vocab is missing or not an object"},
        {{.vocabulary = "{}", .added = "[]"}, LLMC_ERR_FORMAT, "another id for [CLS] than model.vocab"},
        {{.vocabulary = "{\"[CLS]\":2,\"[SEP]\":3,\"x\":1,\"a\":0,\"b\":5}", .added = "[]"},
         LLMC_ERR_FORMAT,
         "model.vocab[\"b\"] is not an id from 0 to 4"},
        {{.vocabulary = "{\"[CLS]\":2,\"[SEP]\":3,\"x\":1,\"a\":-1}", .added = "[]"}, LLMC_ERR_FORMAT, "model.vocab[\"a\"]"},
        {{.vocabulary = "{\"[CLS]\":2,\"[SEP]\":3,\"x\":1,\"a\":\"0\"}", .added = "[]"}, LLMC_ERR_FORMAT, "model.vocab[\"a\"]"},
        {{.vocabulary = "{\"[CLS]\":2,\"[SEP]\":3,\"x\":1,\"a\":0,\"b\":0}", .added = "[]"}, LLMC_ERR_FORMAT, "gives the id 0 to"},
        {{.vocabulary = "{\"[CLS]\":2,\"[SEP]\":3,\"x\":1,\"a\\nb\":0}", .added = "[]"}, LLMC_ERR_UNSUPPORTED, "holds a line end"},
        {{.vocabulary = "{\"[CLS]\":2,\"[SEP]\":3,\"x\":1,\"a\":0}", .added = "[]"}, LLMC_ERR_FORMAT, "no [PAD]"},
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

/* Big numbers as Python writes them, and what else changes no id. */
static void test_fields_of_tokenizer_config(void **state)
{
    (void)state;
    static const char *const good_ones[] = {
        "{\"model_max_length\": 1000000000000000019884624838656, \"do_lower_case\": true}",
        "{\"model_max_length\": 1e30, \"tokenizer_class\": null, \"padding_side\": \"left\"}",
        "{\"tokenizer_class\": \"BertTokenizerFast\", \"never_split\": null, \"do_basic_tokenize\": true}",
        "{\"additional_special_tokens\": [], \"extra_special_tokens\": {}, \"bos_token\": null}",
        "{\"additional_special_tokens\": [\"[MASK]\"], \"eos_token\": \"[SEP]\", \"never_split\": [\"[UNK]\"]}",
        "{\"model_input_names\": [\"input_ids\", \"token_type_ids\", \"attention_mask\"]}",
        "{\"truncation_side\": \"right\", \"max_length\": 128, \"stride\": 0, \"split_special_tokens\": false}",
        "{\"added_tokens_decoder\": {\"4\": {\"content\": \"[MASK]\", \"lstrip\": false, \"special\": true}}}",
    };
    static const struct {
        const char *config;
        llmc_status status;
        const char *words;
    } bad_ones[] = {
        {"{\"word_tokenizer_type\": \"mecab\"}", LLMC_ERR_UNSUPPORTED, "does not know the field \"word_tokenizer_type\""},
        {"{\"tokenizer_class\": \"BertJapaneseTokenizer\"}", LLMC_ERR_UNSUPPORTED, "\"tokenizer_class\" is \"BertJapanese"},
        {"{\"do_lower_case\": null}", LLMC_ERR_FORMAT, "do_lower_case is neither"},
        {"{\"do_basic_tokenize\": false}", LLMC_ERR_UNSUPPORTED, "\"do_basic_tokenize\" is false"},
        {"{\"never_split\": [\"C++\"]}", LLMC_ERR_UNSUPPORTED, "never_split adds the token \"C++\""},
        {"{\"truncation_side\": \"left\"}", LLMC_ERR_UNSUPPORTED, "\"truncation_side\" is \"left\""},
        {"{\"split_special_tokens\": true}", LLMC_ERR_UNSUPPORTED, "\"split_special_tokens\" is true"},
        {"{\"additional_special_tokens\": [\"[MASK]\", \"<e>\"]}", LLMC_ERR_UNSUPPORTED, "adds the token \"<e>\""},
        {"{\"extra_special_tokens\": {\"image\": \"<i>\"}}", LLMC_ERR_UNSUPPORTED, "adds the token \"<i>\""},
        {"{\"bos_token\": \"<s>\"}", LLMC_ERR_UNSUPPORTED, "bos_token adds the token \"<s>\""},
        {"{\"model_input_names\": [\"input_ids\"]}", LLMC_ERR_UNSUPPORTED, "model_input_names"},
        {"{\"added_tokens_decoder\": {\"7\": {\"content\": \"<e>\"}}}", LLMC_ERR_UNSUPPORTED, "adds the token \"<e>\""},
        {"{\"added_tokens_decoder\": {\"7\": {\"content\": \"[MASK]\"}}}", LLMC_ERR_FORMAT, "gives [MASK] the id 7; in the vocabulary it is 4"},
        {"{\"added_tokens_decoder\": {\"4\": {\"content\": \"[MASK]\", \"lstrip\": true}}}", LLMC_ERR_UNSUPPORTED, "\"lstrip\": true"},
        {"version https://git-lfs.github.com/spec/v1\n", LLMC_ERR_FORMAT, "git lfs pull"},
    };
    for (int json = 0; json < 2; json++) {
        if (json)
            write_json(&good);
        else
            write_file("vocab.txt", VOCABULARY);
        for (size_t i = 0; i < sizeof good_ones / sizeof good_ones[0]; i++) {
            write_file("tokenizer_config.json", good_ones[i]);
            expect_rules("1111");
        }
        for (size_t i = 0; i < sizeof bad_ones / sizeof bad_ones[0]; i++) {
            write_file("tokenizer_config.json", bad_ones[i].config);
            expect_error(bad_ones[i].status, bad_ones[i].words);
            assert_non_null(strstr(llmc_error_message(), "tokenizer_config.json"));
        }
    }
}

/* Flags of special tokens count only where tokenizer.json does not have them. */
static void test_flags_of_special_tokens(void **state)
{
    (void)state;
    write_file("special_tokens_map.json", "{\"mask_token\": {\"content\": \"[MASK]\", \"lstrip\": true}}");
    write_json(&good);
    expect_rules("1111");
    clean_folder(NULL);
    write_file("vocab.txt", VOCABULARY);
    write_file("special_tokens_map.json", "{\"mask_token\": {\"content\": \"[MASK]\", \"lstrip\": true}}");
    expect_error(LLMC_ERR_UNSUPPORTED, "special_tokens_map.json: token [MASK] with \"lstrip\": true");
}

static void test_files_that_add_tokens(void **state)
{
    (void)state;
    write_file("vocab.txt", VOCABULARY);
    write_file("added_tokens.json", "{\"[MASK]\": 4}");
    expect_rules("1111");
    write_file("added_tokens.json", "{\"<e>\": 7}");
    expect_error(LLMC_ERR_UNSUPPORTED, "added_tokens.json: the file adds the token \"<e>\"");
    write_file("added_tokens.json", "{\"[MASK]\": 7}");
    expect_error(LLMC_ERR_FORMAT, "added_tokens.json: the file gives [MASK] the id 7");
    write_file("added_tokens.json", "{}");
    write_file("special_tokens_map.json", "{\"additional_special_tokens\": [{\"content\": \"<e>\"}]}");
    expect_error(LLMC_ERR_UNSUPPORTED, "special_tokens_map.json: additional_special_tokens adds the token \"<e>\"");
    write_file("special_tokens_map.json", "{\"cls_token\": \"<s>\"}");
    expect_error(LLMC_ERR_UNSUPPORTED, "special_tokens_map.json: cls_token is \"<s>\"");
}

/* The class may stand in config.json; some classes take tokenizer.json as it is. */
static void test_class_of_config(void **state)
{
    (void)state;
    struct parts parts = good;
    parts.normalizer = "{\"type\":\"BertNormalizer\",\"lowercase\":false}";
    write_json(&parts);
    write_file("config.json", "{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"hidden_size\": 8}");
    expect_rules("0011");
    write_file("tokenizer_config.json", "{\"tokenizer_class\": \"BertTokenizer\"}");
    expect_error(LLMC_ERR_UNSUPPORTED, "make them agree");
    write_file("tokenizer_config.json", "{}");
    write_file("config.json", "{\"tokenizer_class\": \"BertJapaneseTokenizer\"}");
    expect_error(LLMC_ERR_UNSUPPORTED, "config.json: \"tokenizer_class\" is \"BertJapaneseTokenizer\"");
}

/* Only the side matters that is cut. */
static void test_truncation_and_unknown_parts(void **state)
{
    (void)state;
    char *path, *content, *changed;
    write_json(&good);
    assert_int_equal(llmc_path_join(&path, folder, "tokenizer.json"), LLMC_OK);
    assert_int_equal(llmc_file_read(path, 1 << 20, &content, NULL), LLMC_OK);
    char *rest = strstr(content, "{\"max_length\":3}");
    assert_non_null(rest);
    *rest = 0;
    rest += strlen("{\"max_length\":3}");
    static const struct {
        const char *truncation, *words;
    } cases[] = {{"null", NULL},
                 {"{\"direction\":\"Right\",\"max_length\":128,\"strategy\":\"LongestFirst\",\"stride\":0}", NULL},
                 {"{\"direction\":\"Left\"}", "\"truncation.direction\" is \"Left\""},
                 {"null,\"dropout\":1", "does not know the field \"dropout\""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(llmc_format(&changed, "%s%s%s", content, cases[i].truncation, rest), LLMC_OK);
        write_file("tokenizer.json", changed);
        if (cases[i].words)
            expect_error(LLMC_ERR_UNSUPPORTED, cases[i].words);
        else
            expect_rules("1111");
        free(changed);
    }
    free(content);
    free(path);
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
    write_file("vocab.txt", "[PAD]\n[UNK] \n[CLS]\n[SEP]\t\n[MASK]\na\n##b  ");
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
    write_file("vocab.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 231508\n");
    expect_error(LLMC_ERR_FORMAT, "vocab.txt: a git-lfs pointer");
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
        cmocka_unit_test_teardown(test_fields_of_tokenizer_config, clean_folder),
        cmocka_unit_test_teardown(test_flags_of_special_tokens, clean_folder),
        cmocka_unit_test_teardown(test_files_that_add_tokens, clean_folder),
        cmocka_unit_test_teardown(test_class_of_config, clean_folder),
        cmocka_unit_test_teardown(test_truncation_and_unknown_parts, clean_folder),
        cmocka_unit_test_teardown(test_vocabulary, clean_folder),
        cmocka_unit_test_teardown(test_vocabulary_line_ends, clean_folder),
        cmocka_unit_test_teardown(test_bad_vocabulary, clean_folder),
        cmocka_unit_test_teardown(test_empty_folder, clean_folder),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
