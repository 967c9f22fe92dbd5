/* The cost report: what is written reads back, damage is named, the table says what the figures say. */
#include "base/file.h"
#include "report/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_NAME "r.json"

static char folder[] = "/tmp/llmc-report-XXXXXX";

static const struct llmc_report_row teacher = {
    "01-teacher", 3725, 0.9, 1, 22713986, 22713986, 90868376, 136000000, 412000000, 6.85, 322, 0.02, 0.1, "libtorch",
    0.0101, 0.91, -1, 0.05, -1, -1, -1};
static const struct llmc_report_row logits = {"02-logits", 62.4, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, "",
                                              -1, -1, -1, -1, -1, -1, -1};
static const struct llmc_report_row verify = {
    "07-verify", 9.96, 0.8853211, 0.9621, 17000000, 14300000, 13200000, 68000000, 61000000, 0.541, 2654, 0, 0.05, "runtime",
    0.0108, 0.89, 0.0731, 0.04, 12, 25, 0.0470};

static void make(struct llmc_report *report)
{
    assert_int_equal(llmc_report_init(report, "sst2", "2.13.0"), LLMC_OK);
    report->data = strdup("dev.tsv, 872 texts");
    report->seed = 9007199254740991;
    report->threads = 2;
    strcpy(report->precision, "fp16");
    assert_int_equal(llmc_report_put(report, &teacher), LLMC_OK);
    assert_int_equal(llmc_report_put(report, &logits), LLMC_OK);
    assert_int_equal(llmc_report_put(report, &verify), LLMC_OK);
}

static void describes_the_machine(void **state)
{
    (void)state;
    struct llmc_report report;
    assert_int_equal(llmc_report_init(&report, "a", NULL), LLMC_OK);
    assert_non_null(strstr(report.machine, " processors, "));
    assert_non_null(strstr(report.versions, "llmc 0.1.0, HDF5 1."));
    assert_null(strstr(report.versions, "LibTorch"));
    llmc_report_release(&report);
    llmc_report_release(&report);
}

static void put_replaces_by_name(void **state)
{
    (void)state;
    struct llmc_report report;
    make(&report);
    struct llmc_report_row row = teacher;
    row.seconds = 5;
    assert_int_equal(llmc_report_put(&report, &row), LLMC_OK);
    assert_int_equal(report.row_count, 3);
    assert_true(llmc_report_find(&report, "01-teacher")->seconds == 5);
    assert_null(llmc_report_find(&report, "01"));
    llmc_report_release(&report);
}

static void reads_back_what_it_wrote(void **state)
{
    (void)state;
    struct llmc_report first, second;
    char *once = NULL;
    char *twice = NULL;
    make(&first);
    assert_int_equal(llmc_report_write(&first, FILE_NAME), LLMC_OK);
    if (llmc_report_read(&second, FILE_NAME) != LLMC_OK)
        fail_msg("%s", llmc_error_message());
    assert_string_equal(second.machine, first.machine);
    assert_int_equal(second.seed, first.seed);
    assert_int_equal(second.row_count, 3);
    assert_memory_equal(second.rows[0].name, teacher.name, sizeof teacher.name);
    assert_true(second.rows[1].dev_accuracy < 0 && second.rows[1].parameters < 0);
    assert_int_equal(second.rows[2].file_bytes, 13200000);
    assert_true(second.rows[2].dev_accuracy == 0.8853211);
    assert_int_equal(llmc_report_json(&first, &once), LLMC_OK);
    assert_int_equal(llmc_report_json(&second, &twice), LLMC_OK);
    assert_string_equal(once, twice);
    assert_non_null(strstr(once, "\"dev_accuracy\": null"));
    assert_true(second.rows[0].latency_ms_b1_p50_spread == 0.02 && second.rows[1].latency_ms_b1_p50_spread < 0);
    free(once);
    free(twice);
    llmc_report_release(&first);
    llmc_report_release(&second);
}

#define HEAD "{\"name\": \"a\", \"machine\": \"m\", \"versions\": \"v\", \"data\": null, \"precision\": \"fp16\", "
#define FULL HEAD "\"seed\": 1, \"threads\": 2, "
#define FIGURES                                                                                          \
    "\"dev_accuracy\": null, \"teacher_agreement\": null, \"parameters\": 1, \"nonzero_parameters\": 1, " \
    "\"file_bytes\": 1, \"macs_per_example\": 1, \"memory_bytes\": 1, \"latency_ms_b1_p50\": 1, "         \
    "\"throughput_per_s_b32\": 1"
#define OLD FULL "\"stages\": [{\"name\": \"a\", \"engine\": \"e\", \"seconds\": 1, " FIGURES "}]}"

