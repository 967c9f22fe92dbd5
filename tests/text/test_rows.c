#include "base/file.h"
#include "base/memory.h"
#include "text/dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static char path[] = "/tmp/llmc-test-XXXXXX";
static const struct llmc_columns columns = {.text = "sentence", .label = "label"};

static int make_path(void **state)
{
    (void)state;
    int file = mkstemp(path);
    return file < 0 ? -1 : close(file);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_bytes(const void *bytes, size_t nbytes)
{
    assert_int_equal(llmc_file_write(path, bytes, nbytes), LLMC_OK);
}

static void write_text(const char *text)
{
    write_bytes(text, strlen(text));
}

/* Writes `text` packed by gzip, less the last `cut` bytes of the file. */
static void write_gzip(const char *text, size_t cut)
{
    gzFile file = gzopen(path, "wb");
    char *bytes;
    size_t nbytes;
    assert_non_null(file);
    assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), strlen(text));
    assert_int_equal(gzclose(file), Z_OK);
    assert_int_equal(llmc_file_read(path, 1 << 20, &bytes, &nbytes), LLMC_OK);
    assert_true(nbytes > cut);
    write_bytes(bytes, nbytes - cut);
    free(bytes);
}

static void expect_failure(const struct llmc_columns *wanted, llmc_status expected, const char *message)
{
    struct llmc_labels labels = {0};
    struct llmc_rows rows;
    assert_int_equal(llmc_rows_read(&rows, path, wanted, &labels), expected);
    if (!strstr(llmc_error_message(), message))
        fail_msg("\"%s\" does not hold \"%s\"", llmc_error_message(), message);
    assert_ptr_equal(strstr(llmc_error_message(), path), llmc_error_message());
    assert_int_equal(rows.count, 0);
    assert_null(rows.buffer);
    assert_int_equal(labels.count, 0);
    assert_null(labels.names);
}

static void test_plain_file(void **state)
{
    (void)state;
    struct llmc_labels labels = {0};
    struct llmc_rows rows;
    write_text("id\tsentence\tlabel\n7\tgood \"film\"\t1\n8\t\t0\n9\tcaf\xC3\xA9\t1\n");
    assert_int_equal(llmc_rows_read(&rows, path, &columns, &labels), LLMC_OK);
    assert_int_equal(rows.count, 3);
    assert_string_equal(rows.texts[0], "good \"film\"");
    assert_string_equal(rows.texts[1], "");
    assert_string_equal(rows.texts[2], "caf\xC3\xA9");
    assert_null(rows.pairs);
    assert_int_equal(labels.count, 2);
    assert_string_equal(labels.names[0], "0");
    assert_string_equal(labels.names[1], "1");
    assert_int_equal(rows.label[0], 1);
    assert_int_equal(rows.label[1], 0);
    assert_int_equal(rows.label[2], 1);
    llmc_rows_release(&rows);
    llmc_labels_release(&labels);
}

static void test_line_ends_and_byte_order_mark(void **state)
{
    (void)state;
    struct llmc_labels labels = {0};
    struct llmc_rows rows;
    write_text("\xEF\xBB\xBFsentence\tlabel\r\na\tx\r\nb\ty\r\n\r\n\n\n");
    assert_int_equal(llmc_rows_read(&rows, path, &columns, &labels), LLMC_OK);
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.texts[1], "b");
    assert_string_equal(labels.names[1], "y");
    llmc_rows_release(&rows);
    llmc_labels_release(&labels);
    write_text("sentence\tlabel\na\tx"); /* no line end at all behind the last row */
    assert_int_equal(llmc_rows_read(&rows, path, &columns, &labels), LLMC_OK);
    assert_int_equal(rows.count, 1);
    assert_string_equal(labels.names[0], "x");
    llmc_rows_release(&rows);
    llmc_labels_release(&labels);
}

static void test_pairs_without_labels(void **state)
{
    (void)state;
    const struct llmc_columns pair = {.text = "b", .text_pair = "a", .label = ""};
    struct llmc_labels labels = {0};
    struct llmc_rows rows;
    write_text("a\tb\none\ttwo\n\tthree\n");
    assert_int_equal(llmc_rows_read(&rows, path, &pair, &labels), LLMC_OK);
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.texts[0], "two");
    assert_string_equal(rows.pairs[0], "one");
    assert_string_equal(rows.pairs[1], "");
    assert_null(rows.label);
    assert_int_equal(labels.count, 0);
    llmc_rows_release(&rows);
}

static void test_one_column_keeps_empty_rows_inside(void **state)
{
    (void)state;
    const struct llmc_columns one = {.text = "t"};
    struct llmc_labels labels = {0};
    struct llmc_rows rows;
    write_text("t\n\na\n\n\n");
    assert_int_equal(llmc_rows_read(&rows, path, &one, &labels), LLMC_OK);
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.texts[0], "");
    assert_string_equal(rows.texts[1], "a");
    llmc_rows_release(&rows);
}

