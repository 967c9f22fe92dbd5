#include "config/internal.h"

#include "base/file.h"
#include "base/memory.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NBYTES_MAX (256 * 1024)
#define KEY_NBYTES 96 /* of a dotted key in messages */

/* What a run of llmc_config_load works on. */
struct loading {
    struct llmc_config *config;
    const char *path;
    struct llmc_yaml yaml;
    struct llmc_config_origin origins[LLMC_CONFIG_KEYS_MAX]; /* of each of the run's keys */
    char allowed_kinds[LLMC_CONFIG_TEXT_NBYTES];             /* "allowed are teacher, logits, ..." */
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
    const struct llmc_config_table table = llmc_config_kind_keys(stage->kind);
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
        const struct llmc_config_key *key = llmc_config_key_find(&table, text);
        llmc_config_quote(quoted, text);
        snprintf(name, sizeof name, "%s%s", prefix, quoted);
        if (!key)
            LLMC_TRY(llmc_config_unknown(&origin, name, "", text, &table, "stage"));
        LLMC_TRY(llmc_config_set_node(key, stage->settings, &loading->yaml, llmc_yaml_node(&loading->yaml, pair->value), &origin,
                                      name));
    }
exit:
    return status;
}

static void clear_fields(const struct llmc_config_table *table, void *base)
{
    for (size_t i = 0; base && i < table->count; i++)
        llmc_config_clear_field(&table->keys[i], base);
}

static void release_stage(struct llmc_stage_config *stage)
{
    const struct llmc_config_table table = llmc_config_kind_keys(stage->kind);
    clear_fields(&table, stage->settings);
    free(stage->settings);
}

static void name_stage(struct llmc_config *config, int32_t index)
{
    struct llmc_stage_config *stage = &config->stages[index];
    snprintf(stage->name, sizeof stage->name, "%02d-%s", index + 1, stage->kind->name);
}

/* The value of "stage" in an entry of `stages`, wherever in the entry it stands. */
static llmc_status read_kind(struct loading *loading, const yaml_node_t *mapping, int32_t index)
{
    const struct llmc_config_origin entry = {loading->path, llmc_yaml_line(mapping), NULL};
    struct llmc_stage_config *stage = &loading->config->stages[index];
    char name[KEY_NBYTES];
    char quoted[64];
    snprintf(name, sizeof name, "stages.%d", index + 1);
    if (mapping->type != YAML_MAPPING_NODE)
        return llmc_config_error(&entry, name, "is no mapping; write \"- stage: KIND\"; %s", loading->allowed_kinds);
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
            return llmc_config_error(&origin, name, "is no text; %s", loading->allowed_kinds);
        llmc_config_quote(quoted, text);
        stage->kind = llmc_config_kind_find(loading->config->kinds, text);
        if (!stage->kind)
            return llmc_config_error(&origin, name, "is \"%s\"; %s", quoted, loading->allowed_kinds);
        stage->line = origin.line;
        name_stage(loading->config, index);
        return LLMC_OK;
    }
    return llmc_config_error(&entry, name, "has no key \"stage\"; %s", loading->allowed_kinds);
}

static llmc_status set_defaults(struct loading *loading, const struct llmc_config_table *table, void *base)
{
    llmc_status status = LLMC_OK;
    const struct llmc_config_origin origin = {loading->path, 0, NULL};
    for (size_t i = 0; i < table->count; i++)
        if (table->keys[i].fallback)
            LLMC_TRY(llmc_config_set_text(&table->keys[i], base, table->keys[i].fallback, &origin,
                                          table->keys[i].name));
exit:
    return status;
}

static llmc_status begin_stage(struct loading *loading, struct llmc_stage_config *stage)
{
    const struct llmc_config_table table = llmc_config_kind_keys(stage->kind);
    llmc_status status = llmc_alloc(&stage->settings, 1, stage->kind->settings_nbytes);
    return status == LLMC_OK ? set_defaults(loading, &table, stage->settings) : status;
}