/* A report of the time before spreads. */
static void reads_reports_without_spreads(void **state)
{
    (void)state;
    struct llmc_report report;
    assert_int_equal(llmc_file_write(FILE_NAME, OLD, strlen(OLD)), LLMC_OK);
    if (llmc_report_read(&report, FILE_NAME) != LLMC_OK)
        fail_msg("%s", llmc_error_message());
    assert_true(report.rows[0].latency_ms_b1_p50 == 1);
    assert_true(report.rows[0].latency_ms_b1_p50_spread < 0 && report.rows[0].throughput_per_s_b32_spread < 0);
    llmc_report_release(&report);
}

static void names_what_is_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } bads[] = {
        {"", "r.json:1:0: '[' or '{' expected near end of file"},
        {"{\"name\": \"a\",\n \"x\" 1}", "r.json:2:6: ':' expected near '1'"},
        {"{\"name\": \"a\", \"name\": \"b\"}", "r.json:1:20: duplicate object key near '\"name\"'"},
        {"[]", "r.json: is no report: no JSON object"},
        {"{}", "r.json: name: missing"},
        {"{\"name\": 1}", "r.json: name: is no text"},
        {"{\"name\": \"a\\u001b[2J\"}", "r.json: name: holds a control character"},
        {HEAD "\"seed\": -1}", "r.json: seed: is out of range"},
        {HEAD "\"seed\": 1.5}", "r.json: seed: is no whole number"},
        {HEAD "\"seed\": 1, \"threads\": 2147483648}", "r.json: threads: is out of range"},
        {FULL "\"x\": 1}", "r.json: stages: missing"},
        {FULL "\"stages\": 1}", "r.json: stages: is no list of stages, or too long"},
        {FULL "\"stages\": [1]}", "r.json: stages[0].name: missing"},
        {FULL "\"stages\": [{\"name\": \"0123456789abcdef\"}]}",
         "r.json: stages[0].name: is too long, or holds a zero byte"},
        {FULL "\"stages\": [{\"name\": \"a\", \"engine\": \"e\"}]}", "r.json: stages[0].seconds: missing"},
        {FULL "\"stages\": [{\"name\": \"a\", \"engine\": \"e\", \"seconds\": \"1\"}]}",
         "r.json: stages[0].seconds: is no number"},
        {FULL "\"stages\": [{\"name\": \"a\", \"engine\": \"e\", \"seconds\": -1}]}",
         "r.json: stages[0].seconds: is negative"},
        {FULL "\"stages\": [{\"name\": \"a\", \"engine\": \"e\", \"seconds\": 1, " FIGURES
              ", \"throughput_per_s_b32_spread\": -0.5}]}",
         "r.json: stages[0].throughput_per_s_b32_spread: is negative"},
        {FULL "\"stages\": [{\"name\": \"a\", \"engine\": \"e\", \"seconds\": 1, " FIGURES
              ", \"latency_ms_b1_p50_spread\": \"0\"}]}",
         "r.json: stages[0].latency_ms_b1_p50_spread: is no number"},
        {FULL "\"stages\": [{\"name\": \"a\", \"engine\": \"e\", \"seconds\": 1, " FIGURES
              "}, {\"name\": \"a\", \"engine\": \"e\", \"seconds\": 1, " FIGURES "}]}",
         "r.json: stages[1].name: stands twice"},
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        struct llmc_report report;
        assert_int_equal(llmc_file_write(FILE_NAME, bads[i].json, strlen(bads[i].json)), LLMC_OK);
        llmc_status status = llmc_report_read(&report, FILE_NAME);
        if (status != LLMC_ERR_FORMAT || strcmp(llmc_error_message(), bads[i].message) != 0) {
            print_error("%s\nis       %s\nexpected %s\n\n", bads[i].json, llmc_error_message(), bads[i].message);
            failed++;
        }
        assert_null(report.name);
    }
    assert_int_equal(failed, 0);
    struct llmc_report report;
    assert_int_equal(llmc_report_read(&report, "missing.json"), LLMC_ERR_IO);
}

/* The line that starts with `start`; the caller frees it. */
static char *line_of(const char *text, const char *start)
{
    const char *line = strstr(text, start);
    assert_non_null(line);
    return strndup(line, strcspn(line, "\n"));
}

static void expect_line(const char *text, const char *start, const char *expected)
{
    char *line = line_of(text, start);
    assert_string_equal(line, expected);
    free(line);
}

