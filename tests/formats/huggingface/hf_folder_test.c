/* formats/huggingface/folder.h: weights under the names that people have, and the refusal of what does not fit. */
#include "formats/huggingface/folder.h"

#include "architecture/parameters.h"
#include "base/memory.h"
#include "formats/huggingface/model.h"
#include "formats/huggingface/names.h"

#include "tests/base/test_support.h"

#include <math.h>

#define CONFIG                                                                                                         \
    "{\"model_type\":\"bert\",\"vocab_size\":3,\"hidden_size\":4,\"num_attention_heads\":2,\"num_hidden_layers\":2,"    \
    "\"intermediate_size\":5,\"max_position_embeddings\":6}"

/* A folder's tensors while a test changes them. */
struct tensors {
    size_t count;
    struct {
        char name[160], dtype[8];
        int64_t shape[2]; /* shape[0] 0: a vector of shape[1] */
        float value;      /* of every number */
    } list[64];
};

static void add(struct tensors *tensors, const char *name, const char *dtype, int64_t rows, int64_t cols, float value)
{
    size_t i = tensors->count++;
    assert_in_range(i, 0, COUNT_OF(tensors->list) - 1);
    snprintf(tensors->list[i].name, sizeof tensors->list[i].name, "%s", name);
    snprintf(tensors->list[i].dtype, sizeof tensors->list[i].dtype, "%s", dtype);
    tensors->list[i].shape[0] = rows;
    tensors->list[i].shape[1] = cols;
    tensors->list[i].value = value;
}

static size_t index_of(const struct tensors *tensors, const char *name)
{
    size_t i = 0;
    while (i < tensors->count && strcmp(tensors->list[i].name, name) != 0)
        i++;
    assert_in_range(i, 0, tensors->count - 1);
    return i;
}

/* The whole classifier of CONFIG; tensor i of the table is filled with i + 1. */
static struct tensors whole(void)
{
    struct tensors tensors = {0};
    struct llmc_architecture a = {.vocabulary = 3, .positions = 6, .types = 2, .hidden = 4, .labels = 2,
                                  .activation = LLMC_GELU, .norm_epsilon = 1e-12f};
    char name[LLMC_PARAMETER_NAME_NBYTES];
    enum llmc_parameter_kind kind;
    int64_t rows, cols;
    assert_ok(llmc_architecture_set_layers(&a, 2, 2, 5));
    for (int32_t i = 0; llmc_parameter_describe(&a, i, name, &kind, &rows, &cols); i++)
        add(&tensors, name, "F32", kind == LLMC_PARAMETER_VECTOR ? 0 : rows, cols, (float)(i + 1));
    return tensors;
}

static void remove_tensor(struct tensors *tensors, const char *name)
{
    size_t at = index_of(tensors, name);
    tensors->list[at] = tensors->list[--tensors->count];
}

/* Replaces `from` by `to` in all names. */
static void rename_tensors(struct tensors *tensors, const char *from, const char *to)
{
    for (size_t i = 0; i < tensors->count; i++) {
        char *name = tensors->list[i].name, copy[sizeof tensors->list[i].name];
        char *at = strstr(name, from);
        if (!at)
            continue;
        snprintf(copy, sizeof copy, "%.*s%s%s", (int)(at - name), name, to, at + strlen(from));
        memcpy(name, copy, sizeof copy);
    }
}

static size_t nbytes_of(const char *dtype)
{
    return strcmp(dtype, "F64") == 0 || strcmp(dtype, "I64") == 0 ? 8 : strcmp(dtype, "U8") == 0 ? 1 : 4;
}

