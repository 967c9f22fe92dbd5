/* base/hash.h: known values of XXH3 with 128 bits, and what texts and files hash to. */
#include "base/hash.h"

#include "tests/base/test_support.h"

static void known_values(void **state)
{
    (void)state;
    struct llmc_hash hash;
    char text[LLMC_HASH_TEXT_NBYTES];
    assert_ok(llmc_hash_init(&hash));
    llmc_hash_finish(&hash, text);
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f"); /* of nothing; xxHash's own test */
    assert_null(hash.state);
    llmc_hash_release(&hash);
}

static void hash_of(char out[LLMC_HASH_TEXT_NBYTES], const char *first, const char *second)
{
    struct llmc_hash hash;
    assert_ok(llmc_hash_init(&hash));
    llmc_hash_text(&hash, first);
    llmc_hash_text(&hash, second);
    llmc_hash_finish(&hash, out);
}

static void texts_keep_their_bounds(void **state)
{
    (void)state;
    char one[LLMC_HASH_TEXT_NBYTES], other[LLMC_HASH_TEXT_NBYTES];
    hash_of(one, "ab", "c");
    hash_of(other, "a", "bc");
    assert_string_not_equal(one, other);
    hash_of(one, NULL, "c");
    hash_of(other, "", "c");
    assert_string_equal(one, other);
}

static void files_hash_as_their_bytes(void **state)
{
    (void)state;
    static char bytes[200001];
    struct llmc_hash hash;
    char of_bytes[LLMC_HASH_TEXT_NBYTES], of_file[LLMC_HASH_TEXT_NBYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * i >> 3);
    write_bytes(test_path("x"), bytes, sizeof bytes);
    assert_ok(llmc_hash_init(&hash));
    llmc_hash_update(&hash, bytes, sizeof bytes);
    llmc_hash_finish(&hash, of_bytes);
    assert_ok(llmc_hash_init(&hash));
    assert_ok(llmc_hash_file(&hash, test_path("x")));
    llmc_hash_finish(&hash, of_file);
    assert_string_equal(of_bytes, of_file);
    assert_ok(llmc_hash_init(&hash));
    assert_fails(llmc_hash_file(&hash, test_path("missing")), LLMC_ERR_IO, "missing: cannot open");
    assert_fails(llmc_hash_file(&hash, test_folder), LLMC_ERR_IO, "cannot read");
    llmc_hash_release(&hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(texts_keep_their_bounds),
        cmocka_unit_test(files_hash_as_their_bytes),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
