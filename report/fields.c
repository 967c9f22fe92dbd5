#include "report/fields.h"

#include <string.h>

#define FIELD(name_) .name = #name_, .offset = offsetof(struct llmc_report_row, name_)
#define FIELD_OF_ROUNDS(name_)                                                                                         \
    FIELD(name_), .spread_name = #name_ "_spread", .spread_offset = offsetof(struct llmc_report_row, name_##_spread)

#define COST .tables = LLMC_TABLE_COST
#define QUALITY .tables = LLMC_TABLE_QUALITY, .optional = true

const struct llmc_report_field llmc_report_fields[LLMC_REPORT_FIELDS] = {
    {FIELD(seconds), .title = "time", .unit = LLMC_UNIT_SECONDS, .ratio = LLMC_RATIO_NONE, COST},
    {FIELD(dev_accuracy), .title = "accuracy", .unit = LLMC_UNIT_FRACTION, .ratio = LLMC_RATIO_POINTS,
     .tables = LLMC_TABLE_COST | LLMC_TABLE_QUALITY},
    {FIELD(teacher_agreement), .title = "agrees", .unit = LLMC_UNIT_FRACTION, .ratio = LLMC_RATIO_NONE, COST},
    {FIELD(parameters), .title = "numbers", .whole = true, .unit = LLMC_UNIT_COUNT, .ratio = LLMC_RATIO_LESS, COST},
    {FIELD(nonzero_parameters), .title = "not zero", .whole = true, .unit = LLMC_UNIT_COUNT,
     .ratio = LLMC_RATIO_LESS, COST},
    {FIELD(file_bytes), .title = "file", .whole = true, .unit = LLMC_UNIT_BYTES, .ratio = LLMC_RATIO_LESS, COST},
    {FIELD(macs_per_example), .title = "MACs/text", .unit = LLMC_UNIT_COUNT, .ratio = LLMC_RATIO_LESS, COST},
    {FIELD(memory_bytes), .title = "memory", .whole = true, .unit = LLMC_UNIT_BYTES, .ratio = LLMC_RATIO_LESS, COST},
    {FIELD_OF_ROUNDS(latency_ms_b1_p50), .title = "latency", .unit = LLMC_UNIT_MILLISECONDS,
     .ratio = LLMC_RATIO_LESS, COST},
    {FIELD_OF_ROUNDS(throughput_per_s_b32), .title = "texts/s", .unit = LLMC_UNIT_PER_SECOND,
     .ratio = LLMC_RATIO_MORE, COST},
    {FIELD(accuracy_deviation), .title = "deviation", .unit = LLMC_UNIT_FRACTION, .ratio = LLMC_RATIO_NONE, QUALITY},
    {FIELD(dev_f1), .title = "F1", .unit = LLMC_UNIT_FRACTION, .ratio = LLMC_RATIO_NONE, QUALITY},
    {FIELD(teacher_divergence), .title = "KL", .unit = LLMC_UNIT_NUMBER, .ratio = LLMC_RATIO_NONE, QUALITY},
    {FIELD(calibration_error), .title = "calibration", .unit = LLMC_UNIT_FRACTION, .ratio = LLMC_RATIO_NONE, QUALITY},
    {FIELD(texts_gained), .title = "gained", .whole = true, .unit = LLMC_UNIT_COUNT, .ratio = LLMC_RATIO_NONE, QUALITY},
    {FIELD(texts_lost), .title = "lost", .whole = true, .unit = LLMC_UNIT_COUNT, .ratio = LLMC_RATIO_NONE, QUALITY},
    {FIELD(mcnemar_p), .title = "p", .unit = LLMC_UNIT_NUMBER, .ratio = LLMC_RATIO_NONE, QUALITY},
};

void llmc_report_row_clear(struct llmc_report_row *row)
{
    memset(row, 0, sizeof *row);
    for (size_t i = 0; i < LLMC_REPORT_FIELDS; i++) {
        const struct llmc_report_field *field = &llmc_report_fields[i];
        const int64_t whole = -1;
        const double real = -1;
        if (field->whole)
            memcpy((char *)row + field->offset, &whole, sizeof whole);
        else
            memcpy((char *)row + field->offset, &real, sizeof real);
        if (field->spread_name)
            memcpy((char *)row + field->spread_offset, &real, sizeof real);
    }
}

double llmc_report_figure(const struct llmc_report_row *row, const struct llmc_report_field *field)
{
    const char *place = (const char *)row + field->offset;
    if (field->whole) {
        int64_t value;
        memcpy(&value, place, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, place, sizeof value);
    return value;
}

double llmc_report_spread(const struct llmc_report_row *row, const struct llmc_report_field *field)
{
    double value = -1;
    if (field->spread_name)
        memcpy(&value, (const char *)row + field->spread_offset, sizeof value);
    return value;
}