/* Writes tensors first..end-1 as one file. */
static void write_tensors(const char *file, const struct tensors *tensors, size_t first, size_t end)
{
    static unsigned char bytes[1 << 16];
    size_t length = 8, offset = 0;
    length += (size_t)sprintf((char *)bytes + length, "{");
    for (size_t i = first; i < end; i++) {
        char shape[64];
        size_t count = (size_t)(tensors->list[i].shape[0] ? tensors->list[i].shape[0] : 1) * (size_t)tensors->list[i].shape[1];
        if (tensors->list[i].shape[0])
            snprintf(shape, sizeof shape, "%lld,%lld", (long long)tensors->list[i].shape[0], (long long)tensors->list[i].shape[1]);
        else
            snprintf(shape, sizeof shape, "%lld", (long long)tensors->list[i].shape[1]);
        size_t nbytes = count * nbytes_of(tensors->list[i].dtype);
        length += (size_t)sprintf((char *)bytes + length, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                                  i > first ? "," : "", tensors->list[i].name, tensors->list[i].dtype, shape, offset, offset + nbytes);
        offset += nbytes;
    }
    bytes[length++] = '}';
    const uint64_t header = length - 8;
    memcpy(bytes, &header, 8);
    for (size_t i = first; i < end; i++) {
        size_t count = (size_t)(tensors->list[i].shape[0] ? tensors->list[i].shape[0] : 1) * (size_t)tensors->list[i].shape[1];
        size_t each = nbytes_of(tensors->list[i].dtype);
        for (size_t n = 0; n < count; n++, length += each) {
            const double wide = tensors->list[i].value;
            memset(bytes + length, 0, each);
            if (strcmp(tensors->list[i].dtype, "F64") == 0)
                memcpy(bytes + length, &wide, 8);
            else if (strcmp(tensors->list[i].dtype, "F32") == 0)
                memcpy(bytes + length, &tensors->list[i].value, 4);
        }
    }
    write_bytes(test_path(file), bytes, length);
}

static void clear_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s' && mkdir '%s'", test_folder, test_folder);
    assert_int_equal(system(command), 0);
    write_bytes(test_path("config.json"), CONFIG, strlen(CONFIG));
}

static llmc_status open_with(struct llmc_hf_folder *folder, const struct tensors *tensors)
{
    clear_folder();
    write_tensors("model.safetensors", tensors, 0, tensors->count);
    return llmc_hf_folder_open(folder, test_folder);
}

/* Opens, reads, and finds the number i + 1 in every parameter i. */
static void expect_numbers(const struct llmc_hf_folder *folder)
{
    struct llmc_parameters p;
    assert_ok(llmc_parameters_init(&p, &folder->architecture));
    assert_ok(llmc_hf_parameters_read(&p, folder, 1));
    for (int32_t i = 0; i < p.count; i++)
        for (int64_t n = 0; n < p.table[i].rows * p.table[i].cols; n++)
            assert_true(llmc_parameter_values(&p, i)[n] == (float)(i + 1));
    llmc_parameters_release(&p);
}

static void expect_loads(const struct tensors *tensors)
{
    struct llmc_hf_folder folder;
    assert_ok(open_with(&folder, tensors));
    assert_true(folder.has_pooler);
    assert_true(folder.has_classifier);
    assert_ok(llmc_hf_folder_check_head(&folder));
    expect_numbers(&folder);
    llmc_hf_folder_release(&folder);
}

static void names_that_people_have(void **state)
{
    (void)state;
    static const struct {
        const char *stored, *ours;
    } cases[] = {
        {"bert.pooler.dense.weight", "bert.pooler.dense.weight"},
        {"pooler.dense.weight", "bert.pooler.dense.weight"},
        {"module.bert.embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.weight"},
        {"_orig_mod.module.model.bert.embeddings.LayerNorm.beta", "bert.embeddings.LayerNorm.bias"},
        {"bert._orig_mod.encoder.layer.0._checkpoint_wrapped_module.output.dense.bias", "bert.encoder.layer.0.output.dense.bias"},
        {"_fsdp_wrapped_module._orig_mod.classifier.weight", "classifier.weight"},
        {"model.classifier.bias", "classifier.bias"},
        {"classifier.module.weight", "classifier.weight"},
        {"cls.predictions.transform.LayerNorm.gamma", "cls.predictions.transform.LayerNorm.weight"},
        {"gamma", "gamma"},
        {"embedding.weight", "embedding.weight"},
        {"submodule.x", "submodule.x"},
        {"module.", ""},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *name;
        assert_ok(llmc_hf_name(&name, cases[i].stored));
        assert_string_equal(name, cases[i].ours);
        free(name);
    }
}

static void folders_under_other_names_load(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"", "module.", "_orig_mod.", "model.", "module._orig_mod."};
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        struct tensors tensors = whole();
        char start[64];
        snprintf(start, sizeof start, "%sbert.", prefixes[i]);
        rename_tensors(&tensors, "bert.", start);
        snprintf(start, sizeof start, "%sclassifier.", prefixes[i]);
        rename_tensors(&tensors, "classifier.", start);
        expect_loads(&tensors);
        rename_tensors(&tensors, "bert.", "");
        expect_loads(&tensors);
        rename_tensors(&tensors, "0.output.LayerNorm.weight", "0.output.LayerNorm.gamma"); /* some, not all */
        expect_loads(&tensors);
        rename_tensors(&tensors, "LayerNorm.weight", "LayerNorm.gamma");
        rename_tensors(&tensors, "LayerNorm.bias", "LayerNorm.beta");
        expect_loads(&tensors);
    }
}

