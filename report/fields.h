/*
 * The figures of a report row, one table row each, inside of report/: JSON
 * and the table that people read go through it. A new figure is one field in
 * report.h and one row in fields.c.
 */
#ifndef LLMC_REPORT_FIELDS_H
#define LLMC_REPORT_FIELDS_H

#include "report/report.h"

#include <stdbool.h>
#include <stddef.h>

enum llmc_report_unit {
    LLMC_UNIT_SECONDS,
    LLMC_UNIT_FRACTION, /* shown in percent, compared in points */
    LLMC_UNIT_COUNT,
    LLMC_UNIT_BYTES,
    LLMC_UNIT_MILLISECONDS,
    LLMC_UNIT_PER_SECOND,
    LLMC_UNIT_NUMBER, /* between 0 and a few */
};

/* What a ratio to another row means: nothing, "so many times less", "so many times more". */
enum llmc_report_ratio { LLMC_RATIO_NONE, LLMC_RATIO_LESS, LLMC_RATIO_MORE, LLMC_RATIO_POINTS };

/* The tables that show a figure. */
enum { LLMC_TABLE_COST = 1 << 0, LLMC_TABLE_QUALITY = 1 << 1 };

struct llmc_report_field {
    const char *name;   /* in report.json */
    const char *title;  /* in the table */
    bool whole;         /* int64_t, else double */
    size_t offset;      /* in struct llmc_report_row */
    enum llmc_report_unit unit;
    enum llmc_report_ratio ratio;
    unsigned tables;
    bool optional;      /* missing in reports of older versions */
    const char *spread_name; /* of the figure's spread in report.json; NULL: it has none */
    size_t spread_offset;
};

#define LLMC_REPORT_FIELDS 17

extern const struct llmc_report_field llmc_report_fields[LLMC_REPORT_FIELDS];

/* The figure as a number; negative where it does not apply. */
double llmc_report_figure(const struct llmc_report_row *row, const struct llmc_report_field *field);

/* Its spread; negative where there is none. */
double llmc_report_spread(const struct llmc_report_row *row, const struct llmc_report_field *field);

#endif