static void test_order_of_labels(void **state)
{
    (void)state;
    struct llmc_labels labels = {0};
    struct llmc_rows rows;
    write_text("sentence\tlabel\na\t10\nb\t9\nc\t-1\nd\t10\n");
    assert_int_equal(llmc_rows_read(&rows, path, &columns, &labels), LLMC_OK);
    assert_int_equal(labels.count, 3);
    assert_string_equal(labels.names[0], "-1");
    assert_string_equal(labels.names[1], "9");
    assert_string_equal(labels.names[2], "10");
    assert_int_equal(rows.label[0], 2);
    assert_int_equal(rows.label[1], 1);
    assert_int_equal(rows.label[2], 0);
    assert_int_equal(rows.label[3], 2);
    llmc_rows_release(&rows);
    llmc_labels_release(&labels);
    write_text("sentence\tlabel\na\t10\nb\t9\nc\tx\n"); /* not all integers */
    assert_int_equal(llmc_rows_read(&rows, path, &columns, &labels), LLMC_OK);
    assert_string_equal(labels.names[0], "10");
    assert_string_equal(labels.names[1], "9");
    assert_string_equal(labels.names[2], "x");
    assert_int_equal(llmc_labels_find(&labels, "x"), 2);
    assert_int_equal(llmc_labels_find(&labels, "y"), -1);
    llmc_rows_release(&rows);
    llmc_labels_release(&labels);
}

static void test_given_labels(void **state)
{
    (void)state;
    char *names[] = {"yes", "no"};
    struct llmc_labels given = {.names = names, .count = 2}, labels;
    struct llmc_rows rows;
    assert_int_equal(llmc_labels_copy(&labels, &given), LLMC_OK);
    write_text("sentence\tlabel\na\tno\nb\tno\n");
    assert_int_equal(llmc_rows_read(&rows, path, &columns, &labels), LLMC_OK);
    assert_int_equal(rows.label[0], 1);
    assert_int_equal(labels.count, 2);
    llmc_rows_release(&rows);
    write_text("sentence\tlabel\na\tno\nb\tmaybe\n");
    assert_int_equal(llmc_rows_read(&rows, path, &columns, &labels), LLMC_ERR_DATA);
    assert_non_null(strstr(llmc_error_message(), ":3: unknown label \"maybe\"; the labels are \"yes\", \"no\""));
    assert_int_equal(labels.count, 2);
    llmc_labels_release(&labels);
}

static void test_gzip(void **state)
{
    (void)state;
    struct llmc_labels labels = {0};
    struct llmc_rows rows;
    write_gzip("sentence\tlabel\na b c d e f g\t1\nh i j k l\t0\n", 0);
    assert_int_equal(llmc_rows_read(&rows, path, &columns, &labels), LLMC_OK);
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.texts[1], "h i j k l");
    llmc_rows_release(&rows);
    llmc_labels_release(&labels);
    for (size_t cut = 1; cut < 40; cut++) { /* the check sum, then the content, is not whole */
        write_gzip("sentence\tlabel\na b c d e f g\t1\nh i j k l\t0\n", cut);
        expect_failure(&columns, LLMC_ERR_DATA, "damaged gzip file");
    }
    char *bytes;
    size_t nbytes;
    write_gzip("sentence\tlabel\na b c d e f g\t1\nh i j k l\t0\n", 0);
    assert_int_equal(llmc_file_read(path, 1 << 20, &bytes, &nbytes), LLMC_OK);
    bytes[nbytes / 2] ^= 0x55;
    write_bytes(bytes, nbytes);
    free(bytes);
    expect_failure(&columns, LLMC_ERR_DATA, "damaged gzip file");
}

/* Larger than the first buffer, so that reading must go on. */
static void test_large_file(void **state)
{
    (void)state;
    enum { ROWS = 300000 };
    struct llmc_labels labels = {0};
    struct llmc_rows rows;
    char *text, *end;
    assert_int_equal(llmc_alloc(&text, 20 * ROWS + 100, 1), LLMC_OK);
    end = stpcpy(text, "sentence\tlabel\n");
    for (int i = 0; i < ROWS; i++)
        end += sprintf(end, "text %d\t%d\n", i, i % 3);
    write_gzip(text, 0);
    free(text);
    assert_int_equal(llmc_rows_read(&rows, path, &columns, &labels), LLMC_OK);
    assert_int_equal(rows.count, ROWS);
    assert_string_equal(rows.texts[ROWS - 1], "text 299999");
    assert_int_equal(rows.label[ROWS - 1], (ROWS - 1) % 3);
    llmc_rows_release(&rows);
    llmc_labels_release(&labels);
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "the file is empty"},
        {"\n\r\n\n", "the file is empty"},
        {"sentence\tlabel\n", "no rows below the header"},
        {"sentence\tlabel", "no rows below the header"},
        {"text\tlabel\na\t1\n", ":1: no column \"sentence\"; the columns are: text label"},
        {"sentence\tclass\na\t1\n", ":1: no column \"label\"; the columns are: sentence class"},
        {"sentence\tlabel\tsentence\na\t1\tb\n", ":1: the column \"sentence\" stands there twice"},
        {"sentence\tlabel\na\t1\nb\n", ":3: 1 columns; the header has 2"},
        {"sentence\tlabel\na\t1\tx\n", ":2: 3 columns; the header has 2"},
        {"sentence\tlabel\na\t1\n\nb\t1\n", ":3: 1 columns; the header has 2"},
        {"sentence\tlabel\na\t\n", ":2: the label is empty"},
        {"sentence\tlabel\na\t1\nbc\xFF\t1\n", ":3: byte 3 of the line is not UTF-8"},
        {"sentence\tlab\xC3\na\t1\n", ":1: byte 13 of the line is not UTF-8"},
        {"sentence\tlabel\n\xED\xA0\x80\t1\n", ":2: byte 1 of the line is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text(cases[i].text);
        expect_failure(&columns, LLMC_ERR_DATA, cases[i].message);
    }
    write_bytes("sentence\tlabel\na\0b\t1\n", 21);
    expect_failure(&columns, LLMC_ERR_DATA, ":2: byte 2 of the line is zero");
}

