/* formats/huggingface/safetensors.h: values, and the refusal of every file that breaks the format. */
#include "formats/huggingface/safetensors.h"

#include "tests/base/test_support.h"

/* Writes a file of this header and `data_nbytes` bytes 0, 1, 2, ... */
static const char *make_file(const char *header, size_t data_nbytes)
{
    const char *path = test_path("x.safetensors");
    uint64_t length = strlen(header);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(&length, 8, 1, file), 1);
    assert_int_equal(fwrite(header, 1, length, file), length);
    for (size_t i = 0; i < data_nbytes; i++)
        fputc((int)(i & 0xff), file);
    assert_int_equal(fclose(file), 0);
    return path;
}

#define TENSOR(name, dtype, shape, begin, end)                                                                         \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void tensors_are_found(void **state)
{
    (void)state;
    struct llmc_safetensors *file;
    int rank;
    int64_t shape[4];
    float values[3];
    /* The header's length makes the data unaligned. */
    assert_ok(llmc_safetensors_open(&file, make_file("{\"__metadata__\":{\"format\":\"pt\"}," TENSOR("b", "F16", "[3,1]", 8, 14)
                                                     "," TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("c", "BF16", "[]", 14, 16)
                                                     "," TENSOR("i", "I64", "[1]", 16, 24) "," TENSOR("e", "F32", "[0,7]", 24, 24)
                                                     "," TENSOR("five", "F32", "[1,1,1,1,1]", 24, 28) "}   ", 28)));
    assert_true(llmc_safetensors_has(file, "a"));
    assert_false(llmc_safetensors_has(file, "d"));
    assert_false(llmc_safetensors_has(file, "__metadata__"));
    assert_ok(llmc_safetensors_shape(file, "b", &rank, shape));
    assert_int_equal(rank, 2);
    assert_int_equal(shape[0], 3);
    assert_int_equal(shape[1], 1);
    assert_ok(llmc_safetensors_shape(file, "c", &rank, shape));
    assert_int_equal(rank, 0);
    assert_ok(llmc_safetensors_read(file, "a", 2, values));
    assert_memory_equal(values, ((const unsigned char[]){0, 1, 2, 3, 4, 5, 6, 7}), 8);
    assert_ok(llmc_safetensors_read(file, "b", 3, values)); /* 0x0908, 0x0b0a, 0x0d0c */
    assert_true(values[0] == 0x1.42p-13f);
    assert_ok(llmc_safetensors_read(file, "c", 1, values)); /* 0x0f0e */
    assert_memory_equal(values, ((const unsigned char[]){0, 0, 14, 15}), 4);
    assert_ok(llmc_safetensors_read(file, "e", 0, values));
    assert_fails(llmc_safetensors_read(file, "d", 1, values), LLMC_ERR_FORMAT, "x.safetensors: no tensor \"d\"");
    assert_fails(llmc_safetensors_shape(file, "d", &rank, shape), LLMC_ERR_FORMAT, "no tensor \"d\"");
    assert_fails(llmc_safetensors_shape(file, "five", &rank, shape), LLMC_ERR_FORMAT, "\"five\": rank 5");
    assert_fails(llmc_safetensors_read(file, "a", 3, values), LLMC_ERR_FORMAT, "\"a\": 2 numbers, expected 3");
    assert_fails(llmc_safetensors_read(file, "a", -1, values), LLMC_ERR_FORMAT, "expected -1");
    assert_fails(llmc_safetensors_read(file, "i", 1, values), LLMC_ERR_FORMAT, "holds I64; allowed are F64, F32, F16, BF16");
    llmc_safetensors_free(file);
    llmc_safetensors_free(NULL);
    assert_ok(llmc_safetensors_open(&file, make_file("{}", 0)));
    assert_false(llmc_safetensors_has(file, "a"));
    llmc_safetensors_free(file);
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_nbytes;
        const char *words;
    } cases[] = {
        {"", 0, "line 1, column"},
        {"{", 0, "line 1, column 1"},
        {"[]", 0, "no JSON object"},
        {" {}", 0, "no JSON object"},
        {"{}", 1, "1 bytes behind the last tensor"},
        {"{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("a", "F32", "[1]", 4, 8) "}", 8, "duplicate"},
        {"{\"a\":1}", 0, "\"a\": unknown dtype"},
        {"{" TENSOR("a", "F31", "[1]", 0, 4) "}", 4, "\"a\": unknown dtype F31"},
        {"{" TENSOR("a", "F32", "1", 0, 4) "}", 4, "\"a\": no shape"},
        {"{" TENSOR("a", "F32", "[-1]", 0, 4) "}", 4, "\"a\": dimension 0"},
        {"{" TENSOR("a", "F32", "[1,1.0]", 0, 4) "}", 4, "\"a\": dimension 1"},
        {"{" TENSOR("a", "F32", "[9223372036854775807,3]", 0, 4) "}", 4, "\"a\": dimension 1"},
        {"{" TENSOR("a", "F32", "[4611686018427387905]", 0, 4) "}", 4, "\"a\": 4611686018427387905 F32 do not fill"},
        {"{" TENSOR("a", "F32", "[99999999999999999999]", 0, 4) "}", 4, "too big integer"},
        {"{" TENSOR("a", "F32", "[2]", 0, 4) "}", 4, "\"a\": 2 F32 do not fill the 4 bytes"},
        {"{" TENSOR("a", "F16", "[1]", 0, 4) "}", 4, "\"a\": 1 F16 do not fill the 4 bytes"},
        {"{" TENSOR("a", "F32", "[1]", 0, 4) "}", 3, "\"a\": ends at byte 4 of the data; the file has 3"},
        {"{" TENSOR("a", "F32", "[1]", 4, 0) "}", 4, "\"a\": data_offsets are not"},
        {"{" TENSOR("a", "F32", "[1]", -4, 0) "}", 4, "\"a\": data_offsets are not"},
        {"{" TENSOR("a", "F32", "[1]", 4, 8) "}", 8, "\"a\": begins at byte 4 of the data, expected 0 (there is a hole"},
        {"{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("b", "F32", "[1]", 2, 6) "}", 6, "\"b\": begins at byte 2 of the data, expected 4 (it overlaps"},
        {"{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("b", "F32", "[1]", 0, 4) "}", 4, "(it overlaps"},
        {"{" TENSOR("a", "U8", "[9223372036854775807]", 0, 9223372036854775807) "}", 4, "\"a\": ends at byte"},
    };
    struct llmc_safetensors *file;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_fails(llmc_safetensors_open(&file, make_file(cases[i].header, cases[i].data_nbytes)), LLMC_ERR_FORMAT,
                     cases[i].words);
        assert_non_null(strstr(llmc_error_message(), "x.safetensors: "));
        assert_null(file);
    }
    assert_fails(llmc_safetensors_open(&file, test_path("missing")), LLMC_ERR_IO, "missing: cannot open: No such file");
    assert_fails(llmc_safetensors_open(&file, test_folder), LLMC_ERR_IO, "not a regular file");
}

