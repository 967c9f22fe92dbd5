/* formats/huggingface/folder.h: what config.json may say, and how errors name its fields. */
#include "formats/huggingface/folder.h"

#include "tests/base/test_support.h"

#include <sys/stat.h>

/* One tensor file for all cases: word embeddings [3, 4], and what `more` lists. */
static void make_weights(const char *prefix, const char *more, size_t more_nbytes)
{
    static const unsigned char zeros[1024];
    unsigned char bytes[2048];
    uint64_t length = (uint64_t)snprintf((char *)bytes + 8, sizeof bytes - 8,
        "{\"%sembeddings.word_embeddings.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]}%s}", prefix, more);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8 + length, zeros, 48 + more_nbytes);
    write_bytes(test_path("model.safetensors"), bytes, 8 + length + 48 + more_nbytes);
}

static llmc_status open_with(struct llmc_hf_folder *folder, const char *config)
{
    write_bytes(test_path("config.json"), config, strlen(config));
    return llmc_hf_folder_open(folder, test_folder);
}

#define SMALL "\"model_type\":\"bert\",\"vocab_size\":3,\"hidden_size\":4,\"num_attention_heads\":2"

static void defaults_are_those_of_bert_config(void **state)
{
    (void)state;
    struct llmc_hf_folder folder;
    make_weights("", "", 0);
    assert_ok(open_with(&folder, "{" SMALL ",\"id2label\":null}"));
    const struct llmc_architecture *a = &folder.architecture;
    assert_int_equal(a->vocabulary, 3);
    assert_int_equal(a->positions, 512);
    assert_int_equal(a->types, 2);
    assert_int_equal(a->hidden, 4);
    assert_int_equal(a->layers, 12);
    assert_int_equal(a->layer[0].heads, 2);
    assert_int_equal(a->layer[0].ffn, 3072);
    assert_int_equal(a->labels, 2);
    assert_int_equal(a->activation, LLMC_GELU);
    assert_true(a->norm_epsilon == 1e-12f);
    assert_string_equal(folder.prefix, "");
    assert_false(folder.has_pooler);
    assert_false(folder.has_classifier);
    assert_null(folder.label_names);
    llmc_hf_folder_release(&folder);
    llmc_hf_folder_release(&folder);
}

static void whole_classifier_is_read(void **state)
{
    (void)state;
    struct llmc_hf_folder folder;
    make_weights("bert.", ",\"bert.pooler.dense.weight\":{\"dtype\":\"F16\",\"shape\":[4,4],\"data_offsets\":[48,80]},"
                 "\"classifier.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[80,128]}", 80);
    assert_ok(open_with(&folder, "{" SMALL ",\"max_position_embeddings\":9,\"type_vocab_size\":1,\"num_hidden_layers\":3,"
                        "\"intermediate_size\":5,\"hidden_act\":\"gelu_new\",\"layer_norm_eps\":1e-5,"
                        "\"id2label\":{\"2\":\"c\",\"0\":\"a\",\"1\":\"b\"}}"));
    const struct llmc_architecture *a = &folder.architecture;
    assert_int_equal(a->positions, 9);
    assert_int_equal(a->types, 1);
    assert_int_equal(a->layers, 3);
    assert_int_equal(a->layer[0].ffn, 5);
    assert_int_equal(a->labels, 3);
    assert_int_equal(a->activation, LLMC_GELU_TANH);
    assert_true(a->norm_epsilon == 1e-5f);
    assert_string_equal(folder.prefix, "bert.");
    assert_true(folder.has_pooler);
    assert_true(folder.has_classifier);
    assert_string_equal(folder.label_names[0], "a");
    assert_string_equal(folder.label_names[1], "b");
    assert_string_equal(folder.label_names[2], "c");
    llmc_hf_folder_release(&folder);
    assert_fails(open_with(&folder, "{" SMALL "}"), LLMC_ERR_FORMAT, "\"classifier.weight\" is not [2, 4]");
    assert_null(folder.weights);
}