static void test_missing_file_and_folder(void **state)
{
    (void)state;
    struct llmc_labels labels = {0};
    struct llmc_rows rows;
    assert_int_equal(llmc_rows_read(&rows, "/tmp/llmc-no-such-file", &columns, &labels), LLMC_ERR_IO);
    assert_non_null(strstr(llmc_error_message(), "/tmp/llmc-no-such-file: cannot open: No such file"));
    assert_int_equal(llmc_rows_read(&rows, "/tmp", &columns, &labels), LLMC_ERR_IO);
    assert_non_null(strstr(llmc_error_message(), "/tmp: cannot read: Is a directory"));
}

static void test_no_text_column_named(void **state)
{
    (void)state;
    const struct llmc_columns none = {.label = "label"};
    write_text("sentence\tlabel\na\t1\n");
    expect_failure(&none, LLMC_ERR_ARGUMENT, "text column");
}

static void test_too_many_labels(void **state)
{
    (void)state;
    char text[20000], *end = stpcpy(text, "sentence\tlabel\n");
    for (int i = 0; i < 1001; i++)
        end += sprintf(end, "a\t%d.5\n", i);
    write_text(text);
    expect_failure(&columns, LLMC_ERR_DATA, ":1002: more than 1000 different labels");
}

static void test_long_lists_of_labels_are_cut(void **state)
{
    (void)state;
    struct llmc_labels labels = {0};
    struct llmc_rows rows;
    char text[2000], *end = stpcpy(text, "sentence\tlabel\n");
    for (int i = 0; i < 25; i++)
        end += sprintf(end, "a\t%d\n", i);
    write_text(text);
    assert_int_equal(llmc_rows_read(&rows, path, &columns, &labels), LLMC_OK);
    llmc_rows_release(&rows);
    write_text("sentence\tlabel\na\t25\n");
    assert_int_equal(llmc_rows_read(&rows, path, &columns, &labels), LLMC_ERR_DATA);
    assert_non_null(strstr(llmc_error_message(), "\"18\", \"19\" and 5 more"));
    llmc_labels_release(&labels);
}

static void gives_labels_their_names(void **state)
{
    (void)state;
    char *names[] = {"1=good", "-1=bad", "2=good", "3=a=b"};
    const struct llmc_columns named = {"sentence", NULL, "label", names, 4};
    struct llmc_labels labels = {0};
    struct llmc_rows rows;
    write_text("sentence\tlabel\na\t1\nb\t-1\nc\t2\nd\tplain\ne\t3\n");
    assert_int_equal(llmc_rows_read(&rows, path, &named, &labels), LLMC_OK);
    assert_int_equal(labels.count, 4);
    static const char *const wanted[] = {"good", "bad", "good", "plain", "a=b"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(labels.names[rows.label[i]], wanted[i]);
    llmc_rows_release(&rows);
    write_text("sentence\tlabel\na\tgood\nb\t2\n"); /* names are fine as they are */
    assert_int_equal(llmc_rows_read(&rows, path, &named, &labels), LLMC_OK);
    assert_int_equal(rows.label[0], rows.label[1]);
    llmc_rows_release(&rows);
    llmc_labels_release(&labels);
    for (int i = 0; i < 3; i++) {
        char *bad[] = {(char *[]){"0", "=x", "0="}[i]};
        const struct llmc_columns wrong = {"sentence", NULL, "label", bad, 1};
        expect_failure(&wrong, LLMC_ERR_ARGUMENT, "must be LABEL=NAME, such as 0=negative");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_labels_their_names),
        cmocka_unit_test(test_plain_file),
        cmocka_unit_test(test_line_ends_and_byte_order_mark),
        cmocka_unit_test(test_pairs_without_labels),
        cmocka_unit_test(test_one_column_keeps_empty_rows_inside),
        cmocka_unit_test(test_order_of_labels),
        cmocka_unit_test(test_given_labels),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_large_file),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_missing_file_and_folder),
        cmocka_unit_test(test_no_text_column_named),
        cmocka_unit_test(test_too_many_labels),
        cmocka_unit_test(test_long_lists_of_labels_are_cut),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