static llmc_status read_stages(struct loading *loading, const yaml_node_t *list, int line)
{
    llmc_status status = LLMC_OK;
    struct llmc_config *config = loading->config;
    const struct llmc_config_origin origin = {loading->path, line, NULL};
    if (list->type != YAML_SEQUENCE_NODE || list->data.sequence.items.start == list->data.sequence.items.top)
        return llmc_config_error(&origin, "stages", "is no list of stages; write \"- stage: KIND\" lines below it; %s",
                                 loading->allowed_kinds);
    for (const yaml_node_item_t *item = list->data.sequence.items.start; item < list->data.sequence.items.top;
         item++) {
        const yaml_node_t *mapping = llmc_yaml_node(&loading->yaml, *item);
        if (config->stage_count == LLMC_STAGES_MAX)
            return llmc_config_error(&origin, "stages", "has more than %d entries", LLMC_STAGES_MAX);
        int32_t index = config->stage_count;
        LLMC_TRY(read_kind(loading, mapping, index));
        config->stage_count++;
        LLMC_TRY(begin_stage(loading, &config->stages[index]));
        LLMC_TRY(read_stage_keys(loading, mapping, index));
    }
exit:
    return status;
}

static bool is_section(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < llmc_config_run_keys.count; i++) {
        const char *key = llmc_config_run_keys.keys[i].name;
        if (strncmp(key, name, length) == 0 && key[length] == '.')
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
        const struct llmc_config_key *key = strchr(text, '.') ? NULL : llmc_config_key_find(&llmc_config_run_keys, name);
        if (key) {
            LLMC_TRY(llmc_config_set_node(key, loading->config, &loading->yaml, value, &origin, name));
            loading->origins[key - llmc_config_run_keys.keys] = origin;
        } else if (!prefix[0] && strcmp(text, "stages") == 0) {
            LLMC_TRY(read_stages(loading, value, origin.line));
        } else if (!prefix[0] && is_section(text)) {
            if (value->type != YAML_MAPPING_NODE)
                LLMC_TRY(llmc_config_error(&origin, name, "is no section; write its keys indented below it"));
            snprintf(name, sizeof name, "%s.", text);
            LLMC_TRY(read_section(loading, value, name));
        } else {
            LLMC_TRY(llmc_config_unknown(&origin, name, prefix, text, &llmc_config_run_keys, prefix[0] ? NULL : "stages"));
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
        LLMC_FAIL(LLMC_ERR_CONFIG, "%s: stages: missing; %s", loading->path, loading->allowed_kinds);
exit:
    free(text);
    return status;
}

/* ---- --set ---- */

/* Which stages of the list a set means: those of `kind`, or (NULL) the one at `index`. */
struct which {
    const struct llmc_config_kind *kind;
    int32_t index;
};

static bool is_meant(const struct llmc_config *config, const struct which *which, int32_t index)
{
    return which->kind ? config->stages[index].kind == which->kind : index == which->index;
}

/* `text` is "N" or "KIND"; there are stages that it means. */
static llmc_status find_which(const struct loading *loading, const struct llmc_config_origin *origin, const char *text,
                              struct which *which)
{
    const struct llmc_config *config = loading->config;
    which->kind = llmc_config_kind_find(config->kinds, text);
    if (!which->kind) {
        char *end = NULL;
        long number = strtol(text, &end, 10);
        if (*end || end == text || number < 1 || number > config->stage_count)
            return llmc_config_error(origin, "stages", "no such stage; %s has %d, and %s", loading->path,
                                     config->stage_count, loading->allowed_kinds);
        which->index = (int32_t)number - 1;
        return LLMC_OK;
    }
    for (int32_t i = 0; i < config->stage_count; i++)
        if (is_meant(config, which, i))
            return LLMC_OK;
    return llmc_config_error(origin, "stages", "%s has no %s stage", loading->path, text);
}

/* The others move up: their names count them. */
static void leave_out(struct llmc_config *config, const struct which *which)
{
    int32_t count = 0;
    for (int32_t i = 0; i < config->stage_count; i++) {
        if (is_meant(config, which, i)) {
            release_stage(&config->stages[i]);
            continue;
        }
        config->stages[count] = config->stages[i];
        name_stage(config, count++);
    }
    memset(config->stages + count, 0, (size_t)(config->stage_count - count) * sizeof *config->stages);
    config->stage_count = count;
}

/* "stages.N.KEY" or "stages.KIND.KEY", or without key and "off"; `rest` stands behind "stages.". */
static llmc_status set_in_stages(struct loading *loading, const struct llmc_config_origin *origin, const char *rest,
                                 const char *value)
{
    llmc_status status = LLMC_OK;
    struct llmc_config *config = loading->config;
    size_t length = strcspn(rest, ".");
    char text[32];
    struct which which = {0};
    if (length == 0 || length >= sizeof text || (!rest[length] && strcmp(value, "off") != 0))
        return llmc_config_error(origin, "stages", "sets no key of a stage; allowed are stages.N.KEY and "
                                 "stages.KIND.KEY, or stages.N=off and stages.KIND=off");
    snprintf(text, sizeof text, "%.*s", (int)length, rest);
    LLMC_TRY(find_which(loading, origin, text, &which));
    for (int32_t i = 0; rest[length] && i < config->stage_count; i++) {
        if (!is_meant(config, &which, i))
            continue;
        const struct llmc_config_table table = llmc_config_kind_keys(config->stages[i].kind);
        const struct llmc_config_key *key = llmc_config_key_find(&table, rest + length + 1);
        if (!key)
            LLMC_TRY(llmc_config_unknown(origin, "stages", "", rest + length + 1, &table, "stage"));
        LLMC_TRY(llmc_config_set_text(key, config->stages[i].settings, value, origin, key->name));
    }
    if (!rest[length])
        leave_out(config, &which);
    if (config->stage_count == 0)
        status = llmc_config_error(origin, "stages", "leaves no stage");
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
    const struct llmc_config_key *key = llmc_config_key_find(&llmc_config_run_keys, name);
    if (!key) {
        char section[KEY_NBYTES] = "";
        if (is_section(name))
            LLMC_TRY(llmc_config_error(&origin, name, "is a section; write %s.KEY=VALUE", name));
        if (dot && dot - name + 1 < (int)sizeof section)
            snprintf(section, sizeof section, "%.*s", (int)(dot - name), name);
        bool known = section[0] && is_section(section);
        if (known)
            strcat(section, ".");
        LLMC_TRY(llmc_config_unknown(&origin, name, known ? section : "", known ? dot + 1 : name, &llmc_config_run_keys,
                                     known ? NULL : "stages"));
    }
    LLMC_TRY(llmc_config_set_text(key, loading->config, equals + 1, &origin, name));
    loading->origins[key - llmc_config_run_keys.keys] = origin;
exit:
    free(name);
    return status;
}

/* ---- both ---- */

llmc_status llmc_config_load(struct llmc_config *out, const char *path, const char *const *sets, size_t set_count,
                             const struct llmc_config_kind *const *kinds)
{
    llmc_status status = LLMC_OK;
    struct loading loading = {.config = out, .path = path};
    *out = (struct llmc_config){.kinds = kinds};
    llmc_config_allowed_kinds(kinds, loading.allowed_kinds);
    for (size_t i = 0; i < llmc_config_run_keys.count; i++)
        loading.origins[i] = (struct llmc_config_origin){path, 0, NULL};
    LLMC_TRY(llmc_strdup(&out->path, path));
    LLMC_TRY(set_defaults(&loading, &llmc_config_run_keys, out));
    LLMC_TRY(read_file(&loading));
    for (size_t i = 0; i < set_count; i++)
        LLMC_TRY(apply_set(&loading, sets[i]));
    out->teacher.folder = out->teacher.folders.count > 0 ? out->teacher.folders.texts[0] : NULL;
    LLMC_TRY(llmc_config_check(out, loading.origins));
exit:
    llmc_yaml_release(&loading.yaml);
    if (status != LLMC_OK)
        llmc_config_release(out);
    return status;
}

void llmc_config_release(struct llmc_config *config)
{
    for (int32_t i = 0; i < config->stage_count; i++)
        release_stage(&config->stages[i]);
    clear_fields(&llmc_config_run_keys, config);
    free(config->path);
    *config = (struct llmc_config){0};
}
