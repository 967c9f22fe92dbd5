#include "base/json_fields.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_off(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
    case JSON_FALSE: return true;
    case JSON_INTEGER:
    case JSON_REAL: return json_number_value(value) == 0;
    case JSON_STRING: return json_string_length(value) == 0;
    case JSON_ARRAY: return json_array_size(value) == 0;
    case JSON_OBJECT: return json_object_size(value) == 0;
    default: return false;
    }
}

static bool is_among(const char *text, const char *allowed)
{
    for (size_t length; *allowed; allowed += length + (allowed[length] ? 2 : 0)) {
        length = strcspn(allowed, ",");
        if (strlen(text) == length && memcmp(text, allowed, length) == 0)
            return true;
    }
    return false;
}

static bool is_allowed(const json_t *value, const struct llmc_json_field *field)
{
    switch (field->rule) {
    case LLMC_FIELD_OFF: return is_off(value);
    case LLMC_FIELD_ON: return json_is_null(value) || json_is_true(value);
    case LLMC_FIELD_TEXT:
        return json_is_null(value) || (json_is_string(value) && is_among(json_string_value(value), field->allowed));
    case LLMC_FIELD_ANY: break;
    }
    return true;
}

static const char *allowed_words(const struct llmc_json_field *field)
{
    switch (field->rule) {
    case LLMC_FIELD_OFF: return "null, false and what is empty";
    case LLMC_FIELD_ON: return "null and true";
    default: return field->allowed;
    }
}

llmc_status llmc_json_fields_check(const json_t *object, const struct llmc_json_field *fields, size_t count,
                                   const char *path, const char *where)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)object, name, value) {
        size_t i = 0;
        while (i < count && strcmp(fields[i].name, name) != 0)
            i++;
        if (i == count)
            return llmc_error(LLMC_ERR_UNSUPPORTED, "%s: llmc does not know the field \"%s%.100s\", which may change "
                              "the answers; remove it if it does not", path, where, name);
        if (!is_allowed(value, &fields[i])) {
            char *found = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
            llmc_error(LLMC_ERR_UNSUPPORTED, "%s: \"%s%s\" is %.100s, which llmc does not support; allowed values are "
                       "%s", path, where, name, found ? found : "something else", allowed_words(&fields[i]));
            free(found);
            return LLMC_ERR_UNSUPPORTED;
        }
    }
    return LLMC_OK;
}
