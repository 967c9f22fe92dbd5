#include "base/file.h"
#include "base/memory.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

#define VOCABULARY_NBYTES_MAX ((size_t)1 << 28)

static llmc_status load_config(struct llmc_tokenizer_config *out, const char *path)
{
    llmc_status status = LLMC_OK;
    json_t *root = NULL;
    *out = (struct llmc_tokenizer_config){.lowercase = -1, .strip_accents = -1, .split_chinese = -1};
    if (!llmc_file_exists(path))
        return LLMC_OK;
    LLMC_TRY(llmc_json_read(path, &root));
    LLMC_TRY(llmc_tokenizer_config_from_json(out, root, path));
exit:
    json_decref(root);
    return status;
}

/* Releases of Hugging Face's libraries differ in which of the two files counts
 * where they contradict each other, so there is no right answer then. */
static llmc_status check_agreement(const struct llmc_tokenizer *tokenizer, const struct llmc_tokenizer_config *config,
                                   const char *json_path, const char *config_path)
{
    struct llmc_tokenizer_rules rules = llmc_tokenizer_get_rules(tokenizer);
    const struct {
        const char *json_key, *config_key;
        bool json_value;
        int config_value;
    } pairs[] = {
        {"lowercase", "do_lower_case", rules.lowercase, config->lowercase},
        {"strip_accents", "strip_accents", rules.strip_accents, config->strip_accents},
        {"handle_chinese_chars", "tokenize_chinese_chars", rules.split_chinese, config->split_chinese},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i].config_value >= 0 && pairs[i].config_value != pairs[i].json_value)
            return llmc_error(LLMC_ERR_UNSUPPORTED, "%s says %s: %s, but %s says normalizer.%s: %s; make them agree",
                              config_path, pairs[i].config_key, pairs[i].config_value ? "true" : "false", json_path,
                              pairs[i].json_key, pairs[i].json_value ? "true" : "false");
    return LLMC_OK;
}

static llmc_status load_json(struct llmc_tokenizer **out, const char *path, const struct llmc_tokenizer_config *config,
                             const char *config_path)
{
    llmc_status status = LLMC_OK;
    json_t *root = NULL;
    struct llmc_tokenizer *tokenizer = NULL;
    LLMC_TRY(llmc_json_read(path, &root));
    LLMC_TRY(llmc_tokenizer_from_json(&tokenizer, root, path));
    LLMC_TRY(check_agreement(tokenizer, config, path, config_path));
    *out = tokenizer;
    tokenizer = NULL;
exit:
    json_decref(root);
    llmc_tokenizer_free(tokenizer);
    return status;
}

/* "\r\n" becomes "\n", and the last line gets its end. `bytes` has one byte of room. */
static size_t unify_line_ends(char *bytes, size_t nbytes)
{
    size_t kept = 0;
    for (size_t i = 0; i < nbytes; i++)
        if (bytes[i] != '\r' || i + 1 == nbytes || bytes[i + 1] != '\n')
            bytes[kept++] = bytes[i];
    if (kept > 0 && bytes[kept - 1] != '\n')
        bytes[kept++] = '\n';
    return kept;
}

static llmc_status load_vocabulary(struct llmc_tokenizer **out, const char *path,
                                   const struct llmc_tokenizer_config *config)
{
    llmc_status status = LLMC_OK;
    char *bytes = NULL;
    size_t nbytes = 0;
    struct llmc_tokenizer_rules rules = {.clean = true, .lowercase = config->lowercase != 0,
                                         .split_chinese = config->split_chinese != 0};
    rules.strip_accents = config->strip_accents >= 0 ? config->strip_accents != 0 : rules.lowercase;
    LLMC_TRY(llmc_file_read(path, VOCABULARY_NBYTES_MAX, &bytes, &nbytes));
    nbytes = unify_line_ends(bytes, nbytes);
    LLMC_TRY(llmc_tokenizer_create(out, bytes, nbytes, &rules, path));
exit:
    free(bytes);
    return status;
}

llmc_status llmc_tokenizer_load(struct llmc_tokenizer **out, const char *folder)
{
    llmc_status status = LLMC_OK;
    char *json_path = NULL, *config_path = NULL, *vocabulary_path = NULL;
    struct llmc_tokenizer_config config;
    *out = NULL;
    LLMC_TRY(llmc_path_join(&json_path, folder, "tokenizer.json"));
    LLMC_TRY(llmc_path_join(&config_path, folder, "tokenizer_config.json"));
    LLMC_TRY(llmc_path_join(&vocabulary_path, folder, "vocab.txt"));
    LLMC_TRY(load_config(&config, config_path));
    if (llmc_file_exists(json_path))
        LLMC_TRY(load_json(out, json_path, &config, config_path));
    else if (llmc_file_exists(vocabulary_path))
        LLMC_TRY(load_vocabulary(out, vocabulary_path, &config));
    else
        LLMC_FAIL(LLMC_ERR_IO, "%s: has neither tokenizer.json nor vocab.txt", folder);
exit:
    free(json_path);
    free(config_path);
    free(vocabulary_path);
    return status;
}
