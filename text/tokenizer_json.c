#include "text/tokenizer_json.h"

#include "base/json_fields.h"
#include "base/memory.h"
#include "text/encode.h"
#include "text/tokenizer_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY(name) {name, LLMC_FIELD_ANY, NULL}
#define CHECK_FIELDS(object, fields, where)                                                                            \
    LLMC_TRY(llmc_json_fields_check(object, fields, sizeof fields / sizeof fields[0], path, where))

static const struct llmc_json_field top_fields[] = {
    ANY("version"),       ANY("truncation"),     ANY("padding"), ANY("added_tokens"), ANY("normalizer"),
    ANY("pre_tokenizer"), ANY("post_processor"), ANY("decoder"), ANY("model"),
};
/* Only the side that is cut matters: how much is cut, data.tokens_max says. */
static const struct llmc_json_field truncation_fields[] = {
    {"direction", LLMC_FIELD_TEXT, "Right, right"}, ANY("max_length"), ANY("strategy"), ANY("stride")};
static const struct llmc_json_field normalizer_fields[] = {
    ANY("type"), ANY("clean_text"), ANY("handle_chinese_chars"), ANY("lowercase"), ANY("strip_accents")};
static const struct llmc_json_field pre_tokenizer_fields[] = {ANY("type")};
static const struct llmc_json_field model_fields[] = {
    ANY("type"), ANY("unk_token"), ANY("continuing_subword_prefix"), ANY("max_input_chars_per_word"), ANY("vocab")};
static const struct llmc_json_field processor_fields[] = {
    ANY("type"), ANY("single"), ANY("pair"), ANY("special_tokens"), ANY("sep"), ANY("cls")};

/* The text of a JSON string, or "nothing" where it is none: for comparisons and messages. */
static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text ? text : "nothing";
}

/* object[key] must be the text `expected`; `where` names the object. */
static llmc_status expect_text(const json_t *object, const char *key, const char *expected, const char *path,
                               const char *where)
{
    const char *text = text_of(json_object_get(object, key));
    if (strcmp(text, expected) == 0)
        return LLMC_OK;
    return llmc_error(LLMC_ERR_UNSUPPORTED, "%s: %s.%s is \"%s\"; only BERT's \"%s\" is supported", path, where, key,
                      text, expected);
}

/* *out = a boolean, or `missing` for null and absent ones. */
static llmc_status read_boolean(const json_t *object, const char *key, int missing, int *out, const char *path)
{
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_boolean(value) && !json_is_null(value))
        return llmc_error(LLMC_ERR_FORMAT, "%s: %s is neither true, false nor null", path, key);
    *out = json_is_boolean(value) ? json_is_true(value) : missing;
    return LLMC_OK;
}

static llmc_status read_rules(struct llmc_tokenizer_rules *out, const json_t *root, const char *path)
{
    llmc_status status = LLMC_OK;
    const json_t *normalizer = json_object_get(root, "normalizer");
    int clean = 0, split_chinese = 0, lowercase = 0, strip_accents = 0;
    LLMC_TRY(expect_text(normalizer, "type", "BertNormalizer", path, "normalizer"));
    CHECK_FIELDS(normalizer, normalizer_fields, "normalizer.");
    LLMC_TRY(read_boolean(normalizer, "clean_text", true, &clean, path));
    LLMC_TRY(read_boolean(normalizer, "handle_chinese_chars", true, &split_chinese, path));
    LLMC_TRY(read_boolean(normalizer, "lowercase", true, &lowercase, path));
    LLMC_TRY(read_boolean(normalizer, "strip_accents", lowercase, &strip_accents, path));
    *out = (struct llmc_tokenizer_rules){
        .clean = clean, .split_chinese = split_chinese, .lowercase = lowercase, .strip_accents = strip_accents};
exit:
    return status;
}

