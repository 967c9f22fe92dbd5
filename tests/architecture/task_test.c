/* architecture/task.h: answers and measures of single labels. The loss is compared with PyTorch's in tests/model. */
#include "architecture/task.h"

#include "tests/base/test_support.h"

#include <math.h>

static double measure(int which, const int64_t *confusion, int32_t labels)
{
    return llmc_task_single_label.measures[which].of(confusion, labels);
}

static void the_highest_is_the_answer(void **state)
{
    (void)state;
    assert_int_equal(llmc_task_single_label.answer((const float[]){-3, 2, 1}, 3), 1);
    assert_int_equal(llmc_task_single_label.answer((const float[]){2, 5, 5}, 3), 1); /* the first of equals */
    assert_int_equal(llmc_task_single_label.answer((const float[]){-INFINITY, -7}, 2), 1);
    assert_int_equal(llmc_task_single_label.answer((const float[]){9}, 1), 0);
}

/* The numbers are those of scikit-learn's accuracy_score and f1_score (binary, and macro). */
static void measures_count(void **state)
{
    (void)state;
    static const int64_t two[] = {50, 10, 5, 35}, three[] = {2, 1, 0, 0, 3, 1, 0, 0, 0}, absent[] = {2, 1, 0, 0, 3, 0, 0, 0, 0},
                         none[4] = {0};
    assert_string_equal(llmc_task_single_label.measures[0].name, "accuracy");
    assert_string_equal(llmc_task_single_label.measures[1].name, "f1");
    assert_true(measure(0, two, 2) == 0.85);
    assert_true(fabs(measure(1, two, 2) - 70.0 / 85) < 1e-15);
    assert_true(fabs(measure(0, three, 3) - 5.0 / 7) < 1e-15);
    assert_true(fabs(measure(1, three, 3) - (0.8 + 0.75 + 0) / 3) < 1e-15);
    assert_true(fabs(measure(1, absent, 3) - (0.8 + 6.0 / 7) / 2) < 1e-15); /* neither there nor predicted */
    assert_true(measure(0, none, 2) == 0 && measure(1, none, 2) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_highest_is_the_answer), cmocka_unit_test(measures_count)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
