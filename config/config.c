#include "config/config.h"

#include "base/file.h"
#include "base/memory.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NBYTES_MAX (256 * 1024)
#define KEY_NBYTES 96 /* of a dotted key in messages */
#define STAGE_KINDS (LLMC_STAGE_VERIFY + 1)

/* What a run of llmc_config_load works on. */
struct loading {
    struct llmc_config *config;
    const char *path;
    struct llmc_yaml yaml;
    struct llmc_config_origin origins[LLMC_CONFIG_KEYS_MAX]; /* a row of the table each */
};

/* ---- the file ---- */

/* The text of the key of `pair`, checked: plain text that no earlier pair of `mapping` has. */
static llmc_status read_key(struct loading *loading, const yaml_node_t *mapping, const yaml_node_pair_t *pair,
                            const char *prefix, const char **key)
{
    const yaml_node_t *node = llmc_yaml_node(&loading->yaml, pair->key);
    const struct llmc_config_origin origin = {loading->path, llmc_yaml_line(node), NULL};
    char name[KEY_NBYTES];
    char quoted[64];
    *key = llmc_yaml_text(node);
    if (!*key)
        return llmc_config_error(&origin, prefix[0] ? prefix : "(top)", "has a key that is no text");
    for (const yaml_node_pair_t *earlier = mapping->data.mapping.pairs.start; earlier < pair; earlier++) {
        const yaml_node_t *other = llmc_yaml_node(&loading->yaml, earlier->key);
        const char *text = llmc_yaml_text(other);
        if (text && strcmp(text, *key) == 0) {
            llmc_config_quote(quoted, *key);
            snprintf(name, sizeof name, "%s%s", prefix, quoted);
            return llmc_config_error(&origin, name, "stands twice, first in line %d", llmc_yaml_line(other));
        }
    }
    return LLMC_OK;
}

static llmc_status read_stage_keys(struct loading *loading, const yaml_node_t *mapping, int32_t index)
{
    llmc_status status = LLMC_OK;
    struct llmc_stage_config *stage = &loading->config->stages[index];
    char prefix[32];
    snprintf(prefix, sizeof prefix, "stages.%d.", index + 1);
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top;
         pair++) {
        const char *text = NULL;
        char quoted[64];
        char name[KEY_NBYTES];
        LLMC_TRY(read_key(loading, mapping, pair, prefix, &text));
        if (strcmp(text, "stage") == 0)
            continue;
        const struct llmc_config_origin origin = {
            loading->path, llmc_yaml_line(llmc_yaml_node(&loading->yaml, pair->key)), NULL};
        const struct llmc_config_key *key = llmc_config_key_find(text, 1u << stage->kind);
        llmc_config_quote(quoted, text);
        snprintf(name, sizeof name, "%s%s", prefix, quoted);
        if (!key)
            LLMC_TRY(llmc_config_unknown(&origin, name, "", text, 1u << stage->kind));
        LLMC_TRY(llmc_config_set_node(key, stage, &loading->yaml, llmc_yaml_node(&loading->yaml, pair->value), &origin,
                                      name));
    }
exit:
    return status;
}

static bool parse_kind(const char *text, enum llmc_stage_kind *kind)
{
    for (int i = 0; i < STAGE_KINDS; i++) {
        if (strcmp(text, llmc_stage_kind_name((enum llmc_stage_kind)i)) == 0) {
            *kind = (enum llmc_stage_kind)i;
            return true;
        }
    }
    return false;
}

#define LEGAL_KINDS "legal are teacher, logits, distill, qat, prune, export, verify"

/* The value of "stage" in an entry of `stages`, wherever in the entry it stands. */
static llmc_status read_kind(struct loading *loading, const yaml_node_t *mapping, int32_t index)
{
    const struct llmc_config_origin entry = {loading->path, llmc_yaml_line(mapping), NULL};
    struct llmc_stage_config *stage = &loading->config->stages[index];
    char name[KEY_NBYTES];
    char quoted[64];
    snprintf(name, sizeof name, "stages.%d", index + 1);
    if (mapping->type != YAML_MAPPING_NODE)
        return llmc_config_error(&entry, name, "is no mapping; write \"- stage: KIND\"; " LEGAL_KINDS);
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top;
         pair++) {
        const char *key = llmc_yaml_text(llmc_yaml_node(&loading->yaml, pair->key));
        if (!key || strcmp(key, "stage") != 0)
            continue;
        const yaml_node_t *value = llmc_yaml_node(&loading->yaml, pair->value);
        const struct llmc_config_origin origin = {loading->path, llmc_yaml_line(value), NULL};
        const char *text = llmc_yaml_text(value);
        snprintf(name, sizeof name, "stages.%d.stage", index + 1);
        if (!text)
            return llmc_config_error(&origin, name, "is no text; " LEGAL_KINDS);
        llmc_config_quote(quoted, text);
        if (!parse_kind(text, &stage->kind))
            return llmc_config_error(&origin, name, "is \"%s\"; " LEGAL_KINDS, quoted);
        stage->line = origin.line;
        snprintf(stage->name, sizeof stage->name, "%02d-%s", index + 1, text);
        return LLMC_OK;
    }
    return llmc_config_error(&entry, name, "has no key \"stage\"; " LEGAL_KINDS);
}

