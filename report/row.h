/* A row of the report as a JSON object by itself, for files that hold one. */
#ifndef LLMC_REPORT_ROW_H
#define LLMC_REPORT_ROW_H

#include "report/report.h"

#include <jansson.h>

/* A new object, or NULL without memory. */
json_t *llmc_report_row_json(const struct llmc_report_row *row);

/* Errors name PATH and PREFIX + field: LLMC_ERR_FORMAT. */
llmc_status llmc_report_row_read(const json_t *object, const char *path, const char *prefix,
                                 struct llmc_report_row *row);

#endif
