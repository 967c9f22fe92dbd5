#include "base/memory.h"
#include "text/dataset.h"
#include "text/labels.h"
#include "text/lines.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Where the wanted columns stand; -1: not wanted. */
struct layout {
    int32_t count; /* columns of every line */
    int32_t text, pair, label;
};

/* The file while it is read. */
struct reader {
    const char *path;
    struct layout layout;
    struct llmc_rows *rows;
    struct llmc_labels *labels;
    const struct llmc_columns *columns;
    bool collect; /* labels come from the file */
};

static llmc_status read_header(struct reader *reader, const char *header, const struct llmc_columns *columns)
{
    llmc_status status = LLMC_OK;
    struct layout *layout = &reader->layout;
    layout->count = llmc_text_columns(header);
    LLMC_TRY(llmc_text_find_column(&layout->text, header, columns->text, reader->path));
    LLMC_TRY(llmc_text_find_column(&layout->pair, header, columns->text_pair, reader->path));
    LLMC_TRY(llmc_text_find_column(&layout->label, header, columns->label, reader->path));
    if (layout->text < 0)
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "%s: the name of the text column is missing", reader->path);
exit:
    return status;
}

static llmc_status check_label_names(const char *path, const struct llmc_columns *columns)
{
    for (int32_t i = 0; i < columns->label_name_count; i++) {
        const char *equals = strchr(columns->label_names[i], '=');
        if (!equals || equals == columns->label_names[i] || !equals[1])
            return llmc_error(LLMC_ERR_ARGUMENT, "%s: label name \"%s\": must be LABEL=NAME, such as 0=negative", path,
                              columns->label_names[i]);
    }
    return LLMC_OK;
}

/* The name that a label is to have. */
static const char *name_of(const struct llmc_columns *columns, const char *label)
{
    size_t length = strlen(label);
    for (int32_t i = 0; i < columns->label_name_count; i++)
        if (strncmp(columns->label_names[i], label, length) == 0 && columns->label_names[i][length] == '=')
            return columns->label_names[i] + length + 1;
    return label;
}

static llmc_status find_label(struct reader *reader, const char *label, size_t number, int32_t *out)
{
    llmc_status status = LLMC_OK;
    char *list = NULL;
    if (*label == 0)
        LLMC_FAIL(LLMC_ERR_DATA, "%s:%zu: the label is empty", reader->path, number);
    const char *name = name_of(reader->columns, label);
    *out = llmc_labels_find(reader->labels, name);
    if (*out >= 0)
        return LLMC_OK;
    if (!reader->collect) {
        LLMC_TRY(llmc_labels_list(reader->labels, &list));
        LLMC_FAIL(LLMC_ERR_DATA, "%s:%zu: unknown label \"%s\"; the labels are %s", reader->path, number, name, list);
    }
    if (reader->labels->count == LLMC_LABELS_MAX)
        LLMC_FAIL(LLMC_ERR_DATA, "%s:%zu: more than %d different labels; is this the column of the labels?",
                  reader->path, number, LLMC_LABELS_MAX);
    *out = reader->labels->count;
    LLMC_TRY(llmc_labels_add(reader->labels, name));
exit:
    free(list);
    return status;
}

static llmc_status read_row(struct reader *reader, char *line, size_t number)
{
    const struct layout *layout = &reader->layout;
    struct llmc_rows *rows = reader->rows;
    int32_t count = llmc_text_columns(line);
    const char *label = NULL;
    if (count != layout->count)
        return llmc_error(LLMC_ERR_DATA, "%s:%zu: %d columns; the header has %d", reader->path, number, count,
                          layout->count);
    for (int32_t column = 0; column < count; column++) {
        char *field = line;
        line += strcspn(line, "\t");
        *line++ = 0;
        if (column == layout->text)
            rows->texts[rows->count] = field;
        if (column == layout->pair)
            rows->pairs[rows->count] = field;
        if (column == layout->label)
            label = field;
    }
    llmc_status status = LLMC_OK;
    if (label)
        status = find_label(reader, label, number, &rows->label[rows->count]);
    if (status == LLMC_OK)
        rows->count++;
    return status;
}

