/* The configuration as YAML again, and the reference of all keys. */
#include "config/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAGE_KINDS (LLMC_STAGE_VERIFY + 1)

/* Ends an open_memstream: the text is complete, or there was no memory for it. */
static llmc_status finish(FILE *stream, char **text)
{
    int failed = ferror(stream);
    if (fclose(stream) == 0 && !failed)
        return LLMC_OK;
    free(*text);
    *text = NULL;
    return llmc_error(LLMC_ERR_MEMORY, "out of memory while writing the configuration");
}

static FILE *start(char **text, size_t *nbytes)
{
    *text = NULL;
    FILE *stream = open_memstream(text, nbytes);
    if (!stream)
        llmc_error(LLMC_ERR_MEMORY, "out of memory while writing the configuration");
    return stream;
}

/* Always quoted, so that no text reads as a number or as nothing. Control characters were refused at loading. */
static void write_text(FILE *stream, const char *text)
{
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

/* The shortest decimal that reads back to the same double. */
static void write_number(FILE *stream, double value)
{
    char text[32];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, stream);
}

static void write_value(FILE *stream, const struct llmc_config_key *key, const void *base)
{
    const void *field = (const char *)base + key->offset;
    const struct llmc_config *config = base; /* for LAYERS, which is a key of the run */
    switch (key->type) {
    case LLMC_KEY_NAME:
    case LLMC_KEY_TEXT:
        write_text(stream, *(char *const *)field);
        break;
    case LLMC_KEY_INT:
        fprintf(stream, "%d", *(const int32_t *)field);
        break;
    case LLMC_KEY_SEED:
        fprintf(stream, "%llu", (unsigned long long)*(const uint64_t *)field);
        break;
    case LLMC_KEY_NUMBER:
        write_number(stream, *(const double *)field);
        break;
    case LLMC_KEY_CHOICE:
        fputs(key->choices[*(const int *)field], stream);
        break;
    case LLMC_KEY_LAYERS:
        fputc('[', stream);
        for (int32_t i = 0; i < config->student.from_layers_count; i++)
            fprintf(stream, "%s%d", i ? ", " : "", config->student.from_layers[i]);
        fputc(']', stream);
        break;
    }
}

/* student.layers stays out of the file when no stage needed it. */
static bool is_written(const struct llmc_config_key *key, const struct llmc_config *config)
{
    return key->offset != offsetof(struct llmc_config, student.layers) || config->student.layers > 0;
}

static void write_stage(FILE *stream, const struct llmc_stage_config *stage, const char *first, const char *indent)
{
    fprintf(stream, "%sstage: %s\n", first, llmc_stage_kind_name(stage->kind));
    for (size_t i = 0; i < llmc_config_key_count; i++) {
        const struct llmc_config_key *key = &llmc_config_keys[i];
        if (!(key->kinds & (1u << stage->kind)))
            continue;
        fprintf(stream, "%s%s: ", indent, key->name);
        write_value(stream, key, stage);
        fputc('\n', stream);
    }
}

llmc_status llmc_config_write(const struct llmc_config *config, char **yaml)
{
    size_t nbytes = 0;
    char section[32] = "";
    FILE *stream = start(yaml, &nbytes);
    if (!stream)
        return LLMC_ERR_MEMORY;
    for (size_t i = 0; i < llmc_config_key_count; i++) {
        const struct llmc_config_key *key = &llmc_config_keys[i];
        if (key->kinds != 0 || !is_written(key, config))
            continue;
        const char *dot = strchr(key->name, '.');
        int length = dot ? (int)(dot - key->name) : 0;
        if (length > 0 && (strncmp(section, key->name, (size_t)length) != 0 || section[length] != '\0')) {
            snprintf(section, sizeof section, "%.*s", length, key->name);
            fprintf(stream, "%s:\n", section);
        }
        fprintf(stream, "%s%s: ", dot ? "  " : "", dot ? dot + 1 : key->name);
        write_value(stream, key, config);
        fputc('\n', stream);
    }
    fputs("stages:\n", stream);
    for (int32_t i = 0; i < config->stage_count; i++)
        write_stage(stream, &config->stages[i], "  - ", "    ");
    return finish(stream, yaml);
}

llmc_status llmc_config_write_stage(const struct llmc_stage_config *stage, char **yaml)
{
    size_t nbytes = 0;
    FILE *stream = start(yaml, &nbytes);
    if (!stream)
        return LLMC_ERR_MEMORY;
    write_stage(stream, stage, "", "");
    return finish(stream, yaml);
}

static void describe_key(FILE *stream, const struct llmc_config_key *key)
{
    char legal[LLMC_CONFIG_TEXT_NBYTES];
    char kinds[128] = "";
    llmc_config_legal(key, legal);
    for (int kind = 0; kind < STAGE_KINDS; kind++) {
        size_t length = strlen(kinds);
        if (key->kinds & (1u << kind))
            snprintf(kinds + length, sizeof kinds - length, "%s%s", length ? ", " : "",
                     llmc_stage_kind_name((enum llmc_stage_kind)kind));
    }
    fprintf(stream, "  %-21s %-11s %s%s%s (%s)\n", key->name, key->fallback ? key->fallback : "required", kinds,
            kinds[0] ? ": " : "", key->meaning, legal);
}

llmc_status llmc_config_describe(char **text)
{
    size_t nbytes = 0;
    FILE *stream = start(text, &nbytes);
    if (!stream)
        return LLMC_ERR_MEMORY;
    fputs("Keys of a configuration: name, default, meaning, legal values\n\n", stream);
    for (size_t i = 0; i < llmc_config_key_count; i++) {
        if (llmc_config_keys[i].kinds == 0)
            describe_key(stream, &llmc_config_keys[i]);
    }
    fputs("\nKeys of an entry of stages; its key \"stage\" is one of teacher, logits, distill, qat, prune, export, "
          "verify\n\n",
          stream);
    for (size_t i = 0; i < llmc_config_key_count; i++) {
        if (llmc_config_keys[i].kinds != 0)
            describe_key(stream, &llmc_config_keys[i]);
    }
    return finish(stream, text);
}
