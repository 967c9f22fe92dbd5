/* formats/hdf5/file.h: what is written is read again, and what is wrong is named. */
#include "formats/checkpoint/architecture.h"
#include "formats/hdf5/file.h"

#include "architecture/architecture.h"
#include "tests/base/test_support.h"

#include <math.h>
#include <sys/resource.h>
#include <signal.h>

#define ARRAY_SHAPE ((const int64_t[]){300, 700})
#define ARRAY_COUNT ((size_t)300 * 700)

/* Small numbers, allowed in every format. */
static void *make_numbers(enum llmc_number number, size_t count)
{
    size_t nbytes = llmc_number_nbytes(number);
    unsigned char *data = calloc(count ? count : 1, nbytes);
    assert_non_null(data);
    for (size_t i = 0; i < count; i++)
        data[i * nbytes] = (unsigned char)(i * i % 61);
    return data;
}

static void every_format_returns(void **state)
{
    (void)state;
    struct llmc_h5 *file;
    for (int deflate = 0; deflate <= 9; deflate += 9) {
        assert_ok(llmc_h5_create(&file, test_path("formats.h5"), 0));
        for (int n = LLMC_F32; n <= LLMC_I64; n++) {
            void *data = make_numbers((enum llmc_number)n, ARRAY_COUNT);
            char name[64];
            snprintf(name, sizeof name, "a/b/%s", llmc_number_name((enum llmc_number)n));
            assert_ok(llmc_h5_write(file, name, (enum llmc_number)n, 2, ARRAY_SHAPE, data, deflate));
            free(data);
        }
        assert_ok(llmc_h5_close(&file));
        assert_null(file);
        assert_ok(llmc_h5_open(&file, test_path("formats.h5")));
        for (int n = LLMC_F32; n <= LLMC_I64; n++) {
            size_t nbytes = ARRAY_COUNT * llmc_number_nbytes((enum llmc_number)n);
            void *data = make_numbers((enum llmc_number)n, ARRAY_COUNT), *copy = malloc(nbytes);
            char name[64];
            enum llmc_number found;
            int rank;
            int64_t shape[LLMC_H5_RANK_MAX];
            uint64_t stored;
            snprintf(name, sizeof name, "a/b/%s", llmc_number_name((enum llmc_number)n));
            assert_ok(llmc_h5_describe(file, name, &found, &rank, shape));
            assert_int_equal(found, n);
            assert_int_equal(rank, 2);
            assert_memory_equal(shape, ARRAY_SHAPE, 2 * sizeof *shape);
            assert_ok(llmc_h5_read(file, name, found, 2, shape, copy));
            assert_memory_equal(copy, data, nbytes);
            assert_ok(llmc_h5_stored_nbytes(file, name, &stored));
            if (deflate)
                assert_in_range(stored, 1, nbytes / 2);
            else
                assert_int_equal(stored, nbytes);
            free(data);
            free(copy);
        }
        assert_ok(llmc_h5_close(&file));
    }
}

static void ranks_and_empty_arrays_return(void **state)
{
    (void)state;
    static const int64_t shapes[][LLMC_H5_RANK_MAX] = {{0}, {5}, {2, 3}, {2, 3, 4}, {3, 2, 2, 5}, {0}, {4, 0, 2}, {1, 100000}};
    static const int ranks[] = {0, 1, 2, 3, 4, 1, 3, 2};
    struct llmc_h5 *file;
    for (size_t i = 0; i < COUNT_OF(ranks); i++) {
        for (int deflate = 0; deflate <= 1; deflate++) {
            size_t count = 1;
            for (int d = 0; d < ranks[i]; d++)
                count *= (size_t)shapes[i][d];
            int32_t *data = make_numbers(LLMC_I32, count), *copy = calloc(count + 1, 4);
            enum llmc_number number;
            int rank;
            int64_t shape[LLMC_H5_RANK_MAX];
            assert_ok(llmc_h5_create(&file, test_path("ranks.h5"), 0));
            assert_ok(llmc_h5_write(file, "x", LLMC_I32, ranks[i], shapes[i], data, deflate));
            assert_ok(llmc_h5_close(&file));
            assert_ok(llmc_h5_open(&file, test_path("ranks.h5")));
            assert_ok(llmc_h5_describe(file, "x", &number, &rank, shape));
            assert_int_equal(rank, ranks[i]);
            assert_memory_equal(shape, shapes[i], (size_t)rank * sizeof *shape);
            assert_ok(llmc_h5_read(file, "x", LLMC_I32, rank, shape, copy));
            assert_memory_equal(copy, data, count * 4);
            assert_ok(llmc_h5_close(&file));
            free(data);
            free(copy);
        }
    }
}

