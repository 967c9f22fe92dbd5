#include "text/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_every_scalar_value_survives(void **state)
{
    (void)state;
    for (int32_t code = 0; code < 0x110000; code++) {
        char bytes[LLMC_UTF8_NBYTES_MAX];
        int32_t decoded;
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        int length = llmc_utf8_encode(code, bytes);
        assert_int_equal(llmc_utf8_decode(bytes, (size_t)length, &decoded), length);
        assert_int_equal(decoded, code);
        /* One byte fewer is the beginning of a character, and no character. */
        if (length > 1) {
            assert_int_equal(llmc_utf8_decode(bytes, (size_t)length - 1, &decoded), length - 1);
            assert_int_equal(decoded, -1);
        }
    }
}

/* How many bytes one replacement character stands for: the values are Python's. */
static void test_bad_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        int length;
    } cases[] = {
        {"\x80", 1}, {"\xBF", 1}, {"\xC0\x80", 1}, {"\xC1\xBF", 1}, {"\xC3" "a", 1}, {"\xE0\x80\x80", 1},
        {"\xE0\x9F\xBF", 1}, {"\xE4\xB8" "a", 2}, {"\xED\xA0\x80", 1}, {"\xED\xBF\xBF", 1}, {"\xF0\x80\x80\x80", 1},
        {"\xF0\x8F\xBF\xBF", 1}, {"\xF0\x9F\x98" "a", 3}, {"\xF4\x90\x80\x80", 1}, {"\xF5\x80\x80\x80", 1},
        {"\xFE", 1}, {"\xFF", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int32_t code = 0;
        assert_int_equal(llmc_utf8_decode(cases[i].bytes, strlen(cases[i].bytes), &code), cases[i].length);
        assert_int_equal(code, -1);
    }
}

static void test_valid_gives_the_offset_of_the_first_bad_byte(void **state)
{
    (void)state;
    assert_int_equal(llmc_utf8_valid("", 0), 0);
    assert_int_equal(llmc_utf8_valid("abc", 3), 3);
    assert_int_equal(llmc_utf8_valid("\xC3\xA9", 2), 2);
    assert_int_equal(llmc_utf8_valid("a\xC3\xA9\xFF" "b", 5), 3);
    assert_int_equal(llmc_utf8_valid("ab\xC3", 3), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_scalar_value_survives),
        cmocka_unit_test(test_bad_bytes),
        cmocka_unit_test(test_valid_gives_the_offset_of_the_first_bad_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