static void buffers_and_other_heads_are_left_aside(void **state)
{
    (void)state;
    struct tensors tensors = whole();
    add(&tensors, "bert.embeddings.position_ids", "I64", 1, 6, 0);
    add(&tensors, "cls.predictions.bias", "F32", 0, 3, NAN);
    add(&tensors, "qa_outputs.weight", "F32", 2, 4, 0);
    strcpy(tensors.list[3].dtype, "F64");
    expect_loads(&tensors);
}

static void heads_may_be_missing(void **state)
{
    (void)state;
    struct llmc_hf_folder folder;
    struct tensors tensors = whole();
    remove_tensor(&tensors, "classifier.weight");
    remove_tensor(&tensors, "classifier.bias");
    assert_ok(open_with(&folder, &tensors));
    assert_true(folder.has_pooler);
    assert_false(folder.has_classifier);
    assert_ok(llmc_hf_folder_check_head(&folder));
    llmc_hf_folder_release(&folder);
    llmc_hf_folder_release(&folder);
    remove_tensor(&tensors, "bert.pooler.dense.weight");
    remove_tensor(&tensors, "bert.pooler.dense.bias");
    assert_ok(open_with(&folder, &tensors));
    assert_false(folder.has_pooler);
    llmc_hf_folder_release(&folder);
}

/* Such folders open; their head can only be dropped. */
static void other_heads_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *removed, *added;
        int64_t rows;
        const char *words;
    } cases[] = {
        {"classifier.weight", "classifier.weight", 3, "tensor \"classifier.weight\" is [3, 4]; config.json makes it [2, 4]"},
        {"bert.pooler.dense.weight", "loss.extra", 0, "no pooler"},
        {"classifier.weight", "classifier.dense.weight", 4, "tensor \"classifier.dense.weight\" is no part"},
        {"classifier.weight", "score.weight", 2, "tensor \"score.weight\""},
    };
    struct llmc_hf_folder folder;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tensors tensors = whole();
        remove_tensor(&tensors, cases[i].removed);
        if (strcmp(cases[i].removed, "classifier.weight") == 0)
            remove_tensor(&tensors, "classifier.bias");
        else
            remove_tensor(&tensors, "bert.pooler.dense.bias");
        add(&tensors, cases[i].added, "F32", cases[i].rows, 4, 1);
        if (i == 0)
            add(&tensors, "classifier.bias", "F32", 0, 3, 1);
        assert_ok(open_with(&folder, &tensors));
        assert_true(folder.has_classifier);
        assert_fails(llmc_hf_folder_check_head(&folder), LLMC_ERR_UNSUPPORTED, cases[i].words);
        folder.has_classifier = false;
        assert_ok(llmc_hf_folder_check_head(&folder));
        llmc_hf_folder_release(&folder);
    }
}

