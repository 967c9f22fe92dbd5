/* base/memory.h: zeroed, aligned, and no overflow on the way to malloc. */
#include "base/memory.h"

#include "tests/base/test_support.h"

#ifdef __SANITIZE_ADDRESS__
/* AddressSanitizer ends the program at impossible sizes unless told not to. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif

static void memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    for (size_t count = 0; count < 300; count++) {
        unsigned char *bytes;
        assert_ok(llmc_alloc(&bytes, count, 3));
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % LLMC_ALIGNMENT, 0);
        for (size_t i = 0; i < 3 * count; i++)
            assert_int_equal(bytes[i], 0);
        memset(bytes, 0xff, 3 * count);
        free(bytes);
    }
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    static const size_t cases[][2] = {
        {SIZE_MAX, 1}, {SIZE_MAX, 2}, {SIZE_MAX / 2 + 1, 2}, {SIZE_MAX - 63, 1}, {1, SIZE_MAX}, {SIZE_MAX / 4, 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        void *memory = &memory;
        assert_fails(llmc_alloc(&memory, cases[i][0], cases[i][1]), LLMC_ERR_MEMORY, "cannot allocate");
        assert_null(memory);
    }
}

static void texts_are_copied(void **state)
{
    (void)state;
    char *text;
    assert_ok(llmc_strdup(&text, "words"));
    assert_string_equal(text, "words");
    free(text);
    assert_ok(llmc_strdup(&text, NULL));
    assert_null(text);
    assert_ok(llmc_format(&text, "%s-%d", "a", 5));
    assert_string_equal(text, "a-5");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(texts_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