static void attributes_return(void **state)
{
    (void)state;
    struct llmc_h5 *file;
    char *text, *longest = malloc(16 << 20);
    int64_t integer;
    double number;
    memset(longest, 'x', (16 << 20) - 1);
    longest[(16 << 20) - 1] = '\0';
    assert_ok(llmc_h5_create(&file, test_path("attributes.h5"), 512));
    assert_ok(llmc_h5_write_text(file, "", "greeting", "Grüße, 世界"));
    assert_ok(llmc_h5_write_text(file, "", "empty", ""));
    assert_ok(llmc_h5_write_text(file, "far/down", "longest", longest));
    assert_ok(llmc_h5_write_int(file, "far/down", "least", INT64_MIN));
    assert_ok(llmc_h5_write_double(file, "far", "third", 1.0 / 3));
    assert_ok(llmc_h5_write_double(file, "far", "nan", NAN));
    assert_ok(llmc_h5_close(&file));
    assert_ok(llmc_h5_open(&file, test_path("attributes.h5")));
    assert_ok(llmc_h5_read_text(file, "", "greeting", &text));
    assert_string_equal(text, "Grüße, 世界");
    free(text);
    assert_ok(llmc_h5_read_text(file, "", "empty", &text));
    assert_string_equal(text, "");
    free(text);
    assert_ok(llmc_h5_read_text(file, "far/down", "longest", &text));
    assert_true(strcmp(text, longest) == 0);
    free(text);
    assert_ok(llmc_h5_read_int(file, "far/down", "least", &integer));
    assert_true(integer == INT64_MIN);
    assert_ok(llmc_h5_read_double(file, "far", "third", &number));
    assert_true(number == 1.0 / 3);
    assert_ok(llmc_h5_read_double(file, "far", "nan", &number));
    assert_true(isnan(number));
    assert_ok(llmc_h5_close(&file));
    free(longest);
}

static void architecture_returns(void **state)
{
    (void)state;
    struct llmc_h5 *file;
    struct llmc_architecture read, written = {.vocabulary = 30522, .positions = 512, .types = 2, .hidden = 384,
                                              .labels = 2, .activation = LLMC_GELU_TANH, .norm_epsilon = 1e-12f};
    assert_ok(llmc_architecture_set_layers(&written, 6, 12, 1536));
    assert_ok(llmc_h5_create(&file, test_path("architecture.h5"), 0));
    assert_ok(llmc_checkpoint_write_architecture(file, &written));
    assert_ok(llmc_h5_close(&file));
    assert_ok(llmc_h5_open(&file, test_path("architecture.h5")));
    memset(&read, 0, sizeof read);
    assert_ok(llmc_checkpoint_read_architecture(file, &read));
    assert_memory_equal(&read, &written, sizeof read);
    assert_ok(llmc_h5_close(&file));

    written.layer[5] = (struct llmc_layer_shape){7, 100};
    assert_ok(llmc_h5_create(&file, test_path("architecture.h5"), 0));
    assert_ok(llmc_checkpoint_write_architecture(file, &written));
    assert_ok(llmc_h5_close(&file));
    assert_ok(llmc_h5_open(&file, test_path("architecture.h5")));
    assert_ok(llmc_checkpoint_read_architecture(file, &read));
    assert_memory_equal(&read, &written, sizeof read);
    assert_ok(llmc_h5_close(&file));
}