static void encoders_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct llmc_hf_folder folder;
    struct tensors tensors = whole();
    rename_tensors(&tensors, "bert.", "roberta.");
    assert_fails(open_with(&folder, &tensors), LLMC_ERR_FORMAT, "no tensor \"bert.embeddings.word_embeddings.weight\"");
    assert_non_null(strstr(llmc_error_message(), "such as \"roberta.embeddings."));
    assert_null(folder.weights);
    tensors = whole();
    rename_tensors(&tensors, "1.attention.self.query.weight", "1.attention.self.query.base_layer.weight");
    assert_fails(open_with(&folder, &tensors), LLMC_ERR_FORMAT, "no tensor \"bert.encoder.layer.1.attention.self.query.weight\"");
    assert_non_null(strstr(llmc_error_message(), "such as \"bert.encoder.layer.1.attention.self.query.base_layer.weight\""));
    tensors = whole();
    remove_tensor(&tensors, "classifier.bias");
    assert_fails(open_with(&folder, &tensors), LLMC_ERR_FORMAT, "no tensor \"classifier.bias\"");
    tensors = whole();
    tensors.list[index_of(&tensors, "bert.encoder.layer.1.intermediate.dense.weight")].shape[0] = 4;
    assert_fails(open_with(&folder, &tensors), LLMC_ERR_FORMAT, "tensor \"bert.encoder.layer.1.intermediate.dense.weight\" is "
                 "[4, 4]; config.json makes it [5, 4]");
    tensors = whole();
    tensors.list[0].shape[0] = 2;
    assert_fails(open_with(&folder, &tensors), LLMC_ERR_FORMAT, "word_embeddings.weight\" is [2, 4]; config.json makes it [3, 4]");
    tensors = whole();
    tensors.list[4].shape[0] = 4;
    tensors.list[4].shape[1] = 1;
    assert_fails(open_with(&folder, &tensors), LLMC_ERR_FORMAT, "LayerNorm.bias\" is [4, 1]; config.json makes it [4]");
    tensors = whole();
    add(&tensors, "bert.encoder.layer.2.output.dense.bias", "F32", 0, 4, 0);
    assert_fails(open_with(&folder, &tensors), LLMC_ERR_UNSUPPORTED, "\"bert.encoder.layer.2.output.dense.bias\" is no part of a BERT of 2 layers");
    tensors = whole();
    add(&tensors, "bert.encoder.layer.01.output.dense.bias", "F32", 0, 4, 0);
    assert_fails(open_with(&folder, &tensors), LLMC_ERR_UNSUPPORTED, "layer.01.");
    tensors = whole();
    add(&tensors, "module.embeddings.LayerNorm.gamma", "F32", 0, 4, 0);
    assert_fails(open_with(&folder, &tensors), LLMC_ERR_FORMAT, "\"module.embeddings.LayerNorm.gamma\"");
    assert_non_null(strstr(llmc_error_message(), "only one can count"));
    tensors = whole();
    open_with(&folder, &tensors);
    llmc_hf_folder_release(&folder);
    write_bytes(test_path("adapter_config.json"), "{}", 2);
    assert_fails(llmc_hf_folder_open(&folder, test_folder), LLMC_ERR_UNSUPPORTED, "adapter_config.json: llmc does not read adapters");
}

static void numbers_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *dtype;
        float value;
        const char *words;
    } cases[] = {{"F32", NAN, "tensor \"bert.embeddings.LayerNorm.bias\": number 0 is not a number"},
                 {"F64", -INFINITY, "number 0 is infinite"},
                 {"I64", 0, "holds I64"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct llmc_hf_folder folder;
        struct llmc_parameters p;
        struct tensors tensors = whole();
        strcpy(tensors.list[4].dtype, cases[i].dtype);
        tensors.list[4].value = cases[i].value;
        assert_ok(open_with(&folder, &tensors));
        assert_ok(llmc_parameters_init(&p, &folder.architecture));
        assert_fails(llmc_hf_parameters_read(&p, &folder, 1), LLMC_ERR_FORMAT, cases[i].words);
        llmc_parameters_release(&p);
        llmc_hf_folder_release(&folder);
    }
}

/* Writes the tensors as two shards and an index, which names `first_tensor_in` for the first tensor (NULL: does not
 * name it) and starts with the entries `more`. */
static void write_shards(const struct tensors *tensors, const char *first_tensor_in, const char *more)
{
    char *index = NULL;
    clear_folder();
    size_t half = tensors->count / 2, length = 0;
    write_tensors("model-00001-of-00002.safetensors", tensors, 0, half);
    write_tensors("model-00002-of-00002.safetensors", tensors, half, tensors->count);
    index = malloc(1 << 16);
    length += (size_t)sprintf(index, "{\"metadata\":{\"total_size\":1},\"weight_map\":{%s", more);
    for (size_t i = first_tensor_in ? 0 : 1; i < tensors->count; i++) {
        const char *file = i < half ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors";
        length += (size_t)sprintf(index + length, "%s\"%s\":\"%s\"", index[length - 1] == '{' ? "" : ",",
                                  tensors->list[i].name, i == 0 ? first_tensor_in : file);
    }
    length += (size_t)sprintf(index + length, "}}");
    write_bytes(test_path("model.safetensors.index.json"), index, length);
    free(index);
}

#define SHARD(n) "model-0000" #n "-of-00002.safetensors"

