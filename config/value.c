#include "config/value.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is being read, for the messages. */
struct reading {
    const struct llmc_config_key *key;
    const struct llmc_config_origin *origin;
    const char *name;
};

/* "is WHAT; allowed are ..." */
static llmc_status refuse(const struct reading *reading, const char *what)
{
    char allowed[LLMC_CONFIG_TEXT_NBYTES];
    llmc_config_allowed(reading->key, allowed);
    return llmc_config_error(reading->origin, reading->name, "%s; allowed are %s", what, allowed);
}

static llmc_status refuse_text(const struct reading *reading, const char *format, const char *text)
{
    char quoted[64];
    char what[128];
    llmc_config_quote(quoted, text);
    snprintf(what, sizeof what, format, quoted);
    return refuse(reading, what);
}

/* The text of a node that must be one plain word (a number, a choice); NULL after a refusal. */
static const char *plain(const struct reading *reading, const yaml_node_t *node, llmc_status *status)
{
    const char *text = llmc_yaml_text(node);
    if (llmc_yaml_is_null(node))
        *status = refuse(reading, "is empty");
    else if (node->type != YAML_SCALAR_NODE)
        *status = refuse(reading, node->type == YAML_SEQUENCE_NODE ? "is a list" : "is a mapping");
    else if (!text)
        *status = refuse(reading, "holds a zero byte");
    else
        return text;
    return NULL;
}

/* Digits with an optional sign, all of the text. */
static bool is_whole(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* A decimal number: strtod alone would take "inf", "nan" and hexadecimal too. */
static bool is_number(const char *text)
{
    if (!strpbrk(text, "0123456789") || text[strspn(text, "+-0123456789.eE")] != '\0')
        return false;
    char *end = NULL;
    (void)strtod(text, &end);
    return *end == '\0';
}

static llmc_status read_number(const struct reading *reading, const yaml_node_t *node, bool whole, double *out)
{
    llmc_status status = LLMC_OK;
    const struct llmc_config_key *key = reading->key;
    const char *text = plain(reading, node, &status);
    if (!text)
        return status;
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || !is_number(text))
        return refuse_text(reading, "is the text \"%s\"", text);
    if (whole && !is_whole(text))
        return refuse_text(reading, "is %s, not a whole number", text);
    double value = strtod(text, NULL);
    if (!isfinite(value) || value < key->min || value > key->max || (key->above_min && value <= key->min))
        return refuse_text(reading, "is %s", text);
    *out = value;
    return LLMC_OK;
}

static llmc_status read_choice(const struct reading *reading, const yaml_node_t *node, int *out)
{
    llmc_status status = LLMC_OK;
    const char *text = plain(reading, node, &status);
    if (!text)
        return status;
    for (int i = 0; reading->key->choices[i]; i++) {
        if (strcmp(text, reading->key->choices[i]) == 0) {
            *out = i;
            return LLMC_OK;
        }
    }
    return refuse_text(reading, "is \"%s\"", text);
}

static bool is_file_name(const char *text)
{
    for (const char *c = text; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!letter && !strchr("-_.", *c))
            return false;
    }
    return text[0] != '.';
}

static llmc_status read_text(const struct reading *reading, const yaml_node_t *node, char **out)
{
    llmc_status status = LLMC_OK;
    const struct llmc_config_key *key = reading->key;
    const char *text = llmc_yaml_is_null(node) ? "" : plain(reading, node, &status);
    char *copy = NULL;
    if (!text)
        return status;
    if (node && llmc_yaml_is_null(node) && !llmc_yaml_text(node)[0])
        return refuse(reading, "has no value (\"\" is an empty one; one that begins with '#' goes into quotes)");
    if (!text[0] && key->min > 0)
        return refuse(reading, "is empty");
    if ((double)strlen(text) > key->max)
        return refuse(reading, "is too long");
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return refuse(reading, "holds a control character");
    }
    if (key->type == LLMC_KEY_NAME && !is_file_name(text))
        return refuse_text(reading, "is \"%s\"", text);
    status = llmc_strdup(&copy, text);
    if (status == LLMC_OK) {
        free(*out);
        *out = copy;
    }
    return status;
}

static llmc_status check_list(const struct reading *reading, const yaml_node_t *node, int max)
{
    if (!node || node->type != YAML_SEQUENCE_NODE)
        return refuse(reading, "is no list");
    if (node->data.sequence.items.top - node->data.sequence.items.start > max)
        return llmc_config_error(reading->origin, reading->name, "has more than %d entries", max);
    return LLMC_OK;
}

