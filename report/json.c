/* report.json: an object with the run's own words and "stages", a list of objects of figures. */
#include "report/report.h"

#include "base/file.h"
#include "base/memory.h"
#include "report/fields.h"
#include "report/row.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NBYTES_MAX (4 * 1024 * 1024)
#define SEED_MAX 9007199254740991LL /* readers of JSON may keep numbers as doubles */
#define REAL_DIGITS 10

/* ---- writing ---- */

static json_t *figure_json(const struct llmc_report_row *row, const struct llmc_report_field *field)
{
    double value = llmc_report_figure(row, field);
    if (!(value >= 0))
        return json_null();
    return field->whole ? json_integer((json_int_t)value) : json_real(value);
}

/* json_object_set_new takes the value in any case, and fails when it is NULL (no memory, no UTF-8). */
static int set_figure(json_t *object, const struct llmc_report_row *row, const struct llmc_report_field *field)
{
    int failed = json_object_set_new(object, field->name, figure_json(row, field));
    double spread = llmc_report_spread(row, field);
    if (field->spread_name)
        failed |= json_object_set_new(object, field->spread_name, spread >= 0 ? json_real(spread) : json_null());
    return failed;
}

json_t *llmc_report_row_json(const struct llmc_report_row *row)
{
    json_t *object = json_object();
    int failed = json_object_set_new(object, "name", json_string(row->name));
    for (size_t i = 0; i < LLMC_REPORT_FIELDS; i++)
        failed |= set_figure(object, row, &llmc_report_fields[i]);
    failed |= json_object_set_new(object, "engine", json_string(row->engine));
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *report_json(const struct llmc_report *report)
{
    json_t *object = json_object();
    json_t *stages = json_array();
    int failed = json_object_set_new(object, "name", json_string(report->name));
    failed |= json_object_set_new(object, "machine", json_string(report->machine));
    failed |= json_object_set_new(object, "versions", json_string(report->versions));
    failed |= json_object_set_new(object, "data", report->data ? json_string(report->data) : json_null());
    failed |= json_object_set_new(object, "seed", json_integer((json_int_t)report->seed));
    failed |= json_object_set_new(object, "precision", json_string(report->precision));
    failed |= json_object_set_new(object, "threads", json_integer(report->threads));
    for (int32_t i = 0; i < report->row_count; i++)
        failed |= json_array_append_new(stages, llmc_report_row_json(&report->rows[i]));
    failed |= json_object_set_new(object, "stages", stages);
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

llmc_status llmc_report_json(const struct llmc_report *report, char **json)
{
    llmc_status status = LLMC_OK;
    json_t *root = report_json(report);
    *json = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS)) : NULL;
    if (!*json)
        status = llmc_error(LLMC_ERR_MEMORY, "cannot make JSON of the report: out of memory, or a text is no UTF-8");
    json_decref(root);
    return status;
}

llmc_status llmc_report_write(const struct llmc_report *report, const char *path)
{
    llmc_status status = LLMC_OK;
    char *json = NULL;
    char *lines = NULL;
    LLMC_TRY(llmc_report_json(report, &json));
    LLMC_TRY(llmc_format(&lines, "%s\n", json));
    LLMC_TRY(llmc_file_write(path, lines, strlen(lines)));
exit:
    free(json);
    free(lines);
    return status;
}

/* ---- reading ---- */

/* What is being read, for the messages: PATH, and "" or "stages[2].". */
struct place {
    const char *path;
    const char *prefix;
};

static llmc_status refuse(const struct place *place, const char *name, const char *what)
{
    return llmc_error(LLMC_ERR_FORMAT, "%s: %s%s: %s", place->path, place->prefix, name, what);
}

/* *text = the member, which stays the object's. Control characters are refused: the text goes to terminals. */
static llmc_status get_text(const struct place *place, const json_t *object, const char *name, size_t length_max,
                            const char **text)
{
    const json_t *value = json_object_get(object, name);
    *text = json_string_value(value);
    if (!*text)
        return refuse(place, name, value ? "is no text" : "missing");
    if (strlen(*text) != json_string_length(value) || strlen(*text) > length_max)
        return refuse(place, name, "is too long, or holds a zero byte");
    for (const char *c = *text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return refuse(place, name, "holds a control character");
    }
    return LLMC_OK;
}

static llmc_status get_whole(const struct place *place, const json_t *object, const char *name, int64_t max,
                             int64_t *out)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value))
        return refuse(place, name, value ? "is no whole number" : "missing");
    *out = json_integer_value(value);
    return *out < 0 || *out > max ? refuse(place, name, "is out of range") : LLMC_OK;
}

