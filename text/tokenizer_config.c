#include "text/tokenizer_config.h"

#include "base/file.h"
#include "base/json_fields.h"
#include "base/json_file.h"
#include "base/memory.h"
#include "text/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Classes whose ids and types are BERT's (DistilBertTokenizer gives no types), and those that stand for "what
 * tokenizer.json says"; of these, transformers up to 4 gives the types that tokenizer.json says, as we do, and
 * transformers 5 none unless model_input_names asks for them. */
#define BERT_CLASSES "BertTokenizer, BertTokenizerFast, ElectraTokenizer, ElectraTokenizerFast"
#define JSON_CLASSES "PreTrainedTokenizerFast, TokenizersBackend"

#define ANY(name) {name, LLMC_FIELD_ANY, NULL}
#define OFF(name) {name, LLMC_FIELD_OFF, NULL}
#define ON(name) {name, LLMC_FIELD_ON, NULL}
#define TEXT(name, allowed) {name, LLMC_FIELD_TEXT, allowed}

static const char *const special_keys[LLMC_SPECIALS] = {"pad_token", "unk_token", "cls_token", "sep_token",
                                                        "mask_token"};
/* Keys that hold one token or several; all must be among the five. */
static const char *const token_keys[] = {"bos_token", "eos_token", "additional_special_tokens", "extra_special_tokens",
                                         "never_split"};

/* Of tokenizer_config.json and special_tokens_map.json, as transformers 2 to 5 and sentence-transformers write them. */
static const struct llmc_json_field fields[] = {
    /* read here */
    ANY("do_lower_case"), ANY("strip_accents"), ANY("tokenize_chinese_chars"),
    TEXT("tokenizer_class", BERT_CLASSES ", " JSON_CLASSES), ANY("pad_token"), ANY("unk_token"), ANY("cls_token"),
    ANY("sep_token"), ANY("mask_token"), ANY("bos_token"), ANY("eos_token"), ANY("additional_special_tokens"),
    ANY("extra_special_tokens"), ANY("never_split"), ANY("added_tokens_decoder"), ANY("model_input_names"),

    /* what would give other ids */
    ON("do_basic_tokenize"), ON("clean_text"), OFF("split_special_tokens"), OFF("auto_map"),
    TEXT("truncation_side", "right"), TEXT("wordpieces_prefix", "##"),

    /* lengths and padding: data.tokens_max decides, and there is no padding */
    ANY("model_max_length"), ANY("max_len"), ANY("max_length"), ANY("stride"), ANY("truncation_strategy"),
    ANY("padding_side"), ANY("pad_to_multiple_of"), ANY("pad_token_type_id"), ANY("max_model_input_sizes"),

    /* ids back to text */
    ANY("clean_up_tokenization_spaces"), ANY("spaces_between_special_tokens"), ANY("chat_template"),

    /* where the tokenizer comes from, and how it is loaded */
    ANY("name_or_path"), ANY("_name_or_path"), ANY("special_tokens_map_file"), ANY("tokenizer_file"), ANY("vocab_file"),
    ANY("full_tokenizer_file"), ANY("use_fast"), ANY("from_slow"), ANY("return_tensors"), ANY("backend"),
    ANY("is_local"), ANY("local_files_only"), ANY("processor_class"), ANY("init_inputs"), ANY("cache_dir"),
    ANY("revision"), ANY("trust_remote_code"), ANY("_commit_hash"), ANY("verbose"), ANY("transformers_version"),
    ANY("model_type"), ANY("language"), ANY("device_map"),
};

int llmc_special_find(const char *name)
{
    int special = 0;
    while (special < LLMC_SPECIALS && strcmp(name, llmc_special_names[special]) != 0)
        special++;
    return special;
}

/* The text of a token: a string, or an object with "content"; "nothing" for anything else. */
static const char *content_of(const json_t *token)
{
    const char *text = json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
    return text ? text : "nothing";
}

static llmc_status refuse_token(const char *path, const char *key, const char *content)
{
    return llmc_error(LLMC_ERR_UNSUPPORTED, "%s: %s adds the token \"%.100s\"; llmc supports [PAD], [UNK], [CLS], [SEP] "
                      "and [MASK] alone", path, key, content);
}