/* The file's attributes one by one, of which one is wrong. */
static void architecture_of_layers_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *group, *name;
        int64_t value;
        const char *words;
    } cases[] = {
        {"", "layers", 3, "a.h5: layers is 3, but the file describes 2"},
        {"", "layers", 1, "a.h5: layers is 1, but the file describes 2"},
        {"", "layers", -1, "a.h5: layers is -1"},
        {"", "head_width", 0, "a.h5: head_width is 0; allowed values are 1 to"},
        {"", "head_width", 5000, "a.h5: layer 1: 2 heads of width 5000"},
        {"layers/0", "heads", 0, "a.h5: layer 0: heads is 0; allowed values are 1 to 1024"},
        {"layers/1", "heads", INT64_C(1) << 32 | 1, "a.h5: attribute \"heads\" is 4294967297"},
        {"layers/1", "ffn", -7, "a.h5: layer 1: ffn is -7; allowed values are 1 to 65536"},
        {"layers/1", "ffn", INT64_MAX, "a.h5: attribute \"ffn\" is 9223372036854775807"},
        {"layers/2", "ffn", 7, "a.h5: layers is 2, but the file describes 3"},
    };
    static const struct {
        const char *group, *name;
        int64_t value;
    } good[] = {{"", "vocabulary", 30}, {"", "positions", 8}, {"", "types", 2}, {"", "hidden", 6}, {"", "layers", 2},
                {"", "labels", 2}, {"", "head_width", 3}, {"layers/0", "heads", 1}, {"layers/0", "ffn", 9},
                {"layers/1", "heads", 2}, {"layers/1", "ffn", 4}};
    for (size_t i = 0; i < COUNT_OF(cases) + COUNT_OF(good); i++) {
        struct llmc_h5 *file;
        struct llmc_architecture read;
        size_t missing = i - COUNT_OF(cases); /* of `good`; in the first rounds none */
        assert_ok(llmc_h5_create(&file, test_path("a.h5"), 0));
        assert_ok(llmc_h5_write_text(file, "", "activation", "gelu"));
        assert_ok(llmc_h5_write_double(file, "", "norm_epsilon", 1e-12));
        bool replaced = i >= COUNT_OF(cases);
        for (size_t j = 0; j < COUNT_OF(good); j++) {
            bool here = i < COUNT_OF(cases) && strcmp(good[j].group, cases[i].group) == 0 &&
                        strcmp(good[j].name, cases[i].name) == 0;
            if (j != missing)
                assert_ok(llmc_h5_write_int(file, good[j].group, good[j].name, here ? cases[i].value : good[j].value));
            replaced = replaced || here;
        }
        if (!replaced)
            assert_ok(llmc_h5_write_int(file, cases[i].group, cases[i].name, cases[i].value));
        assert_ok(llmc_h5_close(&file));
        assert_ok(llmc_h5_open(&file, test_path("a.h5")));
        assert_fails(llmc_checkpoint_read_architecture(file, &read), LLMC_ERR_FORMAT,
                     i < COUNT_OF(cases) ? cases[i].words : "a.h5: ");
        assert_ok(llmc_h5_close(&file));
    }
}

static void list_is_sorted_and_whole(void **state)
{
    (void)state;
    struct llmc_h5 *file;
    char **names, name[32];
    size_t count;
    float value = 1;
    assert_ok(llmc_h5_create(&file, test_path("list.h5"), 0));
    for (int i = 99; i >= 0; i--) {
        snprintf(name, sizeof name, "t/%02d/w", i);
        assert_ok(llmc_h5_write(file, name, LLMC_F32, 1, (const int64_t[]){1}, &value, 0));
    }
    assert_ok(llmc_h5_write(file, "alone", LLMC_F32, 0, NULL, &value, 0));
    assert_ok(llmc_h5_close(&file));
    assert_ok(llmc_h5_open(&file, test_path("list.h5")));
    assert_ok(llmc_h5_list(file, "t", &names, &count));
    assert_int_equal(count, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "t/%02d/w", i);
        assert_string_equal(names[i], name);
        free(names[i]);
    }
    free(names);
    assert_ok(llmc_h5_list(file, "", &names, &count));
    assert_int_equal(count, 101);
    assert_string_equal(names[0], "alone");
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    assert_fails(llmc_h5_list(file, "nowhere", &names, &count), LLMC_ERR_FORMAT, "no group \"nowhere\"");
    assert_true(llmc_h5_has(file, "t/42/w"));
    assert_false(llmc_h5_has(file, "t/42"));
    assert_false(llmc_h5_has(file, "t/42/w/x"));
    assert_false(llmc_h5_has(file, ""));
    assert_ok(llmc_h5_close(&file));
}

