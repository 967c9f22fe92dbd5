#include "report/report.h"

#include "base/cpu.h"
#include "base/memory.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static llmc_status describe_machine(char **out)
{
    char processor[128];
    llmc_cpu_name(processor, sizeof processor);
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return llmc_format(out, "%s, %ld processors, %.1f GiB", processor, sysconf(_SC_NPROCESSORS_ONLN),
                       memory / (1024.0 * 1024.0 * 1024.0));
}

static llmc_status describe_versions(char **out, const char *torch_version)
{
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    return llmc_format(out, "llmc " LLMC_VERSION "%s%s, HDF5 %u.%u.%u, zlib %s", torch_version ? ", LibTorch " : "",
                       torch_version ? torch_version : "", major, minor, release, zlibVersion());
}

llmc_status llmc_report_init(struct llmc_report *report, const char *name, const char *torch_version)
{
    llmc_status status = LLMC_OK;
    *report = (struct llmc_report){0};
    LLMC_TRY(llmc_strdup(&report->name, name));
    LLMC_TRY(describe_machine(&report->machine));
    LLMC_TRY(describe_versions(&report->versions, torch_version));
exit:
    if (status != LLMC_OK)
        llmc_report_release(report);
    return status;
}

void llmc_report_release(struct llmc_report *report)
{
    free(report->name);
    free(report->machine);
    free(report->versions);
    free(report->data);
    free(report->rows);
    *report = (struct llmc_report){0};
}

const struct llmc_report_row *llmc_report_find(const struct llmc_report *report, const char *name)
{
    for (int32_t i = 0; i < report->row_count; i++) {
        if (strcmp(report->rows[i].name, name) == 0)
            return &report->rows[i];
    }
    return NULL;
}

llmc_status llmc_report_put(struct llmc_report *report, const struct llmc_report_row *row)
{
    const struct llmc_report_row *old = llmc_report_find(report, row->name);
    if (old) {
        report->rows[old - report->rows] = *row;
        return LLMC_OK;
    }
    if (report->row_count == LLMC_REPORT_ROWS_MAX)
        return llmc_error(LLMC_ERR_ARGUMENT, "a report holds at most %d stages", LLMC_REPORT_ROWS_MAX);
    const struct llmc_report_row copy = *row; /* may be one of the rows that move */
    struct llmc_report_row *rows = realloc(report->rows, (size_t)(report->row_count + 1) * sizeof *rows);
    if (!rows)
        return llmc_error(LLMC_ERR_MEMORY, "out of memory for the report");
    rows[report->row_count++] = copy;
    report->rows = rows;
    return LLMC_OK;
}
