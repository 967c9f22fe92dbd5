#include "base/json_file.h"

#include "base/file.h"
#include "base/lfs_pointer.h"

#include <math.h>
#include <stdlib.h>

#define NBYTES_MAX ((size_t)1 << 28)
#define EXACT_MAX 9007199254740992.0 /* 2^53: integers up to here are exact as reals */

/* The integers of a text that was read with all of them as reals. */
static json_t *restore_integers(const json_t *json)
{
    json_t *copy, *value;
    const char *key;
    size_t index;
    if (json_is_object(json)) {
        copy = json_object();
        json_object_foreach ((json_t *)json, key, value)
            json_object_set_new(copy, key, restore_integers(value));
        return copy;
    }
    if (json_is_array(json)) {
        copy = json_array();
        json_array_foreach(json, index, value) json_array_append_new(copy, restore_integers(value));
        return copy;
    }
    double number = json_real_value(json);
    if (json_is_real(json) && fabs(number) <= EXACT_MAX && number == floor(number))
        return json_integer((json_int_t)number);
    return json_incref((json_t *)json);
}

static json_t *parse(const char *bytes, size_t nbytes, json_error_t *error)
{
    json_t *json = json_loadb(bytes, nbytes, JSON_REJECT_DUPLICATES, error);
    if (json || json_error_code(error) != json_error_numeric_overflow)
        return json;
    json_t *reals = json_loadb(bytes, nbytes, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, error);
    if (reals)
        json = restore_integers(reals);
    json_decref(reals);
    return json;
}

llmc_status llmc_json_file_read(const char *path, json_t **out)
{
    llmc_status status = LLMC_OK;
    char *bytes = NULL;
    size_t nbytes = 0;
    json_t *json = NULL;
    json_error_t error;
    *out = NULL;
    LLMC_TRY(llmc_file_read(path, NBYTES_MAX, &bytes, &nbytes));
    LLMC_TRY(llmc_lfs_pointer_refuse(path, bytes, nbytes));
    json = parse(bytes, nbytes, &error);
    if (!json)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s:%d:%d: %s", path, error.line, error.column, error.text);
    if (!json_is_object(json))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: not a JSON object", path);
    *out = json_incref(json);
exit:
    json_decref(json);
    free(bytes);
    return status;
}