/* How a token that is written out in a text is found: BERT's are found as they stand. */
static llmc_status check_flags(const json_t *token, const char *path)
{
    static const char *const flags[] = {"lstrip", "rstrip", "single_word", "normalized"};
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (json_is_true(json_object_get(token, flags[i])))
            return llmc_error(LLMC_ERR_UNSUPPORTED, "%s: token %s with \"%s\": true is not supported", path,
                              content_of(token), flags[i]);
    return LLMC_OK;
}

static llmc_status check_specials(const json_t *root, const char *path, bool has_json)
{
    for (int i = 0; i < LLMC_SPECIALS; i++) {
        const json_t *token = json_object_get(root, special_keys[i]);
        if (token && strcmp(content_of(token), llmc_special_names[i]) != 0)
            return llmc_error(LLMC_ERR_UNSUPPORTED, "%s: %s is \"%.100s\"; only BERT's \"%s\" is supported", path,
                              special_keys[i], content_of(token), llmc_special_names[i]);
        if (json_is_object(token) && !has_json) { /* else tokenizer.json has the flags that count */
            llmc_status status = check_flags(token, path);
            if (status != LLMC_OK)
                return status;
        }
    }
    return LLMC_OK;
}

/* Keys whose tokens transformers takes out of a text before anything else. */
static llmc_status check_tokens(const json_t *root, const char *path)
{
    for (size_t i = 0; i < COUNT_OF(token_keys); i++) {
        json_t *value = json_object_get(root, token_keys[i]), *token;
        const char *key;
        size_t index;
        if (json_is_array(value)) {
            json_array_foreach(value, index, token) if (llmc_special_find(content_of(token)) == LLMC_SPECIALS)
                return refuse_token(path, token_keys[i], content_of(token));
        } else if (json_is_object(value) && !json_object_get(value, "content")) {
            json_object_foreach (value, key, token)
                if (llmc_special_find(content_of(token)) == LLMC_SPECIALS)
                    return refuse_token(path, token_keys[i], content_of(token));
        } else if (value && !json_is_null(value) && llmc_special_find(content_of(value)) == LLMC_SPECIALS) {
            return refuse_token(path, token_keys[i], content_of(value));
        }
    }
    return LLMC_OK;
}

/* Without token types the second text of a pair would count as a part of the first. */
static llmc_status check_inputs(const json_t *root, const char *path)
{
    json_t *names = json_object_get(root, "model_input_names"), *name;
    size_t index;
    if (!names || json_is_null(names))
        return LLMC_OK;
    json_array_foreach(names, index, name) if (strcmp(content_of(name), "token_type_ids") == 0) return LLMC_OK;
    return llmc_error(LLMC_ERR_UNSUPPORTED, "%s: model_input_names has no \"token_type_ids\", which llmc always gives to "
                      "the model", path);
}

/* *out = a boolean, or -1 where it is absent. */
static llmc_status read_boolean(const json_t *root, const char *key, bool null_allowed, int *out, const char *path)
{
    const json_t *value = json_object_get(root, key);
    *out = -1;
    if (!value || (json_is_null(value) && null_allowed))
        return LLMC_OK;
    if (!json_is_boolean(value))
        return llmc_error(LLMC_ERR_FORMAT, "%s: %s is neither true nor false", path, key);
    *out = json_is_true(value);
    return LLMC_OK;
}

/* *root = the content of FOLDER/NAME, NULL when there is no such file; *path = its path. */
static llmc_status read_file(json_t **root, char **path, const char *folder, const char *name)
{
    llmc_status status = LLMC_OK;
    *root = NULL;
    LLMC_TRY(llmc_path_join(path, folder, name));
    if (llmc_file_exists(*path))
        LLMC_TRY(llmc_json_file_read(*path, root));
exit:
    return status;
}

static llmc_status check_file(const json_t *root, const char *path, bool has_json)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_json_fields_check(root, fields, COUNT_OF(fields), path, ""));
    LLMC_TRY(check_specials(root, path, has_json));
    LLMC_TRY(check_tokens(root, path));
    LLMC_TRY(check_inputs(root, path));
exit:
    return status;
}