/* Opens and reads all that can be read; the result does not matter, memory errors do. */
static bool survives(const unsigned char *bytes, size_t nbytes)
{
    static const char *const names[] = {"a", "bb", "ccc"};
    struct llmc_safetensors *file;
    write_bytes(test_path("mutated"), bytes, nbytes);
    llmc_status status = llmc_safetensors_open(&file, test_path("mutated"));
    if (status != LLMC_OK) {
        assert_int_equal(status, LLMC_ERR_FORMAT);
        assert_null(file);
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        int rank;
        int64_t shape[4], count = 1;
        if (llmc_safetensors_shape(file, names[i], &rank, shape) != LLMC_OK)
            continue;
        for (int d = 0; d < rank; d++)
            count *= shape[d];
        assert_in_range(count, 0, nbytes);
        float *values = malloc((size_t)count * 4 + 1);
        (void)llmc_safetensors_read(file, names[i], count, values);
        free(values);
    }
    llmc_safetensors_free(file);
    return true;
}

static void mutations_are_survived(void **state)
{
    (void)state;
    char *bytes;
    size_t nbytes, accepted = 0;
    const char *path = make_file("{" TENSOR("a", "F32", "[2,3]", 0, 24) "," TENSOR("bb", "F16", "[5]", 24, 34) ","
                                 TENSOR("ccc", "BF16", "[1,2,3]", 34, 46) "}", 46);
    assert_ok(llmc_file_read(path, 1 << 20, &bytes, &nbytes));
    for (size_t i = 0; i < nbytes; i++)
        assert_false(survives((unsigned char *)bytes, i)); /* every truncation is noticed */
    for (size_t i = 0; i < 8 * nbytes; i++) {
        bytes[i / 8] ^= (char)(1 << i % 8);
        accepted += survives((unsigned char *)bytes, nbytes);
        bytes[i / 8] ^= (char)(1 << i % 8);
    }
    assert_in_range(accepted, 46 * 8, 46 * 8 + 200); /* the numbers, and some letters of names */
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_found),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(mutations_are_survived),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
