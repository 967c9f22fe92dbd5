/* formats/huggingface/config.h: what config.json may say, and how errors name its fields. */
#include "formats/huggingface/config.h"

#include "tests/base/test_support.h"

static llmc_status read_text(struct llmc_hf_config *config, const char *text)
{
    write_bytes(test_path("config.json"), text, strlen(text));
    return llmc_hf_config_read(config, test_path("config.json"));
}

#define SMALL "\"model_type\":\"bert\",\"vocab_size\":3,\"hidden_size\":4,\"num_attention_heads\":2"

static void defaults_are_those_of_bert_config(void **state)
{
    (void)state;
    struct llmc_hf_config config;
    assert_ok(read_text(&config, "{" SMALL ",\"id2label\":null}"));
    const struct llmc_architecture *a = &config.architecture;
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
    assert_string_equal(config.label_names[0], "LABEL_0");
    assert_string_equal(config.label_names[1], "LABEL_1");
    assert_null(config.head_problem);
    llmc_hf_config_release(&config);
    llmc_hf_config_release(&config);
}

static void all_fields_are_read(void **state)
{
    (void)state;
    struct llmc_hf_config config;
    assert_ok(read_text(&config, "{" SMALL ",\"max_position_embeddings\":9,\"type_vocab_size\":1,\"num_hidden_layers\":3,"
                        "\"intermediate_size\":5,\"hidden_act\":\"gelu_new\",\"layer_norm_eps\":1e-5,"
                        "\"id2label\":{\"2\":\"c\",\"0\":\"a\",\"1\":7},\"label2id\":{\"a\":0,\"7\":\"1\",\"c\":2,\"old\":1},"
                        "\"model_max_length\":1000000000000000019884624838656}"));
    const struct llmc_architecture *a = &config.architecture;
    assert_int_equal(a->positions, 9);
    assert_int_equal(a->types, 1);
    assert_int_equal(a->layers, 3);
    assert_int_equal(a->layer[0].ffn, 5);
    assert_int_equal(a->labels, 3);
    assert_int_equal(a->activation, LLMC_GELU_TANH);
    assert_true(a->norm_epsilon == 1e-5f);
    assert_string_equal(config.label_names[0], "a");
    assert_string_equal(config.label_names[1], "7");
    assert_string_equal(config.label_names[2], "c");
    llmc_hf_config_release(&config);
}

/* config.json of the small BERTs that Google published in 2020, and TinyBERT's. */
static void old_files_are_read(void **state)
{
    (void)state;
    struct llmc_hf_config config;
    assert_ok(read_text(&config, "{\"hidden_size\": 128, \"hidden_act\": \"gelu\", \"initializer_range\": 0.02, "
                        "\"vocab_size\": 30522, \"hidden_dropout_prob\": 0.1, \"num_attention_heads\": 2, "
                        "\"type_vocab_size\": 2, \"max_position_embeddings\": 512, \"num_hidden_layers\": 2, "
                        "\"intermediate_size\": 512, \"attention_probs_dropout_prob\": 0.1}"));
    assert_int_equal(config.architecture.layers, 2);
    llmc_hf_config_release(&config);
    assert_ok(read_text(&config, "{" SMALL ",\"cell\":{},\"emb_size\":312,\"pre_trained\":\"\",\"structure\":[],\"training\":\"\"}"));
    llmc_hf_config_release(&config);
}

static void names_of_activations(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum llmc_activation activation;
    } cases[] = {{"gelu", LLMC_GELU},           {"gelu_python", LLMC_GELU},
                 {"gelu_new", LLMC_GELU_TANH},  {"gelu_pytorch_tanh", LLMC_GELU_TANH},
                 {"gelu_fast", LLMC_GELU_TANH}, {"gelu_accurate", LLMC_GELU_TANH},
                 {"relu", LLMC_RELU}};
    struct llmc_hf_config config;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256];
        snprintf(text, sizeof text, "{" SMALL ",\"hidden_act\":\"%s\"}", cases[i].name);
        assert_ok(read_text(&config, text));
        assert_int_equal(config.architecture.activation, cases[i].activation);
        llmc_hf_config_release(&config);
    }
}

