/* text/labels.h: which output of a classifier stands for which label of the data. */
#include "text/labels.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "a|b" as two labels. */
static struct llmc_labels split(const char *text)
{
    struct llmc_labels labels = {0};
    char *copy, *rest, *name;
    assert_int_equal(llmc_strdup(&copy, text), LLMC_OK);
    for (rest = copy; *text && (name = strsep(&rest, "|"));)
        assert_int_equal(llmc_labels_add(&labels, name), LLMC_OK);
    free(copy);
    return labels;
}

/* The names that the outputs get, or the error's message. */
static void expect(const char *data, const char *outputs, const char *given, llmc_status status, const char *expected)
{
    struct llmc_labels lists[3] = {split(data), split(outputs), split(given)}, out, wanted = split(expected);
    llmc_status got = llmc_labels_match(&out, &lists[0], &lists[1], &lists[2], "FOLDER");
    if (got != status)
        fail_msg("%s, %s: status %d, %s", data, outputs, got, llmc_error_message());
    if (status != LLMC_OK) {
        if (!strstr(llmc_error_message(), expected))
            fail_msg("\"%s\" does not hold \"%s\"", llmc_error_message(), expected);
        assert_int_equal(out.count, 0);
    } else {
        assert_int_equal(out.count, wanted.count);
        for (int32_t i = 0; i < out.count; i++)
            assert_string_equal(out.names[i], wanted.names[i]);
    }
    llmc_labels_release(&out);
    llmc_labels_release(&wanted);
    for (int i = 0; i < 3; i++)
        llmc_labels_release(&lists[i]);
}

static void names_that_agree(void **state)
{
    (void)state;
    expect("negative|positive", "negative|positive", "", LLMC_OK, "negative|positive");
    expect("negative|positive", "positive|negative", "", LLMC_OK, "positive|negative");
    expect("negative|positive", "POSITIVE|NEGATIVE", "", LLMC_OK, "positive|negative");
    expect("negative|positive", " Positive|negative\t", "", LLMC_OK, "positive|negative");
    expect("größe|ÜBER", "Über|GRÖSSE", "", LLMC_OK, "ÜBER|größe");
    expect("a|c", "c|B|a", "", LLMC_OK, "c|B|a");
    expect("a|c", "C|B|A", "", LLMC_OK, "c|B|a");
    expect("A|a", "a|A", "", LLMC_OK, "a|A"); /* case alone tells them apart */
}

static void numbers(void **state)
{
    (void)state;
    expect("0|1", "LABEL_0|LABEL_1", "", LLMC_OK, "0|1");
    expect("1|0", "LABEL_0|LABEL_1", "", LLMC_OK, "0|1");
    expect("LABEL_1|LABEL_0", "0|1", "", LLMC_OK, "LABEL_0|LABEL_1");
    expect("0|1", "1|0", "", LLMC_OK, "1|0");
    expect("0|1|2|3|4|5|6|7|8|9|10", "LABEL_0|LABEL_1|LABEL_2|LABEL_3|LABEL_4|LABEL_5|LABEL_6|LABEL_7|LABEL_8|LABEL_9|LABEL_10", "",
           LLMC_OK, "0|1|2|3|4|5|6|7|8|9|10");
    expect("1|2", "LABEL_0|LABEL_1", "", LLMC_ERR_CONFIG, "\"1\", \"2\"");
    expect("0|1", "negative|positive", "", LLMC_ERR_CONFIG, "teacher.labels");
    expect("negative|positive", "LABEL_0|LABEL_1", "", LLMC_ERR_CONFIG, "outputs of the classifier are \"LABEL_0\", \"LABEL_1\", the labels of the "
           "data \"negative\", \"positive\"");
}

static void questions(void **state)
{
    (void)state;
    expect("a|b|c", "a|b", "", LLMC_ERR_CONFIG, "FOLDER: the classifier has 2 outputs (\"a\", \"b\"), the data have 3 labels (\"a\", \"b\", \"c\")");
    expect("a|b", "a|x", "", LLMC_ERR_CONFIG, "FOLDER: the outputs of the classifier are \"a\", \"x\"");
    expect("a|b", "B|b|A", "", LLMC_ERR_CONFIG, "teacher.labels"); /* which of two b? */
    expect("a|A|b", "a|b|c", "", LLMC_ERR_CONFIG, "teacher.labels");
    expect("a|b", "a|a", "", LLMC_ERR_CONFIG, "teacher.labels");
    expect("a|b", "a|b|b", "", LLMC_ERR_CONFIG, "teacher.labels");
}

static void answers(void **state)
{
    (void)state;
    expect("neg|pos", "POSITIVE|NEGATIVE", "pos|neg", LLMC_OK, "pos|neg");
    expect("0|1", "negative|positive", "0|1", LLMC_OK, "0|1");
    expect("a|b", "a|b", "b|a", LLMC_OK, "b|a"); /* the key has the last word */
    expect("a|b", "x|y|z", "a|other|b", LLMC_OK, "a|other|b");
    expect("neg|pos", "POSITIVE|NEGATIVE", "pos", LLMC_ERR_CONFIG, "teacher.labels must name");
    expect("neg|pos", "POSITIVE|NEGATIVE", "pos|pos", LLMC_ERR_CONFIG, "each once");
    expect("neg|pos", "POSITIVE|NEGATIVE", "pos|nag", LLMC_ERR_CONFIG, "the labels of the data are \"neg\", \"pos\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_agree),
        cmocka_unit_test(numbers),
        cmocka_unit_test(questions),
        cmocka_unit_test(answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