static void shards_are_read(void **state)
{
    (void)state;
    struct llmc_hf_folder folder;
    struct tensors tensors = whole();
    write_shards(&tensors, SHARD(1), "");
    assert_ok(llmc_hf_folder_open(&folder, test_folder));
    expect_numbers(&folder);
    llmc_hf_folder_release(&folder);

    write_shards(&tensors, SHARD(2), "");
    assert_fails(llmc_hf_folder_open(&folder, test_folder), LLMC_ERR_FORMAT, "index.json: tensor \"bert.embeddings.word_embeddings.weight\" "
                 "is not in " SHARD(2));
    write_shards(&tensors, NULL, "");
    assert_fails(llmc_hf_folder_open(&folder, test_folder), LLMC_ERR_FORMAT, "the index does not name it");
    write_shards(&tensors, "../x.safetensors", "");
    assert_fails(llmc_hf_folder_open(&folder, test_folder), LLMC_ERR_FORMAT, "is not in a file of this folder");
    write_shards(&tensors, SHARD(1), "\"x\":7");
    assert_fails(llmc_hf_folder_open(&folder, test_folder), LLMC_ERR_FORMAT, "\"x\" is not in a file of this folder");
    write_shards(&tensors, SHARD(1), "");
    unlink(test_path(SHARD(2)));
    assert_fails(llmc_hf_folder_open(&folder, test_folder), LLMC_ERR_IO, "index.json names a shard that cannot be read: ");
    assert_non_null(strstr(llmc_error_message(), SHARD(2) ": cannot open"));
    write_shards(&tensors, SHARD(1), "");
    write_tensors(SHARD(2), &tensors, tensors.count / 2 - 1, tensors.count);
    assert_fails(llmc_hf_folder_open(&folder, test_folder), LLMC_ERR_FORMAT, "is in both " SHARD(2) " and " SHARD(1));
    write_bytes(test_path("model.safetensors.index.json"), "{}", 2);
    assert_fails(llmc_hf_folder_open(&folder, test_folder), LLMC_ERR_FORMAT, "\"weight_map\" is not an object");
    assert_null(folder.weights);
}

static void other_weights_are_refused_with_a_line(void **state)
{
    (void)state;
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 437985387\n";
    static const struct {
        const char *file, *content;
        llmc_status status;
        const char *words;
    } cases[] = {
        {"notes.txt", "x", LLMC_ERR_IO, "has no weights: llmc looks for model.safetensors"},
        {"training_args.bin", "x", LLMC_ERR_IO, "has no weights"},
        {"pytorch_model.bin", "x", LLMC_ERR_UNSUPPORTED, "has pytorch_model.bin, but no model.safetensors"},
        {"pytorch_model-00001-of-00002.bin", "x", LLMC_ERR_UNSUPPORTED, "/pytorch_model*.bin"},
        {"best.pt", "x", LLMC_ERR_UNSUPPORTED, "/'best.pt'"},
        {"tf_model.h5", "x", LLMC_ERR_UNSUPPORTED, "from_tf=True"},
        {"flax_model.msgpack", "x", LLMC_ERR_UNSUPPORTED, "from_flax=True"},
        {"model.fp16.safetensors", "x", LLMC_ERR_IO, "has model.fp16.safetensors"},
        {"pytorch_model.bin", pointer, LLMC_ERR_FORMAT, "git lfs pull"},
        {"model.safetensors", pointer, LLMC_ERR_FORMAT, "model.safetensors: a git-lfs pointer"},
        {"model.safetensors.index.json", pointer, LLMC_ERR_FORMAT, "git lfs pull"},
        {"model.safetensors", "<!DOCTYPE html>", LLMC_ERR_FORMAT, "not a safetensors file"},
    };
    struct llmc_hf_folder folder;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        clear_folder();
        write_bytes(test_path(cases[i].file), cases[i].content, strlen(cases[i].content));
        assert_fails(llmc_hf_folder_open(&folder, test_folder), cases[i].status, cases[i].words);
        assert_non_null(strstr(llmc_error_message(), test_folder));
        assert_null(folder.weights);
    }
    assert_fails(llmc_hf_folder_open(&folder, "/nowhere"), LLMC_ERR_IO, "/nowhere/config.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_people_have),
        cmocka_unit_test(folders_under_other_names_load),
        cmocka_unit_test(buffers_and_other_heads_are_left_aside),
        cmocka_unit_test(heads_may_be_missing),
        cmocka_unit_test(other_heads_are_named),
        cmocka_unit_test(encoders_that_do_not_fit_are_refused),
        cmocka_unit_test(numbers_that_are_none_are_refused),
        cmocka_unit_test(shards_are_read),
        cmocka_unit_test(other_weights_are_refused_with_a_line),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
