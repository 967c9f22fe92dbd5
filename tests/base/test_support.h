/*
 * What the tests of base/ and formats/ share: a folder for their files, and reading a
 * file whole. Included by one .c file per program, hence static inline.
 */
#ifndef LLMC_TESTS_BASE_TEST_SUPPORT_H
#define LLMC_TESTS_BASE_TEST_SUPPORT_H

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        llmc_status got_ = (call);                                                                                     \
        if (got_ != LLMC_OK)                                                                                           \
            fail_msg("%s: %s", llmc_status_words(got_), llmc_error_message());                                         \
    } while (0)

/* The call fails with this status and a message that contains `words`. */
#define assert_fails(call, expected, words)                                                                            \
    do {                                                                                                               \
        llmc_status got_ = (call);                                                                                     \
        if (got_ != (expected) || !strstr(llmc_error_message(), (words)))                                              \
            fail_msg("got status %d, \"%s\"; expected %d with \"%s\"", (int)got_, llmc_error_message(),                \
                     (int)(expected), (words));                                                                        \
    } while (0)

static char test_folder[] = "/tmp/llmc-test-XXXXXX";

static inline int make_test_folder(void **state)
{
    (void)state;
    return mkdtemp(test_folder) ? 0 : -1;
}

static inline int remove_test_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", test_folder);
    return system(command);
}

/* The path of a test's file; valid until the fourth call after this one. */
static inline const char *test_path(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", test_folder, name);
    return path;
}

/* Writes without the flush to the disk that llmc_file_write waits for. */
static inline void write_bytes(const char *path, const void *bytes, size_t nbytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, nbytes, file), nbytes);
    assert_int_equal(fclose(file), 0);
}

#endif