static void equal_content_has_equal_bytes(void **state)
{
    (void)state;
    char *bytes[2];
    size_t nbytes[2];
    for (int i = 0; i < 2; i++) {
        struct llmc_h5 *file;
        void *data = make_numbers(LLMC_F32, ARRAY_COUNT), *noise = malloc(1 << 20);
        memset(noise, i ? 0xaa : 0x55, 1 << 20); /* what libhdf5's buffers may start with */
        free(noise);
        if (i)
            sleep(1); /* time stamps count seconds */
        assert_ok(llmc_h5_create(&file, test_path("equal.h5"), 512));
        assert_ok(llmc_h5_write(file, "a/dense", LLMC_F32, 2, ARRAY_SHAPE, data, 0));
        assert_ok(llmc_h5_write(file, "a/small", LLMC_F32, 2, ARRAY_SHAPE, data, 9));
        assert_ok(llmc_h5_write_text(file, "b", "text", "words"));
        assert_ok(llmc_h5_close(&file));
        assert_ok(llmc_file_read(test_path("equal.h5"), 1 << 30, &bytes[i], &nbytes[i]));
        free(data);
    }
    assert_int_equal(nbytes[0], nbytes[1]);
    assert_memory_equal(bytes[0], bytes[1], nbytes[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void errors_name_file_and_object(void **state)
{
    (void)state;
    struct llmc_h5 *file;
    float values[6] = {0};
    char *text;
    int64_t integer;
    double number;
    assert_fails(llmc_h5_open(&file, test_path("missing.h5")), LLMC_ERR_IO, "missing.h5: cannot open: No such file");
    assert_null(file);
    assert_fails(llmc_h5_open(&file, test_folder), LLMC_ERR_IO, "not a regular file");
    write_bytes(test_path("text.h5"), "hello", 5);
    assert_fails(llmc_h5_open(&file, test_path("text.h5")), LLMC_ERR_FORMAT, "text.h5: cannot open as an HDF5 file (");
    assert_fails(llmc_h5_create(&file, test_path("no/folder.h5"), 0), LLMC_ERR_IO, "cannot create");
    assert_fails(llmc_h5_create(&file, test_path("odd.h5"), 100), LLMC_ERR_ARGUMENT, "odd.h5");
    assert_ok(llmc_h5_close(&file));

    assert_ok(llmc_h5_create(&file, test_path("errors.h5"), 0));
    assert_ok(llmc_h5_write(file, "g/x", LLMC_F32, 2, (const int64_t[]){2, 3}, values, 0));
    assert_ok(llmc_h5_write_text(file, "g", "text", "1"));
    assert_fails(llmc_h5_write(file, "g/x", LLMC_F32, 0, NULL, values, 0), LLMC_ERR_IO, "errors.h5: g/x: ");
    assert_fails(llmc_h5_write(file, "g/x/y", LLMC_F32, 0, NULL, values, 0), LLMC_ERR_IO, "errors.h5: g/x");
    assert_fails(llmc_h5_write(file, "", LLMC_F32, 0, NULL, values, 0), LLMC_ERR_ARGUMENT, "allowed are");
    assert_fails(llmc_h5_write(file, "/y", LLMC_F32, 0, NULL, values, 0), LLMC_ERR_ARGUMENT, "\"/y\"");
    assert_fails(llmc_h5_write(file, "y", LLMC_F32, 5, NULL, values, 0), LLMC_ERR_ARGUMENT, "allowed are");
    assert_fails(llmc_h5_write(file, "y", LLMC_F32, 1, (const int64_t[]){-1}, values, 0), LLMC_ERR_ARGUMENT,
                 "dimension 0 is -1");
    assert_ok(llmc_h5_close(&file));

    assert_ok(llmc_h5_open(&file, test_path("errors.h5")));
    assert_fails(llmc_h5_read(file, "g/y", LLMC_F32, 2, (const int64_t[]){2, 3}, values), LLMC_ERR_FORMAT,
                 "errors.h5: no array \"g/y\"");
    assert_fails(llmc_h5_read(file, "g", LLMC_F32, 2, (const int64_t[]){2, 3}, values), LLMC_ERR_FORMAT, "errors.h5: g");
    assert_fails(llmc_h5_read(file, "g/x", LLMC_F16, 2, (const int64_t[]){2, 3}, values), LLMC_ERR_FORMAT,
                 "g/x: holds F32, expected F16");
    assert_fails(llmc_h5_read(file, "g/x", LLMC_F32, 1, (const int64_t[]){6}, values), LLMC_ERR_FORMAT,
                 "g/x: has rank 2, expected 1");
    assert_fails(llmc_h5_read(file, "g/x", LLMC_F32, 2, (const int64_t[]){2, 4}, values), LLMC_ERR_FORMAT,
                 "g/x: dimension 1 is 3, expected 4");
    assert_fails(llmc_h5_read_text(file, "g", "none", &text), LLMC_ERR_FORMAT, "g has no attribute \"none\"");
    assert_fails(llmc_h5_read_text(file, "h", "none", &text), LLMC_ERR_FORMAT, "no group \"h\"");
    assert_fails(llmc_h5_read_int(file, "g", "text", &integer), LLMC_ERR_FORMAT, "not one integer");
    assert_fails(llmc_h5_read_double(file, "g", "text", &number), LLMC_ERR_FORMAT, "not one floating-point number");
    assert_ok(llmc_h5_close(&file));
    llmc_h5_abandon(&file);
}

/* A limit on the file size stands for a full disk at every stage of writing. */
static void full_disk_is_reported(void **state)
{
    (void)state;
    struct rlimit unlimited, limited;
    float *data = make_numbers(LLMC_F32, ARRAY_COUNT);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    signal(SIGXFSZ, SIG_IGN);
    limited = unlimited;
    for (rlim_t nbytes = 0; nbytes < 2400000; nbytes = nbytes * 2 + 96) {
        for (int deflate = 0; deflate < 2; deflate++) {
            struct llmc_h5 *file;
            limited.rlim_cur = nbytes;
            unlink(test_path("full.h5"));
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
            llmc_status status = llmc_h5_create(&file, test_path("full.h5"), 512);
            if (status == LLMC_OK)
                status = llmc_h5_write(file, "a/b", LLMC_F32, 2, ARRAY_SHAPE, data, deflate);
            if (status == LLMC_OK)
                status = llmc_h5_write_text(file, "a", "text", "words");
            if (status == LLMC_OK)
                status = llmc_h5_write(file, "c", LLMC_F32, 2, ARRAY_SHAPE, data, deflate);
            if (status == LLMC_OK)
                status = llmc_h5_close(&file);
            else
                llmc_h5_abandon(&file);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
            assert_null(file);
            if (status == LLMC_OK) {
                assert_ok(llmc_h5_open(&file, test_path("full.h5")));
                assert_ok(llmc_h5_read(file, "c", LLMC_F32, 2, ARRAY_SHAPE, data));
                assert_ok(llmc_h5_close(&file));
            } else {
                assert_int_equal(status, LLMC_ERR_IO);
                assert_non_null(strstr(llmc_error_message(), "full.h5"));
            }
        }
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_returns),
        cmocka_unit_test(ranks_and_empty_arrays_return),
        cmocka_unit_test(attributes_return),
        cmocka_unit_test(architecture_returns),
        cmocka_unit_test(architecture_of_layers_is_checked),
        cmocka_unit_test(list_is_sorted_and_whole),
        cmocka_unit_test(equal_content_has_equal_bytes),
        cmocka_unit_test(errors_name_file_and_object),
        cmocka_unit_test(full_disk_is_reported),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