/* The file is fine, but a classifier of it would be another task. */
static void heads_of_other_tasks_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *problem; /* problem NULL: none */
    } cases[] = {
        {"\"problem_type\":null", NULL},
        {"\"problem_type\":\"single_label_classification\"", NULL},
        {"\"architectures\":[]", NULL},
        {"\"architectures\":[\"BertForSequenceClassification\"]", NULL},
        {"\"architectures\":[\"BertForMaskedLM\"]", NULL},
        {"\"problem_type\":\"multi_label_classification\"", "\"problem_type\" is \"multi_label_classification\""},
        {"\"problem_type\":\"regression\",\"num_labels\":1", "\"problem_type\" is \"regression\""},
        {"\"num_labels\":1", "one output"},
        {"\"id2label\":{\"0\":\"LABEL_0\"}", "one output"},
        {"\"architectures\":[\"BertForTokenClassification\"]", "labels tokens"},
        {"\"architectures\":[\"BertForMultipleChoice\"]", "chooses among texts"},
        {"\"architectures\":[\"MyBert\"]", "\"MyBert\", which is a class that llmc does not know"},
    };
    struct llmc_hf_config config;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256];
        snprintf(text, sizeof text, "{" SMALL ",%s}", cases[i].fields);
        assert_ok(read_text(&config, text));
        if (!cases[i].problem)
            assert_null(config.head_problem);
        else if (!config.head_problem || !strstr(config.head_problem, cases[i].problem))
            fail_msg("%s: %s", cases[i].fields, config.head_problem ? config.head_problem : "no problem");
        llmc_hf_config_release(&config);
    }
}

