/* llmc report: the table of a run again, or of two runs side by side. */
#include "cli/command.h"

#include "base/file.h"
#include "base/memory.h"
#include "report/report.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: llmc report RUN [RUN2] [--json]\n"
    "\n"
    "Shows what every stage of a run cost and saved. RUN is a run's folder (runs/NAME)\n"
    "or a report.json. With RUN2, the two runs stage by stage.\n"
    "\n"
    "  --json   report.json itself; of two runs a list of both\n"
    "  --help   this text\n";

static llmc_status read_run(const char *run, struct llmc_report *report)
{
    llmc_status status = LLMC_OK;
    struct stat info;
    char *path = NULL;
    if (stat(run, &info) == 0 && S_ISDIR(info.st_mode))
        LLMC_TRY(llmc_path_join(&path, run, "report.json"));
    else
        LLMC_TRY(llmc_strdup(&path, run));
    LLMC_TRY(llmc_report_read(report, path));
exit:
    free(path);
    return status;
}

static llmc_status print_json(const struct llmc_report *reports, int count)
{
    llmc_status status = LLMC_OK;
    char *json = NULL;
    for (int i = 0; i < count; i++) {
        LLMC_TRY(llmc_report_json(&reports[i], &json));
        printf("%s%s%s\n", count > 1 ? i ? "" : "[\n" : "", json, i + 1 < count ? "," : "");
        free(json);
        json = NULL;
    }
    if (count > 1)
        puts("]");
exit:
    return status;
}

static llmc_status run_report(char **runs, int count, bool json)
{
    llmc_status status = LLMC_OK;
    struct llmc_report reports[2] = {0};
    char *text = NULL;
    for (int i = 0; i < count; i++)
        LLMC_TRY(read_run(runs[i], &reports[i]));
    if (json) {
        LLMC_TRY(print_json(reports, count));
    } else {
        LLMC_TRY(count == 2 ? llmc_report_compare(&reports[0], &reports[1], &text)
                            : llmc_report_table(&reports[0], &text));
        fputs(text, stdout);
    }
    LLMC_TRY(llmc_command_flush());
exit:
    free(text);
    llmc_report_release(&reports[0]);
    llmc_report_release(&reports[1]);
    return status;
}

int llmc_command_report(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool json = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (option) {
        case 'j':
            json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return llmc_command_end(llmc_command_flush());
        default:
            return llmc_command_usage_error("report", "unknown option %s", argv[optind - 1]);
        }
    }
    int count = argc - optind;
    if (count < 1 || count > 2)
        return llmc_command_usage_error("report", "one or two runs are needed, not %d", count);
    return llmc_command_end(run_report(argv + optind, count, json));
}