static llmc_status read_ints(const struct reading *reading, struct llmc_yaml *yaml, const yaml_node_t *node,
                             struct llmc_int_list *out)
{
    struct llmc_int_list list = {.count = 0};
    llmc_status status = LLMC_OK;
    LLMC_TRY(check_list(reading, node, LLMC_INT_LIST_MAX));
    for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
         item++) {
        double value = 0;
        LLMC_TRY(read_number(reading, llmc_yaml_node(yaml, *item), true, &value));
        list.values[list.count++] = (int32_t)value;
    }
    *out = list;
exit:
    return status;
}

static void free_texts(struct llmc_text_list *list)
{
    for (int32_t i = 0; list->texts && i < list->count; i++)
        free(list->texts[i]);
    free(list->texts);
    *list = (struct llmc_text_list){0};
}

static llmc_status read_texts(const struct reading *reading, struct llmc_yaml *yaml, const yaml_node_t *node,
                              struct llmc_text_list *out)
{
    struct llmc_text_list list = {0};
    llmc_status status = LLMC_OK;
    LLMC_TRY(check_list(reading, node, LLMC_TEXT_LIST_MAX));
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    LLMC_TRY(llmc_alloc(&list.texts, count + 1, sizeof *list.texts));
    for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
        list.count++;
        LLMC_TRY(read_text(reading, llmc_yaml_node(yaml, *item), &list.texts[list.count - 1]));
    }
    free_texts(out);
    *out = list;
    list = (struct llmc_text_list){0};
exit:
    free_texts(&list);
    return status;
}

/* A text in place of a list of one. */
static llmc_status read_one_text(const struct reading *reading, const yaml_node_t *node, struct llmc_text_list *out)
{
    struct llmc_text_list list = {.count = 1};
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_alloc(&list.texts, 1, sizeof *list.texts));
    LLMC_TRY(read_text(reading, node, &list.texts[0]));
    free_texts(out);
    *out = list;
    return LLMC_OK;
exit:
    free_texts(&list);
    return status;
}

llmc_status llmc_config_set_node(const struct llmc_config_key *key, void *base, struct llmc_yaml *yaml,
                                 const yaml_node_t *node, const struct llmc_config_origin *origin, const char *name)
{
    const struct reading reading = {key, origin, name};
    void *field = (char *)base + key->offset;
    double number = 0;
    llmc_status status = LLMC_OK;
    switch (key->type) {
    case LLMC_KEY_NAME:
    case LLMC_KEY_TEXT:
        return read_text(&reading, node, field);
    case LLMC_KEY_INT:
        if ((status = read_number(&reading, node, true, &number)) == LLMC_OK)
            *(int32_t *)field = (int32_t)number;
        return status;
    case LLMC_KEY_SEED:
        if ((status = read_number(&reading, node, true, &number)) == LLMC_OK)
            *(uint64_t *)field = (uint64_t)number;
        return status;
    case LLMC_KEY_NUMBER:
        if ((status = read_number(&reading, node, false, &number)) == LLMC_OK)
            *(double *)field = number;
        return status;
    case LLMC_KEY_CHOICE:
        return read_choice(&reading, node, field);
    case LLMC_KEY_INTS:
        return read_ints(&reading, yaml, node, field);
    case LLMC_KEY_TEXTS:
        return read_texts(&reading, yaml, node, field);
    case LLMC_KEY_ONE_OR_TEXTS:
        return node && node->type == YAML_SEQUENCE_NODE ? read_texts(&reading, yaml, node, field)
                                                        : read_one_text(&reading, node, field);
    }
    return status;
}

void llmc_config_clear_field(const struct llmc_config_key *key, void *base)
{
    void *field = (char *)base + key->offset;
    if (key->type == LLMC_KEY_NAME || key->type == LLMC_KEY_TEXT) {
        free(*(char **)field);
        *(char **)field = NULL;
    } else if (key->type == LLMC_KEY_TEXTS || key->type == LLMC_KEY_ONE_OR_TEXTS) {
        free_texts(field);
    }
}

llmc_status llmc_config_set_text(const struct llmc_config_key *key, void *base, const char *text,
                                 const struct llmc_config_origin *origin, const char *name)
{
    char where[256];
    struct llmc_yaml yaml = {.loaded = false};
    if (origin->set)
        snprintf(where, sizeof where, "--set %.200s", origin->set);
    else
        snprintf(where, sizeof where, "default of %s", name);
    if (text[strspn(text, " \t")] == '#')
        return llmc_config_error(origin, name, "begins with '#', a comment in YAML; put it into quotes");
    llmc_status status = llmc_yaml_parse(&yaml, where, false, text, strlen(text));
    if (status == LLMC_OK)
        status = llmc_config_set_node(key, base, &yaml, llmc_yaml_root(&yaml), origin, name);
    llmc_yaml_release(&yaml);
    return status;
}
