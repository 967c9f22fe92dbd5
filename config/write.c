/* The configuration as YAML again: whole, and the parts that fingerprints are made of. */
#include "config/internal.h"
#include "config/stream.h"

#include <string.h>

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
    const struct llmc_int_list *ints = field;
    const struct llmc_text_list *texts = field;
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
    case LLMC_KEY_INTS:
        fputc('[', stream);
        for (int32_t i = 0; i < ints->count; i++)
            fprintf(stream, "%s%d", i ? ", " : "", ints->values[i]);
        fputc(']', stream);
        break;
    case LLMC_KEY_ONE_OR_TEXTS:
        if (texts->count == 1) {
            write_text(stream, texts->texts[0]);
            break;
        }
        /* fall through */
    case LLMC_KEY_TEXTS:
        fputc('[', stream);
        for (int32_t i = 0; i < texts->count; i++) {
            fputs(i ? ", " : "", stream);
            write_text(stream, texts->texts[i]);
        }
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
    fprintf(stream, "%sstage: %s\n", first, stage->kind->name);
    for (size_t i = 0; i < stage->kind->key_count; i++) {
        fprintf(stream, "%s%s: ", indent, stage->kind->keys[i].name);
        write_value(stream, &stage->kind->keys[i], stage->settings);
        fputc('\n', stream);
    }
}

llmc_status llmc_config_write(const struct llmc_config *config, char **yaml)
{
    size_t nbytes = 0;
    char section[32] = "";
    FILE *stream = llmc_config_stream(yaml, &nbytes);
    if (!stream)
        return LLMC_ERR_MEMORY;
    for (size_t i = 0; i < llmc_config_run_keys.count; i++) {
        const struct llmc_config_key *key = &llmc_config_run_keys.keys[i];
        if (!is_written(key, config))
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
    return llmc_config_stream_end(stream, yaml);
}

static void write_scope(FILE *stream, const struct llmc_config *config, enum llmc_config_scope scope)
{
    for (size_t i = 0; i < llmc_config_run_keys.count; i++) {
        const struct llmc_config_key *key = &llmc_config_run_keys.keys[i];
        if (key->scope != scope)
            continue;
        fprintf(stream, "%s: ", key->name);
        write_value(stream, key, config);
        fputc('\n', stream);
    }
}

llmc_status llmc_config_write_common(const struct llmc_config *config, char **yaml)
{
    size_t nbytes = 0;
    FILE *stream = llmc_config_stream(yaml, &nbytes);
    if (!stream)
        return LLMC_ERR_MEMORY;
    write_scope(stream, config, LLMC_OF_ALL_STAGES);
    return llmc_config_stream_end(stream, yaml);
}

llmc_status llmc_config_write_stage(const struct llmc_config *config, const struct llmc_stage_config *stage,
                                    char **yaml)
{
    size_t nbytes = 0;
    FILE *stream = llmc_config_stream(yaml, &nbytes);
    if (!stream)
        return LLMC_ERR_MEMORY;
    write_stage(stream, stage, "", "");
    if (stage->kind->starts_student)
        write_scope(stream, config, LLMC_OF_STUDENT);
    return llmc_config_stream_end(stream, yaml);
}
