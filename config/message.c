/* The messages about a configuration: where, which key, what is allowed, what was probably meant. */
#include "config/internal.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NAME_NBYTES 32 /* more than the longest key; longer words have no near key */

llmc_status llmc_config_error(const struct llmc_config_origin *origin, const char *key, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (origin->set)
        return llmc_error(LLMC_ERR_CONFIG, "--set %.200s: %s", origin->set, text);
    if (origin->line > 0)
        return llmc_error(LLMC_ERR_CONFIG, "%s:%d: %s: %s", origin->file, origin->line, key, text);
    return llmc_error(LLMC_ERR_CONFIG, "%s: %s: %s", origin->file, key, text);
}

void llmc_config_quote(char out[64], const char *text)
{
    size_t length = 0;
    for (; text[length] && length < 56; length++)
        out[length] = (unsigned char)text[length] < 0x20 || text[length] == 0x7f ? '?' : text[length];
    strcpy(out + length, text[length] ? "..." : "");
}

/* Least number of inserted, deleted, replaced and swapped letters that make b of a. */
static int edit_distance(const char *a, const char *b)
{
    int rows[NAME_NBYTES + 1][NAME_NBYTES + 1];
    int a_length = (int)strlen(a);
    int b_length = (int)strlen(b);
    if (a_length > NAME_NBYTES || b_length > NAME_NBYTES)
        return INT32_MAX;
    for (int i = 0; i <= a_length; i++)
        rows[i][0] = i;
    for (int j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (int i = 1; i <= a_length; i++) {
        for (int j = 1; j <= b_length; j++) {
            int least = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (rows[i - 1][j] + 1 < least)
                least = rows[i - 1][j] + 1;
            if (rows[i][j - 1] + 1 < least)
                least = rows[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && rows[i - 2][j - 2] + 1 < least)
                least = rows[i - 2][j - 2] + 1;
            rows[i][j] = least;
        }
    }
    return rows[a_length][b_length];
}

/* The next key under `prefix` after row *row, cut at its next '.', each once. */
static bool next_key(size_t *row, const char *prefix, const struct llmc_config_table *table,
                     char out[NAME_NBYTES + 1])
{
    size_t skip = strlen(prefix);
    for (; *row < table->count; ++*row) {
        const struct llmc_config_key *key = &table->keys[*row];
        if (strncmp(key->name, prefix, skip) != 0)
            continue;
        const char *name = key->name + skip;
        size_t length = strcspn(name, ".");
        if (strlen(out) == length && strncmp(out, name, length) == 0)
            continue; /* one more key of the section that was just given */
        snprintf(out, NAME_NBYTES + 1, "%.*s", (int)length, name);
        ++*row;
        return true;
    }
    return false;
}

struct key_search {
    const char *name;
    char allowed[LLMC_CONFIG_TEXT_NBYTES];
    char nearest[NAME_NBYTES + 1];
    int distance;
};

static void consider(struct key_search *search, const char *candidate)
{
    size_t length = strlen(search->allowed);
    snprintf(search->allowed + length, sizeof search->allowed - length, "%s%s", length ? ", " : "", candidate);
    int distance = edit_distance(search->name, candidate);
    if (distance < search->distance) {
        search->distance = distance;
        snprintf(search->nearest, sizeof search->nearest, "%s", candidate);
    }
}

llmc_status llmc_config_unknown(const struct llmc_config_origin *origin, const char *key, const char *prefix,
                                const char *name, const struct llmc_config_table *table, const char *more)
{
    struct key_search search = {.name = name, .distance = 1 + (int)(strlen(name) > 36 ? 12 : strlen(name) / 3 + 1)};
    char candidate[NAME_NBYTES + 1] = "";
    bool first = more && strcmp(more, "stage") == 0; /* as it stands in the file: "stage" before the keys, "stages" last */
    if (first)
        consider(&search, more);
    for (size_t row = 0; next_key(&row, prefix, table, candidate);)
        consider(&search, candidate);
    if (more && !first)
        consider(&search, more);
    if (search.nearest[0])
        return llmc_config_error(origin, key, "unknown key; did you mean %s? allowed are %s", search.nearest,
                                 search.allowed);
    return llmc_config_error(origin, key, "unknown key; allowed are %s", search.allowed);
}
