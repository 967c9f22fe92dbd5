#include "formats/huggingface/folder.h"

#include "base/file.h"
#include "base/memory.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_NBYTES_MAX ((size_t)16 << 20)
#define REQUIRED (-1)

/* config.json while it is read. */
struct config {
    const char *path;
    json_t *root;
};

static llmc_status field_error(const struct config *config, const char *key, const char *legal)
{
    char *found = json_dumps(json_object_get(config->root, key), JSON_ENCODE_ANY | JSON_COMPACT);
    llmc_status status = llmc_error(LLMC_ERR_FORMAT, "%s: \"%s\" is %.100s; legal is %s", config->path, key,
                                    found ? found : "missing", legal);
    free(found);
    return status;
}

static bool is_missing(const json_t *json)
{
    return !json || json_is_null(json);
}

static llmc_status get_size(const struct config *config, const char *key, int32_t by_default, int32_t *out)
{
    const json_t *json = json_object_get(config->root, key);
    if (is_missing(json) && by_default != REQUIRED) {
        *out = by_default;
        return LLMC_OK;
    }
    if (!json_is_integer(json) || json_integer_value(json) < 1 || json_integer_value(json) > INT32_MAX)
        return field_error(config, key, "an integer above 0");
    *out = (int32_t)json_integer_value(json);
    return LLMC_OK;
}

/* A number from 0 to below 1. */
static llmc_status get_fraction(const struct config *config, const char *key, double by_default, float *out)
{
    const json_t *json = json_object_get(config->root, key);
    double value = is_missing(json) ? by_default : json_number_value(json);
    if ((!is_missing(json) && !json_is_number(json)) || !(value >= 0 && (float)value < 1))
        return field_error(config, key, "a number from 0 to below 1");
    *out = (float)value;
    return LLMC_OK;
}

/* *out stays owned by the JSON. */
static llmc_status get_text(const struct config *config, const char *key, const char *by_default, const char **out)
{
    const json_t *json = json_object_get(config->root, key);
    *out = by_default;
    if (is_missing(json))
        return LLMC_OK;
    if (!json_is_string(json))
        return field_error(config, key, "a text");
    *out = json_string_value(json);
    return LLMC_OK;
}

/* What changes the computation and is not implemented. */
static llmc_status check_supported(const struct config *config)
{
    static const struct {
        const char *key, *by_default, *legal;
    } texts[] = {{"model_type", "", "bert"}, {"position_embedding_type", "absolute", "absolute"}};
    static const char *const off[] = {"is_decoder", "add_cross_attention"};
    llmc_status status = LLMC_OK;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *text;
        LLMC_TRY(get_text(config, texts[i].key, texts[i].by_default, &text));
        if (strcmp(text, texts[i].legal) != 0)
            LLMC_FAIL(LLMC_ERR_UNSUPPORTED, "%s: \"%s\" is \"%.100s\"; legal is \"%s\"", config->path, texts[i].key,
                      text, texts[i].legal);
    }
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++)
        if (json_is_true(json_object_get(config->root, off[i])))
            LLMC_FAIL(LLMC_ERR_UNSUPPORTED, "%s: \"%s\" is true; legal is false", config->path, off[i]);
exit:
    return status;
}

static llmc_status parse_labels(const struct config *config, struct llmc_hf_folder *out)
{
    llmc_status status = LLMC_OK;
    const json_t *names = json_object_get(config->root, "id2label");
    int32_t *labels = &out->architecture.labels;
    if (is_missing(names))
        return get_size(config, "num_labels", 2, labels);
    if (!json_is_object(names) || json_object_size(names) == 0 || json_object_size(names) > 1 << 16)
        return field_error(config, "id2label", "an object {\"0\": NAME, \"1\": NAME, ...}");
    int32_t count = (int32_t)json_object_size(names);
    LLMC_TRY(get_size(config, "num_labels", count, labels));
    if (*labels != count)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: \"num_labels\" is %d; \"id2label\" has %d", config->path, *labels, count);
    LLMC_TRY(llmc_alloc(&out->label_names, (size_t)count, sizeof *out->label_names));
    for (int32_t i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        const char *name = json_string_value(json_object_get(names, key));
        if (!name || !*name || strchr(name, '\n'))
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: \"id2label\": no name of one line for \"%s\", though there are %d names",
                      config->path, key, count);
        LLMC_TRY(llmc_strdup(&out->label_names[i], name));
    }
exit:
    return status;
}

