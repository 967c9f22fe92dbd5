/* The table of a report that people read. */
#include "report/report.h"

#include "base/median.h"
#include "report/fields.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_NBYTES 24

/* Two models differ when chance would bring such a split less often than that. */
#define P_SHOWN 0.05

static const char quality_legend[] =
    "\ndeviation: one standard deviation of the accuracy, which follows from the number of dev texts.\n"
    "KL: how far the probabilities are from the teacher's, in nats. calibration: by how much they miss the share of right "
    "answers.\n"
    "gained, lost: texts right where the teacher is wrong, and the reverse; p: how often chance alone splits them so "
    "(McNemar).\n";

/* One line of the table. `bases` are the rows that its ratios refer to, one a field; NULL: none. */
struct line {
    const char *label;
    const char *mark; /* "A ", "B " or "" before the label */
    const struct llmc_report_row *row;
    const struct llmc_report_row *bases[LLMC_REPORT_FIELDS];
};

/* A cell and its ratio are aligned each for itself. */
struct cell {
    char value[CELL_NBYTES + 1];
    char ratio[CELL_NBYTES];
    bool disturbed; /* its rounds disagree */
};

/* ---- figures in words ---- */

/* Three digits and a prefix: "91.0 M", "872 ". */
static void scaled(char out[CELL_NBYTES], double value, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
    size_t i = 0;
    for (; value >= 999.5 && i < 6; i++)
        value /= 1000;
    int digits = i == 0 && value == (double)(int)value ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(out, CELL_NBYTES, "%.*f %s%s", digits, value, prefixes[i], unit);
    size_t length = strlen(out);
    if (out[length - 1] == ' ')
        out[length - 1] = '\0';
}

static void show_seconds(char out[CELL_NBYTES], double seconds)
{
    long whole = seconds < 1e9 ? (long)(seconds + 0.5) : 1000000000;
    if (seconds < 9.95)
        snprintf(out, CELL_NBYTES, "%.1f s", seconds);
    else if (whole < 60)
        snprintf(out, CELL_NBYTES, "%ld s", whole);
    else if (whole < 3600)
        snprintf(out, CELL_NBYTES, "%ldm%02lds", whole / 60, whole % 60);
    else
        snprintf(out, CELL_NBYTES, "%ldh%02ldm", whole / 3600, whole % 3600 / 60);
}

static void show_figure(char out[CELL_NBYTES], double value, enum llmc_report_unit unit)
{
    switch (unit) {
    case LLMC_UNIT_SECONDS:
        show_seconds(out, value);
        break;
    case LLMC_UNIT_FRACTION:
        snprintf(out, CELL_NBYTES, "%.2f%%", 100 * value);
        break;
    case LLMC_UNIT_BYTES:
        scaled(out, value, "B");
        break;
    case LLMC_UNIT_MILLISECONDS:
        snprintf(out, CELL_NBYTES, "%.*f ms", value < 9.995 ? 2 : value < 99.95 ? 1 : 0,
                 value < 1e9 ? value : 1e9);
        break;
    case LLMC_UNIT_PER_SECOND:
        snprintf(out, CELL_NBYTES, "%.*f", value < 99.95 ? 1 : 0, value < 1e9 ? value : 1e9);
        break;
    case LLMC_UNIT_COUNT:
        scaled(out, value, "");
        break;
    case LLMC_UNIT_NUMBER:
        snprintf(out, CELL_NBYTES, "%.*f", value < 1e6 ? 4 : 0, value < 1e9 ? value : 1e9);
        break;
    }
}

static void show_ratio(char out[CELL_NBYTES], double value, double base, enum llmc_report_ratio kind)
{
    double times = kind == LLMC_RATIO_LESS ? base / value : value / base;
    if (kind == LLMC_RATIO_POINTS)
        snprintf(out, CELL_NBYTES, "%+.2f", 100 * (value - base));
    else if (base > 0 && value > 0 && times < 1e6)
        snprintf(out, CELL_NBYTES, "%.*fx", times < 9.95 ? 1 : 0, times);
}

static void show_cell(struct cell *cell, const struct line *line, size_t index)
{
    const struct llmc_report_field *field = &llmc_report_fields[index];
    const struct llmc_report_row *base = line->bases[index];
    double value = llmc_report_figure(line->row, field);
    *cell = (struct cell){0};
    if (!(value >= 0)) {
        strcpy(cell->value, "-");
        return;
    }
    cell->disturbed = llmc_report_spread(line->row, field) > LLMC_SPREAD_MAX;
    if (cell->disturbed)
        cell->value[0] = '~';
    show_figure(cell->value + cell->disturbed, value, field->unit);
    if (base && base != line->row && field->ratio != LLMC_RATIO_NONE)
        show_ratio(cell->ratio, value, llmc_report_figure(base, field), field->ratio);
}