static llmc_status set_stage_defaults(struct loading *loading, struct llmc_stage_config *stage)
{
    llmc_status status = LLMC_OK;
    const struct llmc_config_origin origin = {loading->path, 0, NULL};
    for (size_t i = 0; i < llmc_config_key_count; i++) {
        const struct llmc_config_key *key = &llmc_config_keys[i];
        if (key->kinds & (1u << stage->kind))
            LLMC_TRY(llmc_config_set_text(key, stage, key->fallback, &origin, key->name));
    }
exit:
    return status;
}

static llmc_status read_stages(struct loading *loading, const yaml_node_t *list, int line)
{
    llmc_status status = LLMC_OK;
    struct llmc_config *config = loading->config;
    const struct llmc_config_origin origin = {loading->path, line, NULL};
    if (list->type != YAML_SEQUENCE_NODE || list->data.sequence.items.start == list->data.sequence.items.top)
        return llmc_config_error(&origin, "stages", "is no list of stages; write \"- stage: KIND\" lines below it; "
                                                    LEGAL_KINDS);
    for (const yaml_node_item_t *item = list->data.sequence.items.start; item < list->data.sequence.items.top;
         item++) {
        const yaml_node_t *mapping = llmc_yaml_node(&loading->yaml, *item);
        if (config->stage_count == LLMC_STAGES_MAX)
            return llmc_config_error(&origin, "stages", "has more than %d entries", LLMC_STAGES_MAX);
        int32_t index = config->stage_count;
        LLMC_TRY(read_kind(loading, mapping, index));
        LLMC_TRY(set_stage_defaults(loading, &config->stages[index]));
        LLMC_TRY(read_stage_keys(loading, mapping, index));
        config->stage_count++;
    }
exit:
    return status;
}

static bool is_section(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < llmc_config_key_count; i++) {
        const struct llmc_config_key *key = &llmc_config_keys[i];
        if (key->kinds == 0 && strncmp(key->name, name, length) == 0 && key->name[length] == '.')
            return true;
    }
    return false;
}

/* The keys of the top (prefix "") or of a section (prefix "data."). */
static llmc_status read_section(struct loading *loading, const yaml_node_t *mapping, const char *prefix)
{
    llmc_status status = LLMC_OK;
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top;
         pair++) {
        const char *text = NULL;
        char quoted[64];
        char name[KEY_NBYTES];
        LLMC_TRY(read_key(loading, mapping, pair, prefix, &text));
        llmc_config_quote(quoted, text);
        snprintf(name, sizeof name, "%s%s", prefix, quoted);
        const yaml_node_t *value = llmc_yaml_node(&loading->yaml, pair->value);
        const struct llmc_config_origin origin = {
            loading->path, llmc_yaml_line(llmc_yaml_node(&loading->yaml, pair->key)), NULL};
        const struct llmc_config_key *key = strchr(text, '.') ? NULL : llmc_config_key_find(name, 0);
        if (key) {
            LLMC_TRY(llmc_config_set_node(key, loading->config, &loading->yaml, value, &origin, name));
            loading->origins[key - llmc_config_keys] = origin;
        } else if (!prefix[0] && strcmp(text, "stages") == 0) {
            LLMC_TRY(read_stages(loading, value, origin.line));
        } else if (!prefix[0] && is_section(text)) {
            if (value->type != YAML_MAPPING_NODE)
                LLMC_TRY(llmc_config_error(&origin, name, "is no section; write its keys indented below it"));
            snprintf(name, sizeof name, "%s.", text);
            LLMC_TRY(read_section(loading, value, name));
        } else {
            LLMC_TRY(llmc_config_unknown(&origin, name, prefix, text, 0));
        }
    }
exit:
    return status;
}

static llmc_status read_file(struct loading *loading)
{
    llmc_status status = LLMC_OK;
    char *text = NULL;
    size_t nbytes = 0;
    status = llmc_file_read(loading->path, FILE_NBYTES_MAX, &text, &nbytes);
    if (status == LLMC_ERR_FORMAT)
        status = LLMC_ERR_CONFIG; /* too large: no fault of a format here */
    if (status != LLMC_OK)
        goto exit;
    LLMC_TRY(llmc_yaml_parse(&loading->yaml, loading->path, true, text, nbytes));
    const yaml_node_t *root = llmc_yaml_root(&loading->yaml);
    if (!root)
        LLMC_FAIL(LLMC_ERR_CONFIG, "%s: holds no configuration", loading->path);
    if (root->type != YAML_MAPPING_NODE)
        LLMC_FAIL(LLMC_ERR_CONFIG, "%s:%d: is no mapping; write \"KEY: VALUE\" lines", loading->path,
                  llmc_yaml_line(root));
    LLMC_TRY(read_section(loading, root, ""));
    if (loading->config->stage_count == 0)
        LLMC_FAIL(LLMC_ERR_CONFIG, "%s: stages: missing; " LEGAL_KINDS, loading->path);
exit:
    free(text);
    return status;
}

