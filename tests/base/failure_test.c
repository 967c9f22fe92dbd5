#include "base/failure.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void nothing_failed(void **state)
{
    (void)state;
    struct llmc_failure failure = {0};
    llmc_failure_note(&failure, 3, LLMC_OK);
    assert_int_equal(llmc_failure_report(&failure), LLMC_OK);
}

static void *fail_elsewhere(void *argument)
{
    llmc_failure_note(argument, 7, llmc_error(LLMC_ERR_DATA, "item %d is 100 %% wrong", 7));
    return NULL;
}

static void message_crosses_threads(void **state)
{
    (void)state;
    struct llmc_failure failure = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &failure), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    llmc_error(LLMC_ERR_IO, "something older");
    assert_int_equal(llmc_failure_report(&failure), LLMC_ERR_DATA);
    assert_string_equal(llmc_error_message(), "item 7 is 100 % wrong");
}

static void lowest_item_wins(void **state)
{
    (void)state;
    struct llmc_failure failure = {0};
    llmc_failure_note(&failure, 9, llmc_error(LLMC_ERR_IO, "nine"));
    llmc_failure_note(&failure, 0, llmc_error(LLMC_ERR_FORMAT, "zero"));
    llmc_failure_note(&failure, 4, llmc_error(LLMC_ERR_MEMORY, "four"));
    assert_int_equal(llmc_failure_report(&failure), LLMC_ERR_FORMAT);
    assert_string_equal(llmc_error_message(), "zero");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_failed),
        cmocka_unit_test(message_crosses_threads),
        cmocka_unit_test(lowest_item_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