static void table_compares_with_the_teacher(void **state)
{
    (void)state;
    struct llmc_report report;
    char *text = NULL;
    make(&report);
    assert_int_equal(llmc_report_table(&report, &text), LLMC_OK);
    assert_int_equal(strncmp(text, "sst2: dev.tsv, 872 texts, seed 9007199254740991, fp16, 2 threads\n", 65), 0);
    expect_line(text, "stage  ", "stage        time      accuracy   agrees      numbers     not zero          file"
                                 "    MACs/text        memory      latency    texts/s  engine");
    expect_line(text, "01-teacher", "01-teacher  1h02m  90.00%        100.00%  22.7 M       22.7 M       90.9 MB     "
                                    "   136 M        412 MB       6.85 ms       322       libtorch");
    expect_line(text, "02-logits", "02-logits   1m02s       -              -       -            -             -       "
                                   "     -             -             -         -       -");
    expect_line(text, "07-verify", "07-verify    10 s  88.53% -1.47   96.21%  17.0 M 1.3x  14.3 M 1.6x  13.2 MB 6.9x "
                                   " 68.0 M 2.0x  61.0 MB 6.8x  0.54 ms 13x  2654 8.2x  runtime");
    assert_non_null(strstr(text, "stage           accuracy  deviation      F1      KL  calibration  gained  lost       p  than the "
                                 "teacher\n"));
    assert_non_null(strstr(text, "07-verify   88.53% -1.47      1.08%  89.00%  0.0731        4.00%      12    25  0.0470  worse\n"));
    assert_non_null(strstr(text, "From 90.9 to 13.20 MB (7 times smaller) and from 322 to 2654 texts a second (8 times as many),\n"
                                 "at -1.47 points of accuracy: 90.00 to 88.53 %; one standard deviation is 1.08.\n"));
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 150);
    assert_null(strchr(text, '~'));
    free(text);
    llmc_report_release(&report);
}

/* Only what is better by more than chance. */
static void summary_warns_of_a_teacher_below_word_counts(void **state)
{
    (void)state;
    static const struct {
        double accuracy, p;
        bool warned;
    } cases[] = {{0.93, 0.01, true}, {0.93, 0.3, false}, {0.87, 0.01, false}, {0.93, -1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct llmc_report report;
        char *text = NULL;
        make(&report);
        struct llmc_report_row row;
        llmc_report_row_clear(&row);
        strcpy(row.name, "08-baseline");
        strcpy(row.engine, "nbsvm");
        row.dev_accuracy = cases[i].accuracy;
        row.mcnemar_p = cases[i].p;
        assert_int_equal(llmc_report_put(&report, &row), LLMC_OK);
        assert_int_equal(llmc_report_summary(&report, &text), LLMC_OK);
        assert_non_null(strstr(text, "at -1.47 points of accuracy"));
        assert_int_equal(strstr(text, "Word counts alone reach 93.00 %, more than the teacher") != NULL, cases[i].warned);
        free(text);
        llmc_report_release(&report);
    }
}

static void table_marks_disturbed_figures(void **state)
{
    (void)state;
    struct llmc_report report;
    char *text = NULL;
    make(&report);
    struct llmc_report_row row = verify;
    row.latency_ms_b1_p50 = 12.1;
    row.latency_ms_b1_p50_spread = 0.7;
    assert_int_equal(llmc_report_put(&report, &row), LLMC_OK);
    assert_int_equal(llmc_report_table(&report, &text), LLMC_OK);
    expect_line(text, "07-verify", "07-verify    10 s  88.53% -1.47   96.21%  17.0 M 1.3x  14.3 M 1.6x  13.2 MB 6.9x "
                                   " 68.0 M 2.0x  61.0 MB 6.8x  ~12.1 ms 0.6x  2654 8.2x  runtime");
    expect_line(text, "~: ", "~: the rounds of this measurement differ by more than 10 %; other work ran beside it.");
    free(text);
    llmc_report_release(&report);
}

static void compares_two_runs(void **state)
{
    (void)state;
    struct llmc_report a, b;
    char *text = NULL;
    make(&a);
    make(&b);
    struct llmc_report_row row = verify;
    row.file_bytes /= 2;
    row.throughput_per_s_b32 *= 3;
    assert_int_equal(llmc_report_put(&b, &row), LLMC_OK);
    strcpy(row.name, "08-more");
    assert_int_equal(llmc_report_put(&b, &row), LLMC_OK);
    assert_int_equal(llmc_report_compare(&a, &b, &text), LLMC_OK);
    const char *in_order[] = {"A sst2", "B sst2", "A 01-teacher", "B 01-teacher", "A 07-verify", "B 07-verify",
                              "6.60 MB 2.0x", "7962 3.0x", "B 08-more"};
    const char *place = text;
    for (size_t i = 0; i < sizeof in_order / sizeof in_order[0]; i++) {
        place = strstr(place, in_order[i]);
        if (!place)
            fail_msg("no \"%s\" in its place in\n%s", in_order[i], text);
    }
    free(text);
    llmc_report_release(&a);
    llmc_report_release(&b);
}

int main(void)
{
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describes_the_machine),          cmocka_unit_test(put_replaces_by_name),
        cmocka_unit_test(reads_back_what_it_wrote),       cmocka_unit_test(names_what_is_damaged),
        cmocka_unit_test(reads_reports_without_spreads),  cmocka_unit_test(summary_warns_of_a_teacher_below_word_counts),
        cmocka_unit_test(table_marks_disturbed_figures),
        cmocka_unit_test(table_compares_with_the_teacher), cmocka_unit_test(compares_two_runs),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(FILE_NAME);
    rmdir(folder);
    return failed;
}
