/* base/status.h: messages, prefixes, cut texts, and that each thread has its own. */
#include "base/status.h"

#include "tests/base/test_support.h"

#include <pthread.h>

static void message_is_kept(void **state)
{
    (void)state;
    assert_string_equal(llmc_error_message(), "");
    assert_int_equal(llmc_error(LLMC_ERR_DATA, "line %d: %s", 7, "odd"), LLMC_ERR_DATA);
    assert_string_equal(llmc_error_message(), "line 7: odd");
    assert_int_equal(llmc_error_prefix(LLMC_ERR_IO, "file %c", 'x'), LLMC_ERR_IO);
    assert_string_equal(llmc_error_message(), "file x: line 7: odd");
    llmc_error(LLMC_ERR_IO, "again: %s", llmc_error_message()); /* may quote itself */
    assert_string_equal(llmc_error_message(), "again: file x: line 7: odd");
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    char text[4001];
    memset(text, 'a', 4000);
    text[4000] = '\0';
    llmc_error(LLMC_ERR_IO, "%s", text);
    assert_int_equal(strlen(llmc_error_message()), 1023);
    llmc_error_prefix(LLMC_ERR_IO, "%s", text);
    assert_int_equal(strlen(llmc_error_message()), 1023);
    llmc_error(LLMC_ERR_IO, "short");
    memset(text, 'b', 1000);
    llmc_error_prefix(LLMC_ERR_IO, "%.1020s", text);
    assert_int_equal(strlen(llmc_error_message()), 1023);
    assert_string_equal(llmc_error_message() + 1020, ": s");
}

/* Leaves bytes other than zero where the next function's variables will lie. */
static __attribute__((noinline)) void spoil_stack(void)
{
    volatile unsigned char bytes[8192];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 'x';
}

/* Whatever was there before: a short message, then prefixes around the longest that fits. */
static void cut_messages_end(void **state)
{
    (void)state;
    char text[1101];
    memset(text, 'b', sizeof text);
    for (int nbytes = 990; nbytes <= 1100; nbytes++) {
        size_t whole = (size_t)nbytes + strlen(": short");
        spoil_stack();
        llmc_error(LLMC_ERR_IO, "short");
        spoil_stack();
        llmc_error_prefix(LLMC_ERR_IO, "%.*s", nbytes, text);
        assert_int_equal(strlen(llmc_error_message()), whole < 1023 ? whole : 1023);
    }
}

static void *fail_elsewhere(void *argument)
{
    (void)argument;
    llmc_error(LLMC_ERR_IO, "of the other thread");
    return NULL;
}

static void threads_have_their_own(void **state)
{
    (void)state;
    pthread_t thread;
    llmc_error(LLMC_ERR_IO, "of this thread");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(llmc_error_message(), "of this thread");
}

static void every_code_has_words_and_an_exit(void **state)
{
    (void)state;
    for (int code = LLMC_OK; code <= LLMC_ERR_INTERRUPTED; code++) {
        assert_true(strlen(llmc_status_words((llmc_status)code)) > 0);
        assert_in_range(llmc_status_exit((llmc_status)code), 0, 130);
        for (int other = LLMC_OK; other < code; other++)
            assert_int_not_equal(llmc_status_exit((llmc_status)code), llmc_status_exit((llmc_status)other));
    }
    assert_int_equal(llmc_status_exit(LLMC_OK), 0);
    assert_string_equal(llmc_status_words(LLMC_ERR_FORMAT), "bad file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_is_kept),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(cut_messages_end),
        cmocka_unit_test(threads_have_their_own),
        cmocka_unit_test(every_code_has_words_and_an_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