/* The classes were given in the order of appearance; now the labels get sorted. */
static llmc_status sort_labels(struct reader *reader)
{
    llmc_status status = LLMC_OK;
    struct llmc_labels *labels = reader->labels;
    struct llmc_labels appeared = {0};
    int32_t *place = NULL;
    LLMC_TRY(llmc_alloc(&place, (size_t)labels->count, sizeof *place));
    LLMC_TRY(llmc_labels_copy(&appeared, labels));
    llmc_labels_sort(labels);
    for (int32_t i = 0; i < appeared.count; i++)
        place[i] = llmc_labels_find(labels, appeared.names[i]);
    for (size_t i = 0; i < reader->rows->count; i++)
        reader->rows->label[i] = place[reader->rows->label[i]];
exit:
    free(place);
    llmc_labels_release(&appeared);
    return status;
}

static llmc_status allocate_rows(struct reader *reader, const char *start, const char *end)
{
    llmc_status status = LLMC_OK;
    struct llmc_rows *rows = reader->rows;
    size_t lines = 1;
    for (const char *at = start; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
        lines++;
    LLMC_TRY(llmc_alloc(&rows->texts, lines, sizeof *rows->texts));
    if (reader->layout.pair >= 0)
        LLMC_TRY(llmc_alloc(&rows->pairs, lines, sizeof *rows->pairs));
    if (reader->layout.label >= 0)
        LLMC_TRY(llmc_alloc(&rows->label, lines, sizeof *rows->label));
exit:
    return status;
}

llmc_status llmc_rows_read(struct llmc_rows *out, const char *path, const struct llmc_columns *columns,
                           struct llmc_labels *labels)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* U+FEFF, which some programs write before UTF-8 */
    llmc_status status = LLMC_OK;
    struct reader reader = {.path = path, .rows = out, .labels = labels, .columns = columns,
                            .collect = labels->count == 0};
    size_t nbytes, line_nbytes, number = 0;
    *out = (struct llmc_rows){0};
    LLMC_TRY(check_label_names(path, columns));
    LLMC_TRY(llmc_text_file_read(path, &out->buffer, &nbytes));

    char *cursor = out->buffer, *end = out->buffer + nbytes;
    if (nbytes >= 3 && memcmp(cursor, mark, 3) == 0)
        cursor += 3;
    while (end > cursor && (end[-1] == '\n' || end[-1] == '\r'))
        end--;
    *end = 0;
    char *line = llmc_next_line(&cursor, end, &number, &line_nbytes);
    if (!line)
        LLMC_FAIL(LLMC_ERR_DATA, "%s: the file is empty; its first line must name the columns", path);
    LLMC_TRY(llmc_text_check(path, number, line, line_nbytes));
    LLMC_TRY(read_header(&reader, line, columns));
    LLMC_TRY(allocate_rows(&reader, cursor, end));
    while ((line = llmc_next_line(&cursor, end, &number, &line_nbytes))) {
        LLMC_TRY(llmc_text_check(path, number, line, line_nbytes));
        LLMC_TRY(read_row(&reader, line, number));
    }
    if (out->count == 0)
        LLMC_FAIL(LLMC_ERR_DATA, "%s: no rows below the header", path);
    if (reader.collect && out->label)
        LLMC_TRY(sort_labels(&reader));
exit:
    if (status != LLMC_OK) {
        llmc_rows_release(out);
        if (reader.collect)
            llmc_labels_release(labels);
    }
    return status;
}

void llmc_rows_release(struct llmc_rows *rows)
{
    free(rows->texts);
    free(rows->pairs);
    free(rows->label);
    free(rows->buffer);
    *rows = (struct llmc_rows){0};
}
