/* What a user came for, in two lines: the teacher against the file. And whether all that was needed. */
#include "report/report.h"

#include "base/median.h"
#include "base/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Below this probability the baseline is not better by chance. */
#define CHANCE_MAX 0.05

/* The last row that this engine answered; NULL: none. */
static const struct llmc_report_row *find_engine(const struct llmc_report *report, const char *engine)
{
    for (int32_t i = report->row_count - 1; i >= 0; i--)
        if (strcmp(report->rows[i].engine, engine) == 0)
            return &report->rows[i];
    return NULL;
}

/* A teacher that knows less than word counts do is no teacher yet. */
static bool is_below(const struct llmc_report_row *teacher, const struct llmc_report_row *baseline)
{
    return baseline && baseline->mcnemar_p >= 0 && baseline->mcnemar_p < CHANCE_MAX &&
           baseline->dev_accuracy > teacher->dev_accuracy;
}

static bool is_known(const struct llmc_report_row *row)
{
    return row->dev_accuracy >= 0 && row->file_bytes > 0 && row->throughput_per_s_b32 > 0;
}

llmc_status llmc_report_summary(const struct llmc_report *report, char **text)
{
    const struct llmc_report_row *file = find_engine(report, "runtime"), *teacher = report->rows;
    const struct llmc_report_row *baseline = find_engine(report, "nbsvm");
    *text = NULL;
    if (!file || file == teacher || !is_known(file) || !is_known(teacher))
        return llmc_strdup(text, "");
    double smaller = (double)teacher->file_bytes / (double)file->file_bytes;
    double faster = file->throughput_per_s_b32 / teacher->throughput_per_s_b32;
    double points = 100 * (file->dev_accuracy - teacher->dev_accuracy);
    const char *disturbed = file->throughput_per_s_b32_spread > LLMC_SPREAD_MAX ||
                                    teacher->throughput_per_s_b32_spread > LLMC_SPREAD_MAX
                                ? "about "
                                : "";
    char chance[64] = "", warning[256] = "";
    if (file->accuracy_deviation >= 0)
        snprintf(chance, sizeof chance, "; one standard deviation is %.2f", 100 * file->accuracy_deviation);
    if (is_below(teacher, baseline))
        snprintf(warning, sizeof warning,
                 "Word counts alone reach %.2f %%, more than the teacher: it has learned too little (more epochs in its stage\n"
                 "help where texts are few or labels many), or they are enough.\n",
                 100 * baseline->dev_accuracy);
    return llmc_format(text,
                       "From %.1f to %.2f MB (%.0f times smaller) and from %.0f to %.0f texts a second (%s%.0f times as "
                       "many),\nat %+.2f points of accuracy: %.2f to %.2f %%%s.\n%s",
                       (double)teacher->file_bytes * 1e-6, (double)file->file_bytes * 1e-6, smaller,
                       teacher->throughput_per_s_b32, file->throughput_per_s_b32, disturbed, faster, points,
                       100 * teacher->dev_accuracy, 100 * file->dev_accuracy, chance, warning);
}
