/*
 * What the fields of another program's JSON file may say. Such a file tells how to compute an answer; a field that
 * nobody here has heard of may change it. So each known field is a row of a table, and anything else is refused by
 * name.
 */
#ifndef LLMC_BASE_JSON_FIELDS_H
#define LLMC_BASE_JSON_FIELDS_H

#include "base/status.h"

#include <jansson.h>
#include <stddef.h>

enum llmc_json_rule {
    LLMC_FIELD_ANY,  /* it is read elsewhere, or changes no answer */
    LLMC_FIELD_OFF,  /* only without effect: null, false, 0, "", [] or {} */
    LLMC_FIELD_ON,   /* only null or true */
    LLMC_FIELD_TEXT, /* only null or one of the texts in `allowed` */
};

struct llmc_json_field {
    const char *name;
    enum llmc_json_rule rule;
    const char *allowed; /* LLMC_FIELD_TEXT: texts, separated by ", " */
};

/* Checks all fields of `object` against the table. `where` stands before the names in messages: "" for the top of a
 * file, "normalizer." for an object inside. Errors: LLMC_ERR_UNSUPPORTED, with file, field and what is allowed. */
llmc_status llmc_json_fields_check(const json_t *object, const struct llmc_json_field *fields, size_t count,
                                   const char *path, const char *where);

#endif