static llmc_status check_model(const json_t *model, const char *path)
{
    llmc_status status = LLMC_OK;
    /* Early files leave the type out; the fields below exist in WordPiece alone. */
    if (json_object_get(model, "type"))
        LLMC_TRY(expect_text(model, "type", "WordPiece", path, "model"));
    CHECK_FIELDS(model, model_fields, "model.");
    LLMC_TRY(expect_text(model, "unk_token", llmc_special_names[LLMC_UNK], path, "model"));
    LLMC_TRY(expect_text(model, "continuing_subword_prefix", "##", path, "model"));
    const json_t *limit = json_object_get(model, "max_input_chars_per_word");
    if (json_integer_value(limit) != LLMC_WORD_CHARACTERS_MAX)
        LLMC_FAIL(LLMC_ERR_UNSUPPORTED, "%s: model.max_input_chars_per_word must be the number %d", path,
                  LLMC_WORD_CHARACTERS_MAX);
    if (!json_is_object(json_object_get(model, "vocab")))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: model.vocab is missing or not an object", path);
exit:
    return status;
}

/* One template of the post-processor must be `expected`, written as "[CLS]:0 A:0 [SEP]:0". */
static llmc_status check_template(const json_t *processor, const char *key, const char *expected, const char *path)
{
    char found[128] = "";
    size_t index;
    const json_t *part;
    json_array_foreach(json_object_get(processor, key), index, part)
    {
        const json_t *what = json_object_get(part, "SpecialToken");
        if (!what)
            what = json_object_get(part, "Sequence");
        size_t length = strlen(found);
        snprintf(found + length, sizeof found - length, "%s%s:%lld", index ? " " : "",
                 text_of(json_object_get(what, "id")), (long long)json_integer_value(json_object_get(what, "type_id")));
    }
    if (strcmp(found, expected) == 0)
        return LLMC_OK;
    return llmc_error(LLMC_ERR_UNSUPPORTED, "%s: post_processor.%s is \"%s\"; only BERT's \"%s\" is supported", path,
                      key, found, expected);
}

/* The processor puts an id of its own, which must be that of the vocabulary. */
static llmc_status check_id(const json_t *id, const json_t *vocabulary, int special, const char *path)
{
    const char *name = llmc_special_names[special];
    if (json_is_integer(id) && json_equal(id, json_object_get(vocabulary, name)))
        return LLMC_OK;
    return llmc_error(LLMC_ERR_FORMAT, "%s: post_processor has another id for %s than model.vocab", path, name);
}

static llmc_status check_processor(const json_t *processor, const json_t *vocabulary, const char *path)
{
    llmc_status status = LLMC_OK;
    const bool plain = strcmp(text_of(json_object_get(processor, "type")), "BertProcessing") == 0;
    if (!plain)
        LLMC_TRY(expect_text(processor, "type", "TemplateProcessing", path, "post_processor"));
    CHECK_FIELDS(processor, processor_fields, "post_processor.");
    if (!plain) {
        LLMC_TRY(check_template(processor, "single", "[CLS]:0 A:0 [SEP]:0", path));
        LLMC_TRY(check_template(processor, "pair", "[CLS]:0 A:0 [SEP]:0 B:1 [SEP]:1", path));
    }
    for (int special = LLMC_CLS; special <= LLMC_SEP; special++) {
        const char *name = llmc_special_names[special];
        const json_t *pair = json_object_get(processor, special == LLMC_CLS ? "cls" : "sep");
        const json_t *ids = json_object_get(json_object_get(json_object_get(processor, "special_tokens"), name), "ids");
        if (plain && strcmp(text_of(json_array_get(pair, 0)), name) != 0)
            LLMC_FAIL(LLMC_ERR_UNSUPPORTED, "%s: post_processor uses %s; only %s is supported", path,
                      text_of(json_array_get(pair, 0)), name);
        LLMC_TRY(check_id(plain ? json_array_get(pair, 1) : json_array_get(ids, 0), vocabulary, special, path));
    }
exit:
    return status;
}

