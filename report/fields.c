#include "report/fields.h"

#include <string.h>

#define FIELD(name_) .name = #name_, .offset = offsetof(struct llmc_report_row, name_)
#define FIELD_OF_ROUNDS(name_)                                                                                         \
    FIELD(name_), .spread_name = #name_ "_spread", .spread_offset = offsetof(struct llmc_report_row, name_##_spread)

const struct llmc_report_field llmc_report_fields[LLMC_REPORT_FIELDS] = {
    {FIELD(seconds), .title = "time", .unit = LLMC_UNIT_SECONDS, .ratio = LLMC_RATIO_NONE},
    {FIELD(dev_accuracy), .title = "accuracy", .unit = LLMC_UNIT_FRACTION, .ratio = LLMC_RATIO_POINTS},
    {FIELD(teacher_agreement), .title = "agrees", .unit = LLMC_UNIT_FRACTION, .ratio = LLMC_RATIO_NONE},
    {FIELD(parameters), .title = "numbers", .whole = true, .unit = LLMC_UNIT_COUNT, .ratio = LLMC_RATIO_LESS},
    {FIELD(nonzero_parameters), .title = "not zero", .whole = true, .unit = LLMC_UNIT_COUNT,
     .ratio = LLMC_RATIO_LESS},
    {FIELD(file_bytes), .title = "file", .whole = true, .unit = LLMC_UNIT_BYTES, .ratio = LLMC_RATIO_LESS},
    {FIELD(macs_per_example), .title = "MACs/text", .unit = LLMC_UNIT_COUNT, .ratio = LLMC_RATIO_LESS},
    {FIELD(memory_bytes), .title = "memory", .whole = true, .unit = LLMC_UNIT_BYTES, .ratio = LLMC_RATIO_LESS},
    {FIELD_OF_ROUNDS(latency_ms_b1_p50), .title = "latency", .unit = LLMC_UNIT_MILLISECONDS,
     .ratio = LLMC_RATIO_LESS},
    {FIELD_OF_ROUNDS(throughput_per_s_b32), .title = "texts/s", .unit = LLMC_UNIT_PER_SECOND,
     .ratio = LLMC_RATIO_MORE},
};

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