/* ---- the grid ---- */

static size_t longest(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* A row's place in the table: what it was answered with; and in that of quality: how it stands to the teacher. */
static void print_engine(FILE *stream, const struct llmc_report_row *row)
{
    fputs(row->engine[0] ? row->engine : "-", stream);
}

static void print_verdict(FILE *stream, const struct llmc_report_row *row)
{
    if (row->mcnemar_p < 0)
        fputs("-", stream);
    else if (row->mcnemar_p >= P_SHOWN)
        fputs("no difference shown", stream);
    else
        fputs(row->texts_gained > row->texts_lost ? "better" : "worse", stream);
}

struct table {
    unsigned which; /* LLMC_TABLE_COST, ... */
    const char *last_title;
    void (*print_last)(FILE *stream, const struct llmc_report_row *row);
};
static const struct table costs = {LLMC_TABLE_COST, "engine", print_engine};
static const struct table quality = {LLMC_TABLE_QUALITY, "than the teacher", print_verdict};

/* Whether the table has a line for it: that of costs for every row. */
static bool has_figure(const struct llmc_report_row *row, const struct table *table)
{
    for (size_t i = 0; i < LLMC_REPORT_FIELDS; i++) {
        const struct llmc_report_field *field = &llmc_report_fields[i];
        if ((field->tables & table->which) && llmc_report_figure(row, field) >= 0)
            return true;
    }
    return table == &costs;
}

/* Figures stand right, their ratios right beside them; names stand left. */
static void print_grid(FILE *stream, const struct table *table, const struct line *lines, size_t count,
                       const struct cell *cells)
{
    size_t label_width = strlen("stage");
    for (size_t i = 0; i < count; i++)
        label_width = longest(label_width, strlen(lines[i].mark) + strlen(lines[i].label));
    size_t value_widths[LLMC_REPORT_FIELDS] = {0};
    size_t ratio_widths[LLMC_REPORT_FIELDS] = {0};
    for (size_t i = 0; i < LLMC_REPORT_FIELDS; i++) {
        for (size_t j = 0; j < count; j++) {
            const struct cell *cell = &cells[j * LLMC_REPORT_FIELDS + i];
            value_widths[i] = longest(value_widths[i], strlen(cell->value));
            ratio_widths[i] = longest(ratio_widths[i], cell->ratio[0] ? 1 + strlen(cell->ratio) : 0);
        }
        size_t title = strlen(llmc_report_fields[i].title);
        if (title > value_widths[i] + ratio_widths[i])
            value_widths[i] = title - ratio_widths[i];
    }
    fprintf(stream, "%-*s", (int)label_width, "stage");
    for (size_t i = 0; i < LLMC_REPORT_FIELDS; i++)
        if (llmc_report_fields[i].tables & table->which)
            fprintf(stream, "  %*s", (int)(value_widths[i] + ratio_widths[i]), llmc_report_fields[i].title);
    fprintf(stream, "  %s\n", table->last_title);
    for (size_t j = 0; j < count; j++) {
        const struct line *line = &lines[j];
        if (!has_figure(line->row, table))
            continue;
        fprintf(stream, "%s%-*s", line->mark, (int)(label_width - strlen(line->mark)), line->label);
        for (size_t i = 0; i < LLMC_REPORT_FIELDS; i++) {
            const struct cell *cell = &cells[j * LLMC_REPORT_FIELDS + i];
            if (llmc_report_fields[i].tables & table->which)
                fprintf(stream, "  %*s%*s", (int)value_widths[i], cell->value, (int)ratio_widths[i], cell->ratio);
        }
        fputs("  ", stream);
        table->print_last(stream, line->row);
        fputc('\n', stream);
    }
}

static void print_run(FILE *stream, const char *mark, const struct llmc_report *report)
{
    fprintf(stream, "%s%s: %s, seed %llu, %s, %d threads\n", mark, report->name,
            report->data ? report->data : "no data yet", (unsigned long long)report->seed, report->precision,
            report->threads);
    fprintf(stream, "%*s%s; %s\n", (int)strlen(mark), "", report->machine, report->versions);
}

/* ---- what is asked for ---- */

/* The lines of a table with room for `count`; the caller frees both. */
static llmc_status make_room(size_t count, struct line **lines, struct cell **cells)
{
    *lines = calloc(count + 1, sizeof **lines);
    *cells = calloc((count + 1) * LLMC_REPORT_FIELDS, sizeof **cells);
    return *lines && *cells ? LLMC_OK : llmc_error(LLMC_ERR_MEMORY, "out of memory for the table");
}

static llmc_status render(FILE *stream, const struct line *lines, size_t count, struct cell *cells,
                          const char *legend)
{
    for (size_t j = 0; j < count; j++) {
        for (size_t i = 0; i < LLMC_REPORT_FIELDS; i++)
            show_cell(&cells[j * LLMC_REPORT_FIELDS + i], &lines[j], i);
    }
    fputc('\n', stream);
    print_grid(stream, &costs, lines, count, cells);
    fprintf(stream, "\n%s\n", legend);
    bool disturbed = false;
    for (size_t i = 0; i < count * LLMC_REPORT_FIELDS; i++)
        disturbed |= cells[i].disturbed;
    if (disturbed)
        fprintf(stream, "~: the rounds of this measurement differ by more than %.0f %%; other work ran beside it.\n",
                100 * LLMC_SPREAD_MAX);
    for (size_t j = 0; j < count; j++) {
        if (lines[j].row->accuracy_deviation < 0)
            continue;
        fputc('\n', stream);
        print_grid(stream, &quality, lines, count, cells);
        fputs(quality_legend, stream);
        break;
    }
    return ferror(stream) ? llmc_error(LLMC_ERR_MEMORY, "out of memory for the table") : LLMC_OK;
}

/* Ends an open_memstream (NULL: none was opened); *text is freed when anything failed. */
static llmc_status finish(FILE *stream, llmc_status status, char **text)
{
    if ((!stream || fclose(stream) != 0) && status == LLMC_OK)
        status = llmc_error(LLMC_ERR_MEMORY, "out of memory for the table");
    if (status != LLMC_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

/* The first row that has the figure, which is the teacher's in a usual run. */
static const struct llmc_report_row *first_with(const struct llmc_report *report, size_t field)
{
    for (int32_t i = 0; i < report->row_count; i++) {
        if (llmc_report_figure(&report->rows[i], &llmc_report_fields[field]) >= 0)
            return &report->rows[i];
    }
    return NULL;
}

llmc_status llmc_report_table(const struct llmc_report *report, char **text)
{
    llmc_status status = LLMC_OK;
    char *summary = NULL;
    struct line *lines = NULL;
    struct cell *cells = NULL;
    size_t nbytes = 0;
    size_t count = (size_t)report->row_count;
    *text = NULL;
    FILE *stream = open_memstream(text, &nbytes);
    if (!stream)
        goto exit;
    LLMC_TRY(make_room(count, &lines, &cells));
    for (size_t j = 0; j < count; j++) {
        lines[j] = (struct line){.label = report->rows[j].name, .mark = "", .row = &report->rows[j]};
        for (size_t i = 0; i < LLMC_REPORT_FIELDS; i++)
            lines[j].bases[i] = first_with(report, i);
    }
    print_run(stream, "", report);
    LLMC_TRY(render(stream, lines, count, cells,
                    "Against the first row with that figure: 2.0x is half as much, of texts/s twice as many; accuracy in "
                    "points.\nOf the dev texts; latency of one text at a time, texts/s by 32; memory is the peak while "
                    "answering."));
    LLMC_TRY(llmc_report_summary(report, &summary));
    fprintf(stream, "%s%s", summary[0] ? "\n" : "", summary);
exit:
    free(summary);
    free(lines);
    free(cells);
    return finish(stream, status, text);
}

llmc_status llmc_report_compare(const struct llmc_report *a, const struct llmc_report *b, char **text)
{
    llmc_status status = LLMC_OK;
    struct line *lines = NULL;
    struct cell *cells = NULL;
    size_t nbytes = 0;
    size_t count = 0;
    *text = NULL;
    FILE *stream = open_memstream(text, &nbytes);
    if (!stream)
        goto exit;
    LLMC_TRY(make_room((size_t)a->row_count + (size_t)b->row_count, &lines, &cells));
    for (int32_t i = 0; i < a->row_count; i++) {
        const struct llmc_report_row *row = &a->rows[i];
        const struct llmc_report_row *other = llmc_report_find(b, row->name);
        lines[count++] = (struct line){.label = row->name, .mark = "A ", .row = row};
        if (!other)
            continue;
        lines[count] = (struct line){.label = other->name, .mark = "B ", .row = other};
        for (size_t field = 0; field < LLMC_REPORT_FIELDS; field++) {
            bool comparable = llmc_report_figure(row, &llmc_report_fields[field]) >= 0;
            lines[count].bases[field] = comparable ? row : NULL;
        }
        count++;
    }
    for (int32_t i = 0; i < b->row_count; i++) {
        if (!llmc_report_find(a, b->rows[i].name))
            lines[count++] = (struct line){.label = b->rows[i].name, .mark = "B ", .row = &b->rows[i]};
    }
    print_run(stream, "A ", a);
    print_run(stream, "B ", b);
    LLMC_TRY(render(stream, lines, count, cells,
                    "B against A: 2.0x is half as much, of texts/s twice as many; accuracy in points."));
exit:
    free(lines);
    free(cells);
    return finish(stream, status, text);
}
