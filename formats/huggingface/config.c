#include "formats/huggingface/config.h"

#include "base/json_file.h"
#include "base/memory.h"
#include "formats/huggingface/config_fields.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRED (-1)
#define LABELS_MAX (1 << 16)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* config.json while it is read. */
struct source {
    const char *path;
    json_t *root;
};

static llmc_status field_error(const struct source *source, const char *key, const char *allowed)
{
    char *found = json_dumps(json_object_get(source->root, key), JSON_ENCODE_ANY | JSON_COMPACT);
    llmc_status status = llmc_error(LLMC_ERR_FORMAT, "%s: \"%s\" is %.100s; allowed is %s", source->path, key,
                                    found ? found : "missing", allowed);
    free(found);
    return status;
}

static bool is_missing(const json_t *json)
{
    return !json || json_is_null(json);
}

static llmc_status get_size(const struct source *source, const char *key, int32_t by_default, int32_t *out)
{
    const json_t *json = json_object_get(source->root, key);
    if (is_missing(json) && by_default != REQUIRED) {
        *out = by_default;
        return LLMC_OK;
    }
    if (!json_is_integer(json) || json_integer_value(json) < 1 || json_integer_value(json) > INT32_MAX)
        return field_error(source, key, "an integer above 0");
    *out = (int32_t)json_integer_value(json);
    return LLMC_OK;
}

/* A number from 0 to below 1. */
static llmc_status get_fraction(const struct source *source, const char *key, double by_default, float *out)
{
    const json_t *json = json_object_get(source->root, key);
    double value = is_missing(json) ? by_default : json_number_value(json);
    if ((!is_missing(json) && !json_is_number(json)) || !(value >= 0 && (float)value < 1))
        return field_error(source, key, "a number from 0 to below 1");
    *out = (float)value;
    return LLMC_OK;
}

/* *out stays owned by the JSON. */
static llmc_status get_text(const struct source *source, const char *key, const char *by_default, const char **out)
{
    const json_t *json = json_object_get(source->root, key);
    *out = by_default;
    if (is_missing(json))
        return LLMC_OK;
    if (!json_is_string(json))
        return field_error(source, key, "a text");
    *out = json_string_value(json);
    return LLMC_OK;
}

/* transformers has several names for one function: each of these differs from ours by rounding alone
 * (transformers/activations.py). */
static const char *activation_of(const char *name)
{
    static const char *const same[][2] = {{"gelu_python", "gelu"},
                                          {"gelu_pytorch_tanh", "gelu_new"},
                                          {"gelu_python_tanh", "gelu_new"},
                                          {"gelu_fast", "gelu_new"},
                                          {"gelu_accurate", "gelu_new"}};
    for (size_t i = 0; i < COUNT_OF(same); i++)
        if (strcmp(name, same[i][0]) == 0)
            return same[i][1];
    return name;
}

/* *out = the name of output `index`; some write numbers as such. */
static llmc_status read_label_name(const struct source *source, const json_t *names, int32_t index, char **out)
{
    llmc_status status = LLMC_OK;
    char key[16];
    snprintf(key, sizeof key, "%d", index);
    const json_t *value = json_object_get(names, key);
    const char *name = json_string_value(value);
    if (json_is_integer(value))
        return llmc_format(out, "%lld", (long long)json_integer_value(value));
    if (!name || !*name || strpbrk(name, "\r\n"))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: \"id2label\": no name of one line for \"%s\", though there are %zu names",
                  source->path, key, json_object_size(names));
    LLMC_TRY(llmc_strdup(out, name));
exit:
    return status;
}

/* "label2id" is what others read the names by; entries for names that "id2label" lacks are left over from another
 * model, and mean nothing. */
static llmc_status check_label2id(const struct source *source, const struct llmc_hf_config *out)
{
    const json_t *ids = json_object_get(source->root, "label2id");
    for (int32_t i = 0; i < out->architecture.labels; i++) {
        const json_t *id = json_object_get(ids, out->label_names[i]);
        const char *text = json_string_value(id);
        bool same = text ? strtoll(text, NULL, 10) == i : json_integer_value(id) == i;
        if (id && !same)
            return llmc_error(LLMC_ERR_FORMAT, "%s: \"id2label\" says that output %d is \"%s\", \"label2id\" says "
                              "something else; make them agree", source->path, i, out->label_names[i]);
    }
    return LLMC_OK;
}

static llmc_status read_labels(const struct source *source, struct llmc_hf_config *out)
{
    llmc_status status = LLMC_OK;
    const json_t *names = json_object_get(source->root, "id2label");
    int32_t *labels = &out->architecture.labels;
    int32_t count;
    LLMC_TRY(get_size(source, "_num_labels", 2, labels)); /* transformers 2 wrote it so */
    if (is_missing(names)) {
        LLMC_TRY(get_size(source, "num_labels", *labels, &count));
    } else {
        if (!json_is_object(names) || json_object_size(names) == 0)
            LLMC_TRY(field_error(source, "id2label", "an object {\"0\": NAME, \"1\": NAME, ...}"));
        count = json_object_size(names) > LABELS_MAX ? LABELS_MAX + 1 : (int32_t)json_object_size(names);
        LLMC_TRY(get_size(source, "num_labels", count, labels));
        if (*labels != count)
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: \"num_labels\" is %d; \"id2label\" has %d", source->path, *labels, count);
    }
    *labels = 0; /* as many as there are names to free */
    if (count > LABELS_MAX)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: more than %d labels", source->path, LABELS_MAX);
    LLMC_TRY(llmc_alloc(&out->label_names, (size_t)count, sizeof *out->label_names));
    for (; *labels < count; ++*labels) {
        char **name = &out->label_names[*labels];
        if (is_missing(names))
            LLMC_TRY(llmc_format(name, "LABEL_%d", *labels));
        else
            LLMC_TRY(read_label_name(source, names, *labels, name));
    }
    LLMC_TRY(check_label2id(source, out));