static void errors_name_file_and_field(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        llmc_status status;
        const char *words;
    } cases[] = {
        {"", LLMC_ERR_FORMAT, "config.json: line 1"},
        {"{\"a\":1,\n\"a\":2}", LLMC_ERR_FORMAT, "config.json: line 2, column 3: duplicate object key"},
        {"[]", LLMC_ERR_FORMAT, "not a JSON object"},
        {"{}", LLMC_ERR_UNSUPPORTED, "\"model_type\" is \"\"; legal is \"bert\""},
        {"{\"model_type\":\"gpt2\"}", LLMC_ERR_UNSUPPORTED, "\"model_type\" is \"gpt2\""},
        {"{\"model_type\":7}", LLMC_ERR_FORMAT, "\"model_type\" is 7; legal is a text"},
        {"{\"model_type\":\"bert\"}", LLMC_ERR_FORMAT, "\"vocab_size\" is missing"},
        {"{" SMALL ",\"position_embedding_type\":\"relative_key\"}", LLMC_ERR_UNSUPPORTED, "\"position_embedding_type\""},
        {"{" SMALL ",\"is_decoder\":true}", LLMC_ERR_UNSUPPORTED, "\"is_decoder\" is true"},
        {"{" SMALL ",\"hidden_act\":\"swish\"}", LLMC_ERR_UNSUPPORTED, "\"hidden_act\": activation function \"swish\""},
        {"{" SMALL ",\"num_hidden_layers\":0}", LLMC_ERR_FORMAT, "\"num_hidden_layers\" is 0; legal is an integer above 0"},
        {"{" SMALL ",\"num_hidden_layers\":1.5}", LLMC_ERR_FORMAT, "\"num_hidden_layers\" is 1.5"},
        {"{" SMALL ",\"num_hidden_layers\":4294967297}", LLMC_ERR_FORMAT, "\"num_hidden_layers\" is 4294967297"},
        {"{" SMALL ",\"num_hidden_layers\":999}", LLMC_ERR_FORMAT, "config.json: layers is 999"},
        {"{" SMALL ",\"layer_norm_eps\":\"tiny\"}", LLMC_ERR_FORMAT, "\"layer_norm_eps\" is \"tiny\"; legal is a number"},
        {"{" SMALL ",\"layer_norm_eps\":1}", LLMC_ERR_FORMAT, "\"layer_norm_eps\" is 1"},
        {"{" SMALL ",\"id2label\":[]}", LLMC_ERR_FORMAT, "\"id2label\" is []"},
        {"{" SMALL ",\"id2label\":{}}", LLMC_ERR_FORMAT, "\"id2label\" is {}"},
        {"{" SMALL ",\"id2label\":{\"0\":\"a\",\"2\":\"b\"}}", LLMC_ERR_FORMAT, "no name of one line for \"1\""},
        {"{" SMALL ",\"id2label\":{\"0\":\"a\",\"1\":2}}", LLMC_ERR_FORMAT, "no name of one line for \"1\""},
        {"{" SMALL ",\"id2label\":{\"0\":\"a\\nb\"}}", LLMC_ERR_FORMAT, "no name of one line for \"0\""},
        {"{" SMALL ",\"num_labels\":3,\"id2label\":{\"0\":\"a\"}}", LLMC_ERR_FORMAT, "\"num_labels\" is 3; \"id2label\" has 1"},
        {"{\"model_type\":\"bert\",\"vocab_size\":5,\"hidden_size\":4,\"num_attention_heads\":2}", LLMC_ERR_FORMAT, "is not [5, 4] as config.json says"},
    };
    struct llmc_hf_folder folder;
    make_weights("", "", 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_fails(open_with(&folder, cases[i].config), cases[i].status, cases[i].words);
        assert_null(folder.weights);
        assert_null(folder.label_names);
    }
    make_weights("other.", "", 0);
    assert_fails(open_with(&folder, "{" SMALL "}"), LLMC_ERR_FORMAT, "model.safetensors: no tensor \"bert.embeddings");
    unlink(test_path("model.safetensors"));
    assert_fails(open_with(&folder, "{" SMALL "}"), LLMC_ERR_IO, "model.safetensors: cannot open");
    assert_fails(llmc_hf_folder_open(&folder, "/nowhere"), LLMC_ERR_IO, "/nowhere/config.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_bert_config),
        cmocka_unit_test(whole_classifier_is_read),
        cmocka_unit_test(errors_name_file_and_field),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
