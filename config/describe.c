/* The reference of all keys: plain text for --keys, tables for doc/configuration.md. */
#include "config/internal.h"
#include "config/stream.h"

#include <string.h>

/* A key of stages with the kinds that have it: rows of several kinds that differ in their default alone are one. */
struct merged {
    const struct llmc_config_key *key;
    char kinds[160];     /* "distill, qat, prune" */
    char defaults[160];  /* "3", or "2 (prune), 3 (teacher, distill)" */
};

static bool same_key(const struct llmc_config_key *a, const struct llmc_config_key *b)
{
    return strcmp(a->name, b->name) == 0 && a->type == b->type && a->min <= b->min && a->min >= b->min &&
           a->max <= b->max && a->max >= b->max && a->above_min == b->above_min && a->choices == b->choices &&
           strcmp(a->meaning, b->meaning) == 0;
}

static const struct llmc_config_key *find_same(const struct llmc_config_kind *kind, const struct llmc_config_key *key)
{
    for (size_t i = 0; i < kind->key_count; i++)
        if (same_key(&kind->keys[i], key))
            return &kind->keys[i];
    return NULL;
}

static void append(char *text, size_t nbytes, const char *separator, const char *more)
{
    size_t length = strlen(text);
    snprintf(text + length, nbytes - length, "%s%s", length ? separator : "", more);
}

/* Whether `kind` is the first of `kinds` that has the key. */
static bool is_first(const struct llmc_config_kind *const *kinds, const struct llmc_config_kind *kind,
                     const struct llmc_config_key *key)
{
    for (; *kinds != kind; kinds++)
        if (find_same(*kinds, key))
            return false;
    return true;
}

static struct merged merge(const struct llmc_config_kind *const *kinds, const struct llmc_config_key *key)
{
    struct merged merged = {.key = key};
    bool one_default = true;
    for (size_t i = 0; kinds[i]; i++) {
        const struct llmc_config_key *same = find_same(kinds[i], key);
        if (!same)
            continue;
        append(merged.kinds, sizeof merged.kinds, ", ", kinds[i]->name);
        one_default = one_default && strcmp(same->fallback, key->fallback) == 0;
    }
    if (one_default) {
        snprintf(merged.defaults, sizeof merged.defaults, "%s", key->fallback);
        return merged;
    }
    for (size_t i = 0; kinds[i]; i++) {
        const struct llmc_config_key *same = find_same(kinds[i], key);
        char text[64];
        if (!same)
            continue;
        snprintf(text, sizeof text, "%s %s", kinds[i]->name, same->fallback);
        append(merged.defaults, sizeof merged.defaults, "; ", text);
    }
    return merged;
}

static void write_row(FILE *stream, const struct merged *merged, bool markdown)
{
    char allowed[LLMC_CONFIG_TEXT_NBYTES];
    const struct llmc_config_key *key = merged->key;
    const char *fallback = merged->defaults[0] ? merged->defaults : "required";
    llmc_config_allowed(key, allowed);
    if (!markdown) {
        fprintf(stream, "  %-21s %-11s %s%s%s (%s)\n", key->name, fallback, merged->kinds, merged->kinds[0] ? ": " : "",
                key->meaning, allowed);
        return;
    }
    fprintf(stream, "| `%s` |", key->name);
    if (merged->kinds[0])
        fprintf(stream, " %s |", merged->kinds);
    fprintf(stream, " %s | %s | %s |\n", strcmp(fallback, "\"\"") == 0 ? "none" : fallback, key->meaning, allowed);
}

static void write_run_keys(FILE *stream, bool markdown)
{
    fputs(markdown ? "## Keys of the run\n\n| key | default | meaning | allowed |\n|---|---|---|---|\n"
                   : "Keys of a configuration: name, default, meaning, allowed values\n\n", stream);
    for (size_t i = 0; i < llmc_config_run_keys.count; i++) {
        struct merged merged = {.key = &llmc_config_run_keys.keys[i]};
        if (merged.key->fallback)
            snprintf(merged.defaults, sizeof merged.defaults, "%s", merged.key->fallback);
        write_row(stream, &merged, markdown);
    }
}

static void write_kinds(FILE *stream, const struct llmc_config_kind *const *kinds, bool markdown)
{
    fputs(markdown ? "\n## Stages\n\n| stage | does |\n|---|---|\n" : "\nStages, the values of the key \"stage\"\n\n", stream);
    for (size_t i = 0; kinds[i]; i++)
        fprintf(stream, markdown ? "| `%s` | %s |\n" : "  %-21s %s\n", kinds[i]->name, kinds[i]->does);
}

llmc_status llmc_config_describe(const struct llmc_config_kind *const *kinds, bool markdown, char **text)
{
    size_t nbytes = 0;
    FILE *stream = llmc_config_stream(text, &nbytes);
    if (!stream)
        return LLMC_ERR_MEMORY;
    write_run_keys(stream, markdown);
    write_kinds(stream, kinds, markdown);
    fputs(markdown ? "\n## Keys of stages\n\n| key | in | default | meaning | allowed |\n|---|---|---|---|---|\n"
                   : "\nKeys of stages: name, default, stages that take it, meaning, allowed values\n\n", stream);
    for (size_t i = 0; kinds[i]; i++) {
        for (size_t k = 0; k < kinds[i]->key_count; k++) {
            if (!is_first(kinds, kinds[i], &kinds[i]->keys[k]))
                continue;
            const struct merged merged = merge(kinds, &kinds[i]->keys[k]);
            write_row(stream, &merged, markdown);
        }
    }
    return llmc_config_stream_end(stream, text);
}