/* Added tokens are found in the raw text. Ours are the five of BERT, as plain as BERT has them. */
static llmc_status check_added_tokens(const json_t *root, const json_t *vocabulary, const char *path)
{
    static const char *const flags[] = {"lstrip", "rstrip", "single_word", "normalized"};
    size_t index;
    const json_t *token;
    json_array_foreach(json_object_get(root, "added_tokens"), index, token)
    {
        const char *content = text_of(json_object_get(token, "content"));
        if (llmc_special_find(content) == LLMC_SPECIALS)
            return llmc_error(LLMC_ERR_UNSUPPORTED, "%s: added_tokens has \"%s\"; only [PAD], [UNK], [CLS], [SEP] and "
                              "[MASK] are supported", path, content);
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
            if (json_is_true(json_object_get(token, flags[i])))
                return llmc_error(LLMC_ERR_UNSUPPORTED, "%s: added token %s with \"%s\": true is not supported", path,
                                  content, flags[i]);
        const json_t *id = json_object_get(vocabulary, content);
        if (!json_is_integer(id) || !json_equal(id, json_object_get(token, "id")))
            return llmc_error(LLMC_ERR_FORMAT, "%s: added token %s has another id in model.vocab", path, content);
    }
    return LLMC_OK;
}

/* *out = the pieces of model.vocab in the order of their ids, each ended by '\n'. */
static llmc_status join_vocabulary(char **out, size_t *nbytes_ret, const json_t *vocabulary, const char *path)
{
    llmc_status status = LLMC_OK;
    size_t count = json_object_size(vocabulary), nbytes = 0;
    const char **pieces = NULL;
    const char *piece;
    json_t *value;
    *out = NULL;
    LLMC_TRY(llmc_alloc(&pieces, count, sizeof *pieces));
    json_object_foreach((json_t *)vocabulary, piece, value)
    {
        json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || (size_t)id >= count)
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: model.vocab[\"%s\"] is not an id from 0 to %zu", path, piece, count - 1);
        if (pieces[id])
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: model.vocab gives the id %lld to \"%s\" and \"%s\"", path, (long long)id,
                      pieces[id], piece);
        if (strchr(piece, '\n'))
            LLMC_FAIL(LLMC_ERR_UNSUPPORTED, "%s: the word piece %lld holds a line end", path, (long long)id);
        pieces[id] = piece;
        nbytes += strlen(piece) + 1;
    }
    LLMC_TRY(llmc_alloc(out, nbytes, 1));
    char *end = *out;
    for (size_t i = 0; i < count; i++) {
        end = stpcpy(end, pieces[i]);
        *end++ = '\n';
    }
    *nbytes_ret = nbytes;
exit:
    free(pieces);
    return status;
}

llmc_status llmc_tokenizer_from_json(struct llmc_tokenizer **out, const json_t *root, const char *path)
{
    llmc_status status = LLMC_OK;
    const json_t *model = json_object_get(root, "model");
    const json_t *vocabulary = json_object_get(model, "vocab");
    struct llmc_tokenizer_rules rules = {0};
    char *bytes = NULL;
    size_t nbytes = 0;
    *out = NULL;
    CHECK_FIELDS(root, top_fields, "");
    CHECK_FIELDS(json_object_get(root, "truncation"), truncation_fields, "truncation.");
    LLMC_TRY(check_model(model, path));
    LLMC_TRY(read_rules(&rules, root, path));
    LLMC_TRY(expect_text(json_object_get(root, "pre_tokenizer"), "type", "BertPreTokenizer", path, "pre_tokenizer"));
    CHECK_FIELDS(json_object_get(root, "pre_tokenizer"), pre_tokenizer_fields, "pre_tokenizer.");
    LLMC_TRY(check_processor(json_object_get(root, "post_processor"), vocabulary, path));
    LLMC_TRY(check_added_tokens(root, vocabulary, path));
    LLMC_TRY(join_vocabulary(&bytes, &nbytes, vocabulary, path));
    LLMC_TRY(llmc_tokenizer_create(out, bytes, nbytes, &rules, path));
exit:
    free(bytes);
    return status;
}