/* ---- --set ---- */

/* "stages.N.KEY" or "stages.KIND.KEY"; `rest` stands behind "stages.". */
static llmc_status set_in_stages(struct loading *loading, const struct llmc_config_origin *origin, const char *rest,
                                 const char *value)
{
    llmc_status status = LLMC_OK;
    struct llmc_config *config = loading->config;
    enum llmc_stage_kind kind = LLMC_STAGE_TEACHER;
    const char *dot = strchr(rest, '.');
    char which[32];
    if (!dot || dot - rest >= (int)sizeof which)
        return llmc_config_error(origin, "stages", "sets no key of a stage; legal are stages.N.KEY and stages.KIND.KEY");
    snprintf(which, sizeof which, "%.*s", (int)(dot - rest), rest);
    bool by_kind = parse_kind(which, &kind);
    long number = 0;
    if (!by_kind) {
        char *end = NULL;
        number = strtol(which, &end, 10);
        if (*end || end == which || number < 1 || number > config->stage_count)
            return llmc_config_error(origin, "stages", "no such stage; %s has %d, and " LEGAL_KINDS, loading->path,
                                     config->stage_count);
    }
    bool found = false;
    for (int32_t i = 0; i < config->stage_count; i++) {
        struct llmc_stage_config *stage = &config->stages[i];
        if (by_kind ? stage->kind != kind : i + 1 != number)
            continue;
        const struct llmc_config_key *key = llmc_config_key_find(dot + 1, 1u << stage->kind);
        if (!key)
            LLMC_TRY(llmc_config_unknown(origin, "stages", "", dot + 1, 1u << stage->kind));
        LLMC_TRY(llmc_config_set_text(key, stage, value, origin, key->name));
        found = true;
    }
    if (!found)
        return llmc_config_error(origin, "stages", "%s has no %s stage", loading->path, which);
exit:
    return status;
}

static llmc_status apply_set(struct loading *loading, const char *set)
{
    llmc_status status = LLMC_OK;
    const struct llmc_config_origin origin = {loading->path, 0, set};
    char *name = NULL;
    const char *equals = strchr(set, '=');
    if (!equals)
        return llmc_config_error(&origin, "", "has no '='; write KEY=VALUE");
    LLMC_TRY(llmc_format(&name, "%.*s", (int)(equals - set), set));
    const char *dot = strrchr(name, '.');
    if (strncmp(name, "stages", 6) == 0 && (name[6] == '.' || name[6] == '\0')) {
        LLMC_TRY(set_in_stages(loading, &origin, name[6] ? name + 7 : name + 6, equals + 1));
        goto exit;
    }
    const struct llmc_config_key *key = llmc_config_key_find(name, 0);
    if (!key) {
        char section[KEY_NBYTES] = "";
        if (is_section(name))
            LLMC_TRY(llmc_config_error(&origin, name, "is a section; write %s.KEY=VALUE", name));
        if (dot && dot - name + 1 < (int)sizeof section)
            snprintf(section, sizeof section, "%.*s", (int)(dot - name), name);
        bool known = section[0] && is_section(section);
        if (known)
            strcat(section, ".");
        LLMC_TRY(llmc_config_unknown(&origin, name, known ? section : "", known ? dot + 1 : name, 0));
    }
    LLMC_TRY(llmc_config_set_text(key, loading->config, equals + 1, &origin, name));
    loading->origins[key - llmc_config_keys] = origin;
exit:
    free(name);
    return status;
}

/* ---- both ---- */

static llmc_status set_run_defaults(struct loading *loading)
{
    llmc_status status = LLMC_OK;
    const struct llmc_config_origin origin = {loading->path, 0, NULL};
    for (size_t i = 0; i < llmc_config_key_count; i++) {
        const struct llmc_config_key *key = &llmc_config_keys[i];
        loading->origins[i] = origin;
        if (key->kinds == 0 && key->fallback)
            LLMC_TRY(llmc_config_set_text(key, loading->config, key->fallback, &origin, key->name));
    }
exit:
    return status;
}

llmc_status llmc_config_load(struct llmc_config *out, const char *path, const char *const *sets, size_t set_count)
{
    llmc_status status = LLMC_OK;
    struct loading loading = {.config = out, .path = path};
    *out = (struct llmc_config){0};
    LLMC_TRY(llmc_strdup(&out->path, path));
    LLMC_TRY(set_run_defaults(&loading));
    LLMC_TRY(read_file(&loading));
    for (size_t i = 0; i < set_count; i++)
        LLMC_TRY(apply_set(&loading, sets[i]));
    LLMC_TRY(llmc_config_check(out, loading.origins));
exit:
    llmc_yaml_release(&loading.yaml);
    if (status != LLMC_OK)
        llmc_config_release(out);
    return status;
}

void llmc_config_release(struct llmc_config *config)
{
    free(config->path);
    free(config->name);
    free(config->data.folder);
    free(config->data.train);
    free(config->data.dev);
    free(config->data.text);
    free(config->data.text_pair);
    free(config->data.label);
    free(config->teacher.folder);
    *config = (struct llmc_config){0};
}