static llmc_status get_figure(const struct place *place, const json_t *object, const struct llmc_report_field *field,
                              struct llmc_report_row *row)
{
    llmc_status status = LLMC_OK;
    void *out = (char *)row + field->offset;
    const json_t *value = json_object_get(object, field->name);
    double number = -1;
    int64_t whole = -1;
    if (!value && field->optional)
        value = json_null();
    if (!json_is_null(value) && field->whole)
        status = get_whole(place, object, field->name, INT64_MAX, &whole);
    else if (!json_is_null(value) && !json_is_number(value))
        status = refuse(place, field->name, value ? "is no number" : "missing");
    else if (!json_is_null(value) && (number = json_number_value(value)) < 0)
        status = refuse(place, field->name, "is negative");
    if (field->whole)
        memcpy(out, &whole, sizeof whole);
    else
        memcpy(out, &number, sizeof number);
    return status;
}

/* Missing in reports from before rounds were measured. */
static llmc_status get_spread(const struct place *place, const json_t *object, const struct llmc_report_field *field,
                              struct llmc_report_row *row)
{
    if (!field->spread_name)
        return LLMC_OK;
    const json_t *value = json_object_get(object, field->spread_name);
    double spread = value && !json_is_null(value) ? json_number_value(value) : -1;
    if (value && !json_is_null(value) && (!json_is_number(value) || spread < 0))
        return refuse(place, field->spread_name, json_is_number(value) ? "is negative" : "is no number");
    memcpy((char *)row + field->spread_offset, &spread, sizeof spread);
    return LLMC_OK;
}

llmc_status llmc_report_row_read(const json_t *object, const char *path, const char *prefix,
                                 struct llmc_report_row *row)
{
    llmc_status status = LLMC_OK;
    const char *text = NULL;
    const struct place place = {path, prefix};
    memset(row, 0, sizeof *row);
    LLMC_TRY(get_text(&place, object, "name", sizeof row->name - 1, &text));
    strcpy(row->name, text);
    LLMC_TRY(get_text(&place, object, "engine", sizeof row->engine - 1, &text));
    strcpy(row->engine, text);
    for (size_t i = 0; i < LLMC_REPORT_FIELDS; i++) {
        LLMC_TRY(get_figure(&place, object, &llmc_report_fields[i], row));
        LLMC_TRY(get_spread(&place, object, &llmc_report_fields[i], row));
    }
exit:
    return status;
}

static llmc_status read_row(struct llmc_report *report, const char *path, const json_t *object, size_t index)
{
    llmc_status status = LLMC_OK;
    struct llmc_report_row row;
    char prefix[32];
    const struct place place = {path, prefix};
    snprintf(prefix, sizeof prefix, "stages[%zu].", index);
    LLMC_TRY(llmc_report_row_read(object, path, prefix, &row));
    if (llmc_report_find(report, row.name))
        LLMC_TRY(refuse(&place, "name", "stands twice"));
    LLMC_TRY(llmc_report_put(report, &row));
exit:
    return status;
}

static llmc_status read_report(struct llmc_report *report, const char *path, const json_t *root)
{
    llmc_status status = LLMC_OK;
    const struct place place = {path, ""};
    const struct {
        const char *name;
        char **text;
    } texts[] = {
        {"name", &report->name}, {"machine", &report->machine}, {"versions", &report->versions}, {"data", &report->data}};
    const char *text = NULL;
    int64_t whole = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].text == &report->data && json_is_null(json_object_get(root, "data")))
            continue; /* not measured on anything yet */
        LLMC_TRY(get_text(&place, root, texts[i].name, 4096, &text));
        LLMC_TRY(llmc_strdup(texts[i].text, text));
    }
    LLMC_TRY(get_text(&place, root, "precision", sizeof report->precision - 1, &text));
    strcpy(report->precision, text);
    LLMC_TRY(get_whole(&place, root, "seed", SEED_MAX, &whole));
    report->seed = (uint64_t)whole;
    LLMC_TRY(get_whole(&place, root, "threads", INT32_MAX, &whole));
    report->threads = (int32_t)whole;
    const json_t *stages = json_object_get(root, "stages");
    if (!json_is_array(stages) || json_array_size(stages) > LLMC_REPORT_ROWS_MAX)
        LLMC_TRY(refuse(&place, "stages", stages ? "is no list of stages, or too long" : "missing"));
    for (size_t i = 0; i < json_array_size(stages); i++)
        LLMC_TRY(read_row(report, path, json_array_get(stages, i), i));
exit:
    return status;
}

llmc_status llmc_report_read(struct llmc_report *report, const char *path)
{
    llmc_status status = LLMC_OK;
    char *bytes = NULL;
    size_t nbytes = 0;
    json_t *root = NULL;
    json_error_t error;
    *report = (struct llmc_report){0};
    LLMC_TRY(llmc_file_read(path, FILE_NBYTES_MAX, &bytes, &nbytes));
    root = json_loadb(bytes, nbytes, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s:%d:%d: %s", path, error.line, error.column, error.text);
    if (!json_is_object(root))
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: is no report: no JSON object", path);
    LLMC_TRY(read_report(report, path, root));
exit:
    json_decref(root);
    free(bytes);
    if (status != LLMC_OK)
        llmc_report_release(report);
    return status;
}
