#include "formats/export/texts.h"

#include "text/utf8.h"

#include <jansson.h>
#include <string.h>

static llmc_status check_text(const char *what, const char *text, size_t nbytes)
{
    size_t valid = llmc_utf8_valid(text, nbytes);
    if (valid < nbytes || memchr(text, '\0', nbytes))
        return llmc_error(LLMC_ERR_UNSUPPORTED, "%s holds bytes that are not UTF-8 text; other formats take nothing else",
                          what);
    return LLMC_OK;
}

llmc_status llmc_export_check_texts(const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    struct llmc_tokenizer *tokenizer = NULL;
    for (int32_t i = 0; i < content->architecture.labels; i++)
        LLMC_TRY(check_text("a label", content->labels[i], strlen(content->labels[i])));
    LLMC_TRY(check_text("the origin", content->origin, strlen(content->origin)));
    LLMC_TRY(check_text("the vocabulary", content->vocabulary, content->vocabulary_nbytes));
    LLMC_TRY(llmc_tokenizer_create(&tokenizer, content->vocabulary, content->vocabulary_nbytes, &content->rules,
                                   "vocabulary"));
exit:
    llmc_tokenizer_free(tokenizer);
    return status;
}

static llmc_status dump(json_t *json, char **out)
{
    *out = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return *out ? LLMC_OK : llmc_error(LLMC_ERR_MEMORY, "cannot write JSON");
}

llmc_status llmc_export_labels(const struct llmc_compressed *content, char **out)
{
    json_t *labels = json_array();
    for (int32_t i = 0; i < content->architecture.labels; i++)
        json_array_append_new(labels, json_string(content->labels[i]));
    return dump(labels, out);
}

llmc_status llmc_export_tokenizer(const struct llmc_compressed *content, char **out)
{
    const struct llmc_tokenizer_rules *rules = &content->rules;
    return dump(json_pack("{s:s, s:b, s:b, s:b, s:b, s:i}", "type", "WordPiece", "lowercase", rules->lowercase,
                          "strip_accents", rules->strip_accents, "split_chinese", rules->split_chinese, "clean",
                          rules->clean, "tokens_max", content->tokens_max),
                out);
}