static void errors_name_file_and_field(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        llmc_status status;
        const char *words;
    } cases[] = {
        {"", LLMC_ERR_FORMAT, "config.json:1:"},
        {"{\"a\":1,\n\"a\":2}", LLMC_ERR_FORMAT, "config.json:2:3: duplicate object key"},
        {"[]", LLMC_ERR_FORMAT, "not a JSON object"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", LLMC_ERR_FORMAT, "git lfs pull"},
        {"{}", LLMC_ERR_FORMAT, "\"vocab_size\" is missing"},
        {"{\"model_type\":\"gpt2\"}", LLMC_ERR_UNSUPPORTED, "\"model_type\" is \"gpt2\""},
        {"{\"model_type\":7}", LLMC_ERR_FORMAT, "\"model_type\" is 7; allowed is a text"},
        {"{\"model_type\":\"bert\"}", LLMC_ERR_FORMAT, "\"vocab_size\" is missing"},
        {"{" SMALL ",\"position_embedding_type\":\"relative_key\"}", LLMC_ERR_UNSUPPORTED, "\"position_embedding_type\" is \"relative_key\""},
        {"{" SMALL ",\"is_decoder\":true}", LLMC_ERR_UNSUPPORTED, "\"is_decoder\" is true"},
        {"{" SMALL ",\"add_cross_attention\":true}", LLMC_ERR_UNSUPPORTED, "\"add_cross_attention\" is true"},
        {"{" SMALL ",\"pruned_heads\":{\"0\":[1]}}", LLMC_ERR_UNSUPPORTED, "\"pruned_heads\" is {\"0\":[1]}"},
        {"{" SMALL ",\"quantization_config\":{\"bits\":8}}", LLMC_ERR_UNSUPPORTED, "\"quantization_config\""},
        {"{" SMALL ",\"auto_map\":{\"AutoModel\":\"m.M\"}}", LLMC_ERR_UNSUPPORTED, "\"auto_map\""},
        {"{" SMALL ",\"per_layer_config\":{\"0\":{\"hidden_size\":2}}}", LLMC_ERR_UNSUPPORTED, "\"per_layer_config\""},
        {"{" SMALL ",\"rope_theta\":10000.0}", LLMC_ERR_UNSUPPORTED, "does not know the field \"rope_theta\""},
        {"{" SMALL ",\"hidden_act\":\"swish\"}", LLMC_ERR_UNSUPPORTED, "\"hidden_act\": activation function \"swish\""},
        {"{" SMALL ",\"hidden_act\":\"gelu_10\"}", LLMC_ERR_UNSUPPORTED, "\"gelu_10\""},
        {"{" SMALL ",\"num_hidden_layers\":0}", LLMC_ERR_FORMAT, "\"num_hidden_layers\" is 0; allowed is an integer above 0"},
        {"{" SMALL ",\"num_hidden_layers\":1.5}", LLMC_ERR_FORMAT, "\"num_hidden_layers\" is 1.5"},
        {"{" SMALL ",\"num_hidden_layers\":4294967297}", LLMC_ERR_FORMAT, "\"num_hidden_layers\" is 4294967297"},
        {"{" SMALL ",\"num_hidden_layers\":99999999999999999999}", LLMC_ERR_FORMAT, "\"num_hidden_layers\" is 1e20"},
        {"{" SMALL ",\"num_hidden_layers\":9999}", LLMC_ERR_FORMAT, "config.json: layers is 9999"},
        {"{" SMALL ",\"layer_norm_eps\":\"tiny\"}", LLMC_ERR_FORMAT, "\"layer_norm_eps\" is \"tiny\"; allowed is a number"},
        {"{" SMALL ",\"layer_norm_eps\":1}", LLMC_ERR_FORMAT, "\"layer_norm_eps\" is 1"},
        {"{" SMALL ",\"architectures\":\"BertModel\"}", LLMC_ERR_FORMAT, "\"architectures\" is \"BertModel\""},
        {"{" SMALL ",\"id2label\":[]}", LLMC_ERR_FORMAT, "\"id2label\" is []"},
        {"{" SMALL ",\"id2label\":{}}", LLMC_ERR_FORMAT, "\"id2label\" is {}"},
        {"{" SMALL ",\"id2label\":{\"0\":\"a\",\"2\":\"b\"}}", LLMC_ERR_FORMAT, "no name of one line for \"1\""},
        {"{" SMALL ",\"id2label\":{\"0\":\"a\",\"1\":null}}", LLMC_ERR_FORMAT, "no name of one line for \"1\""},
        {"{" SMALL ",\"id2label\":{\"0\":\"a\\nb\"}}", LLMC_ERR_FORMAT, "no name of one line for \"0\""},
        {"{" SMALL ",\"num_labels\":3,\"id2label\":{\"0\":\"a\"}}", LLMC_ERR_FORMAT, "\"num_labels\" is 3; \"id2label\" has 1"},
        {"{" SMALL ",\"num_labels\":70000}", LLMC_ERR_FORMAT, "more than 65536 labels"},
        {"{" SMALL ",\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"label2id\":{\"a\":1,\"b\":0}}", LLMC_ERR_FORMAT, "output 0 is \"a\", \"label2id\" says something else"},
    };
    struct llmc_hf_config config;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_fails(read_text(&config, cases[i].config), cases[i].status, cases[i].words);
        assert_non_null(strstr(llmc_error_message(), "config.json"));
        assert_null(config.label_names);
        assert_null(config.head_problem);
    }
    assert_fails(llmc_hf_config_read(&config, "/nowhere/config.json"), LLMC_ERR_IO, "/nowhere/config.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_bert_config), cmocka_unit_test(all_fields_are_read),
        cmocka_unit_test(old_files_are_read),
        cmocka_unit_test(names_of_activations),              cmocka_unit_test(heads_of_other_tasks_are_named),
        cmocka_unit_test(errors_name_file_and_field),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