/* The defaults are those of Hugging Face's BertConfig. */
static llmc_status parse_config(const struct config *config, struct llmc_hf_folder *out)
{
    llmc_status status = LLMC_OK;
    struct llmc_architecture *architecture = &out->architecture;
    const char *activation;
    int32_t layers, heads, ffn;
    LLMC_TRY(check_supported(config));
    LLMC_TRY(get_size(config, "vocab_size", REQUIRED, &architecture->vocabulary));
    LLMC_TRY(get_size(config, "max_position_embeddings", 512, &architecture->positions));
    LLMC_TRY(get_size(config, "type_vocab_size", 2, &architecture->types));
    LLMC_TRY(get_size(config, "hidden_size", 768, &architecture->hidden));
    LLMC_TRY(get_size(config, "num_hidden_layers", 12, &layers));
    LLMC_TRY(get_size(config, "num_attention_heads", 12, &heads));
    LLMC_TRY(get_size(config, "intermediate_size", 3072, &ffn));
    LLMC_TRY(get_fraction(config, "layer_norm_eps", 1e-12, &architecture->norm_epsilon));
    LLMC_TRY(get_text(config, "hidden_act", "gelu", &activation));
    status = llmc_activation_parse(activation, &architecture->activation);
    if (status != LLMC_OK) {
        status = llmc_error_prefix(status, "%s: \"hidden_act\"", config->path);
        goto exit;
    }
    LLMC_TRY(parse_labels(config, out));
    status = llmc_architecture_set_layers(architecture, layers, heads, ffn);
    if (status == LLMC_OK)
        status = llmc_architecture_check(architecture);
    if (status != LLMC_OK)
        status = llmc_error_prefix(status, "%s", config->path);
exit:
    return status;
}

static llmc_status read_config(struct llmc_hf_folder *out, const char *path)
{
    llmc_status status = LLMC_OK;
    struct config config = {.path = path};
    char *text = NULL;
    size_t nbytes;
    json_error_t error;
    LLMC_TRY(llmc_file_read(path, CONFIG_NBYTES_MAX, &text, &nbytes));
    config.root = json_loadb(text, nbytes, JSON_REJECT_DUPLICATES, &error);
    if (!config.root)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: line %d, column %d: %s", path, error.line, error.column, error.text);
    if (!json_is_object(config.root))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: not a JSON object", path);
    LLMC_TRY(parse_config(&config, out));
exit:
    json_decref(config.root);
    free(text);
    return status;
}

/* Refuses a tensor that is not [rows, cols]. */
static llmc_status check_matrix(const struct llmc_safetensors *weights, const char *path, const char *name,
                                int32_t rows, int32_t cols)
{
    int rank;
    int64_t shape[4];
    llmc_status status = llmc_safetensors_shape(weights, name, &rank, shape);
    if (status == LLMC_OK && (rank != 2 || shape[0] != rows || shape[1] != cols))
        status = llmc_error(LLMC_ERR_FORMAT, "%s: tensor \"%s\" is not [%d, %d] as config.json says", path, name,
                            rows, cols);
    return status;
}

static llmc_status find_parts(struct llmc_hf_folder *out, const char *path)
{
    static const char *const prefixes[] = {"bert.", ""};
    const struct llmc_architecture *architecture = &out->architecture;
    llmc_status status = LLMC_OK;
    char name[64];
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0] && !out->prefix; i++) {
        snprintf(name, sizeof name, "%sembeddings.word_embeddings.weight", prefixes[i]);
        if (llmc_safetensors_has(out->weights, name))
            out->prefix = prefixes[i];
    }
    if (!out->prefix)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: no tensor \"bert.%s\" nor \"%s\"", path, name, name);
    LLMC_TRY(check_matrix(out->weights, path, name, architecture->vocabulary, architecture->hidden));
    snprintf(name, sizeof name, "%spooler.dense.weight", out->prefix);
    out->has_pooler = llmc_safetensors_has(out->weights, name);
    out->has_classifier = llmc_safetensors_has(out->weights, "classifier.weight");
    if (out->has_classifier)
        LLMC_TRY(check_matrix(out->weights, path, "classifier.weight", architecture->labels, architecture->hidden));
exit:
    return status;
}

llmc_status llmc_hf_folder_open(struct llmc_hf_folder *out, const char *folder)
{
    llmc_status status = LLMC_OK;
    char *config = NULL, *weights = NULL;
    *out = (struct llmc_hf_folder){0};
    LLMC_TRY(llmc_path_join(&config, folder, "config.json"));
    LLMC_TRY(llmc_path_join(&weights, folder, "model.safetensors"));
    LLMC_TRY(read_config(out, config));
    LLMC_TRY(llmc_safetensors_open(&out->weights, weights));
    LLMC_TRY(find_parts(out, weights));
exit:
    free(config);
    free(weights);
    if (status != LLMC_OK)
        llmc_hf_folder_release(out);
    return status;
}

void llmc_hf_folder_release(struct llmc_hf_folder *folder)
{
    for (int32_t i = 0; folder->label_names && i < folder->architecture.labels; i++)
        free(folder->label_names[i]);
    free(folder->label_names);
    llmc_safetensors_free(folder->weights);
    *folder = (struct llmc_hf_folder){0};
}