exit:
    return status;
}

/* What is wrong with a head that a model of this class of transformers has; NULL where it is a classifier of ours, or has
 * other names than one (then it is not read). */
static const char *task_of(const char *class_name)
{
    static const char *const known[] = {"BertForSequenceClassification", "BertModel", "BertForMaskedLM",
                                        "BertForPreTraining", "BertForNextSentencePrediction",
                                        "BertForQuestionAnswering", "BertLMHeadModel"};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(class_name, known[i]) == 0)
            return NULL;
    if (strcmp(class_name, "BertForTokenClassification") == 0)
        return "labels tokens";
    if (strcmp(class_name, "BertForMultipleChoice") == 0)
        return "chooses among texts";
    return "is a class that llmc does not know";
}

/* A classifier that means something else than one label out of several. */
static llmc_status find_head_problem(const struct source *source, struct llmc_hf_config *out)
{
    llmc_status status = LLMC_OK;
    const json_t *classes = json_object_get(source->root, "architectures");
    const char *type = "single_label_classification", *class_name = json_string_value(json_array_get(classes, 0));
    LLMC_TRY(get_text(source, "problem_type", type, &type));
    if (!is_missing(classes) && (!json_is_array(classes) || (json_array_size(classes) > 0 && !class_name)))
        LLMC_TRY(field_error(source, "architectures", "a list of names"));
    if (strcmp(type, "single_label_classification") != 0)
        LLMC_TRY(llmc_format(&out->head_problem, "%s: \"problem_type\" is \"%.100s\", for which llmc has no loss and no "
                             "answer yet; allowed is \"single_label_classification\"", source->path, type));
    else if (class_name && task_of(class_name))
        LLMC_TRY(llmc_format(&out->head_problem, "%s: \"architectures\" is \"%.100s\", which %s; allowed is "
                             "\"BertForSequenceClassification\"", source->path, class_name, task_of(class_name)));
    else if (out->architecture.labels < 2)
        LLMC_TRY(llmc_format(&out->head_problem, "%s: \"id2label\" has one name: a classifier with one output gives a "
                             "score, for which llmc has no loss and no answer yet; allowed are 2 outputs and more",
                             source->path));
exit:
    return status;
}

/* The defaults are those of Hugging Face's BertConfig. */
static llmc_status parse(const struct source *source, struct llmc_hf_config *out)
{
    llmc_status status = LLMC_OK;
    struct llmc_architecture *architecture = &out->architecture;
    const char *type, *activation;
    int32_t layers, heads, ffn;
    LLMC_TRY(get_text(source, "model_type", "bert", &type)); /* Google's first files have none */
    if (strcmp(type, "bert") != 0)
        LLMC_FAIL(LLMC_ERR_UNSUPPORTED, "%s: \"model_type\" is \"%.100s\"; allowed is \"bert\"", source->path, type);
    LLMC_TRY(llmc_hf_config_fields_check(source->root, source->path));
    LLMC_TRY(get_size(source, "vocab_size", REQUIRED, &architecture->vocabulary));
    LLMC_TRY(get_size(source, "max_position_embeddings", 512, &architecture->positions));
    LLMC_TRY(get_size(source, "type_vocab_size", 2, &architecture->types));
    LLMC_TRY(get_size(source, "hidden_size", 768, &architecture->hidden));
    LLMC_TRY(get_size(source, "num_hidden_layers", 12, &layers));
    LLMC_TRY(get_size(source, "num_attention_heads", 12, &heads));
    LLMC_TRY(get_size(source, "intermediate_size", 3072, &ffn));
    LLMC_TRY(get_fraction(source, "layer_norm_eps", 1e-12, &architecture->norm_epsilon));
    LLMC_TRY(get_text(source, "hidden_act", "gelu", &activation));
    status = llmc_activation_parse(activation_of(activation), &architecture->activation);
    if (status != LLMC_OK) {
        status = llmc_error_prefix(status, "%s: \"hidden_act\"", source->path);
        goto exit;
    }
    LLMC_TRY(read_labels(source, out));
    LLMC_TRY(find_head_problem(source, out));
    status = llmc_architecture_set_layers(architecture, layers, heads, ffn);
    if (status == LLMC_OK)
        status = llmc_architecture_check(architecture);
    if (status != LLMC_OK)
        status = llmc_error_prefix(status, "%s", source->path);
exit:
    return status;
}

llmc_status llmc_hf_config_read(struct llmc_hf_config *out, const char *path)
{
    llmc_status status = LLMC_OK;
    struct source source = {.path = path};
    *out = (struct llmc_hf_config){0};
    LLMC_TRY(llmc_json_file_read(path, &source.root));
    LLMC_TRY(parse(&source, out));
exit:
    json_decref(source.root);
    if (status != LLMC_OK)
        llmc_hf_config_release(out);
    return status;
}

void llmc_hf_config_release(struct llmc_hf_config *config)
{
    for (int32_t i = 0; config->label_names && i < config->architecture.labels; i++)
        free(config->label_names[i]);
    free(config->label_names);
    free(config->head_problem);
    *config = (struct llmc_hf_config){0};
}
