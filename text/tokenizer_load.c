#include "base/file.h"
#include "base/json_file.h"
#include "base/lfs_pointer.h"
#include "base/memory.h"
#include "text/tokenizer.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

#define VOCABULARY_NBYTES_MAX ((size_t)1 << 28)

/* transformers builds BERT's tokenizer from the vocabulary of tokenizer.json and the rules of tokenizer_config.json;
 * the tokenizers library, and other releases, go by tokenizer.json alone. Where the two differ there is no right
 * answer. */
static llmc_status check_agreement(const struct llmc_tokenizer *tokenizer, const struct llmc_tokenizer_config *config,
                                   const char *json_path)
{
    const struct llmc_tokenizer_rules rules = llmc_tokenizer_get_rules(tokenizer);
    const struct llmc_tokenizer_rules theirs = llmc_tokenizer_config_rules(config);
    const struct {
        const char *json_key, *config_key;
        bool json_value, config_value, said;
    } pairs[] = {
        {"lowercase", "do_lower_case", rules.lowercase, theirs.lowercase, config->lowercase >= 0},
        {"strip_accents", "strip_accents", rules.strip_accents, theirs.strip_accents, config->strip_accents >= 0},
        {"handle_chinese_chars", "tokenize_chinese_chars", rules.split_chinese, theirs.split_chinese,
         config->split_chinese >= 0},
        {"clean_text", "clean_text", rules.clean, theirs.clean, false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i].config_value != pairs[i].json_value)
            return llmc_error(LLMC_ERR_UNSUPPORTED, "%s %s %s: %s%s, but %s says normalizer.%s: %s; make them agree",
                              config->path, pairs[i].said ? "says" : "does not say", pairs[i].config_key,
                              pairs[i].config_value ? "true" : "false",
                              pairs[i].said ? "" : ", which transformers then takes", json_path, pairs[i].json_key,
                              pairs[i].json_value ? "true" : "false");
    return LLMC_OK;
}

static llmc_status load_json(struct llmc_tokenizer **out, const char *path, const struct llmc_tokenizer_config *config)
{
    llmc_status status = LLMC_OK;
    json_t *root = NULL;
    LLMC_TRY(llmc_json_file_read(path, &root));
    LLMC_TRY(llmc_tokenizer_from_json(out, root, path));
    if (!config->json_alone)
        LLMC_TRY(check_agreement(*out, config, path));
exit:
    json_decref(root);
    return status;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\v' || byte == '\f';
}

/* Every piece ends with "\n", and has no blanks before it, as the tokenizers library reads them. `bytes` has one byte
 * of room. */
static size_t trim_lines(char *bytes, size_t nbytes)
{
    size_t kept = 0;
    for (size_t i = 0; i < nbytes; i++) {
        if (bytes[i] == '\n')
            while (kept > 0 && is_blank(bytes[kept - 1]))
                kept--;
        bytes[kept++] = bytes[i];
    }
    while (kept > 0 && is_blank(bytes[kept - 1]))
        kept--;
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
    const struct llmc_tokenizer_rules rules = llmc_tokenizer_config_rules(config);
    LLMC_TRY(llmc_file_read(path, VOCABULARY_NBYTES_MAX, &bytes, &nbytes));
    LLMC_TRY(llmc_lfs_pointer_refuse(path, bytes, nbytes));
    nbytes = trim_lines(bytes, nbytes);
    LLMC_TRY(llmc_tokenizer_create(out, bytes, nbytes, &rules, path));
exit:
    free(bytes);
    return status;
}

llmc_status llmc_tokenizer_load(struct llmc_tokenizer **out, const char *folder)
{
    llmc_status status = LLMC_OK;
    char *json_path = NULL, *vocabulary_path = NULL;
    struct llmc_tokenizer_config config = {0};
    struct llmc_tokenizer *tokenizer = NULL;
    *out = NULL;
    LLMC_TRY(llmc_path_join(&json_path, folder, "tokenizer.json"));
    LLMC_TRY(llmc_path_join(&vocabulary_path, folder, "vocab.txt"));
    const bool has_json = llmc_file_exists(json_path);
    LLMC_TRY(llmc_tokenizer_config_read(&config, folder, has_json));
    if (has_json)
        LLMC_TRY(load_json(&tokenizer, json_path, &config));
    else if (llmc_file_exists(vocabulary_path))
        LLMC_TRY(load_vocabulary(&tokenizer, vocabulary_path, &config));
    else
        LLMC_FAIL(LLMC_ERR_IO, "%s: has neither tokenizer.json nor vocab.txt", folder);
    LLMC_TRY(llmc_tokenizer_check_added(tokenizer, folder));
    *out = tokenizer;
    tokenizer = NULL;
exit:
    llmc_tokenizer_free(tokenizer);
    llmc_tokenizer_config_release(&config);
    free(json_path);
    free(vocabulary_path);
    return status;
}