/* config.json names the class where tokenizer_config.json does not. */
static llmc_status read_class(struct llmc_tokenizer_config *out, const json_t *tokenizer_config, const char *folder)
{
    static const struct llmc_json_field field = TEXT("tokenizer_class", BERT_CLASSES ", " JSON_CLASSES);
    llmc_status status = LLMC_OK;
    json_t *root = NULL, *only = NULL;
    char *path = NULL;
    const char *name = json_string_value(json_object_get(tokenizer_config, "tokenizer_class"));
    if (!name) {
        LLMC_TRY(read_file(&root, &path, folder, "config.json"));
        name = json_string_value(json_object_get(root, field.name));
        only = name ? json_pack("{s:s}", field.name, name) : NULL;
        LLMC_TRY(llmc_json_fields_check(only, &field, 1, path, ""));
    }
    out->json_alone = name && strstr(JSON_CLASSES, name);
exit:
    json_decref(only);
    json_decref(root);
    free(path);
    return status;
}

llmc_status llmc_tokenizer_config_read(struct llmc_tokenizer_config *out, const char *folder, bool has_json)
{
    llmc_status status = LLMC_OK;
    json_t *root = NULL, *map = NULL;
    char *map_path = NULL;
    *out = (struct llmc_tokenizer_config){0};
    LLMC_TRY(read_file(&root, &out->path, folder, "tokenizer_config.json"));
    LLMC_TRY(check_file(root, out->path, has_json));
    LLMC_TRY(read_boolean(root, "do_lower_case", false, &out->lowercase, out->path));
    LLMC_TRY(read_boolean(root, "strip_accents", true, &out->strip_accents, out->path));
    LLMC_TRY(read_boolean(root, "tokenize_chinese_chars", false, &out->split_chinese, out->path));
    LLMC_TRY(read_class(out, root, folder));
    LLMC_TRY(read_file(&map, &map_path, folder, "special_tokens_map.json"));
    LLMC_TRY(check_file(map, map_path, has_json));
exit:
    json_decref(root);
    json_decref(map);
    free(map_path);
    if (status != LLMC_OK)
        llmc_tokenizer_config_release(out);
    return status;
}

void llmc_tokenizer_config_release(struct llmc_tokenizer_config *config)
{
    free(config->path);
    *config = (struct llmc_tokenizer_config){0};
}

struct llmc_tokenizer_rules llmc_tokenizer_config_rules(const struct llmc_tokenizer_config *config)
{
    struct llmc_tokenizer_rules rules = {.clean = true, .lowercase = config->lowercase != 0,
                                         .split_chinese = config->split_chinese != 0};
    rules.strip_accents = config->strip_accents >= 0 ? config->strip_accents != 0 : rules.lowercase;
    return rules;
}

static llmc_status check_added(const struct llmc_tokenizer *tokenizer, const char *content, json_int_t id,
                               const char *path, const char *key)
{
    int special = llmc_special_find(content);
    if (special == LLMC_SPECIALS)
        return refuse_token(path, key, content);
    if (tokenizer->special[special] != id)
        return llmc_error(LLMC_ERR_FORMAT, "%s: %s gives %s the id %lld; in the vocabulary it is %d", path, key, content,
                          (long long)id, tokenizer->special[special]);
    return LLMC_OK;
}

llmc_status llmc_tokenizer_check_added(const struct llmc_tokenizer *tokenizer, const char *folder)
{
    static const char decoder_key[] = "added_tokens_decoder";
    llmc_status status = LLMC_OK;
    json_t *root = NULL, *added = NULL, *value;
    char *path = NULL, *added_path = NULL;
    const char *key;
    LLMC_TRY(read_file(&root, &path, folder, "tokenizer_config.json"));
    json_object_foreach (json_object_get(root, decoder_key), key, value) {
        LLMC_TRY(check_added(tokenizer, content_of(value), strtoll(key, NULL, 10), path, decoder_key));
        LLMC_TRY(check_flags(value, path));
    }
    LLMC_TRY(read_file(&added, &added_path, folder, "added_tokens.json"));
    json_object_foreach (added, key, value)
        LLMC_TRY(check_added(tokenizer, key, json_is_integer(value) ? json_integer_value(value) : -1, added_path,
                             "the file"));
exit:
    json_decref(root);
    json_decref(added);
    free(path);
    free(added_path);
    return status;
}
