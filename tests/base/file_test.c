/* base/file.h: a name holds an old or a new file, never half of one. */
#include "base/file.h"

#include "tests/base/test_support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void assert_content(const char *path, const char *content)
{
    char *bytes;
    size_t nbytes;
    assert_ok(llmc_file_read(path, 1 << 20, &bytes, &nbytes));
    assert_int_equal(nbytes, strlen(content));
    assert_string_equal(bytes, content); /* read puts a zero byte behind */
    free(bytes);
}

static void content_returns(void **state)
{
    (void)state;
    const char *path = test_path("plain");
    assert_false(llmc_file_exists(path));
    assert_int_equal(llmc_file_nbytes(path), 0);
    assert_ok(llmc_file_write(path, "first", 5));
    assert_content(path, "first");
    assert_ok(llmc_file_write(path, "second", 6));
    assert_content(path, "second");
    assert_true(llmc_file_exists(path));
    assert_int_equal(llmc_file_nbytes(path), 6);
    assert_false(llmc_file_exists(test_path("plain.tmp")));
    assert_ok(llmc_file_write(path, "", 0));
    assert_content(path, "");
}

static void unfinished_files_vanish(void **state)
{
    (void)state;
    const char *path = test_path("kept");
    char *temporary = NULL;
    llmc_file_abandon(&temporary);
    assert_ok(llmc_file_write(path, "old", 3));
    write_bytes(test_path("kept.tmp"), "left by a crash", 15);
    assert_ok(llmc_file_begin(path, &temporary));
    assert_string_equal(temporary, test_path("kept.tmp"));
    assert_false(llmc_file_exists(temporary));
    write_bytes(temporary, "ne", 2);
    llmc_error(LLMC_ERR_IO, "the reason");
    llmc_file_abandon(&temporary);
    assert_string_equal(llmc_error_message(), "the reason");
    assert_null(temporary);
    assert_false(llmc_file_exists(test_path("kept.tmp")));
    assert_content(path, "old");

    assert_ok(llmc_file_begin(path, &temporary));
    assert_fails(llmc_file_commit(&temporary, path), LLMC_ERR_IO, "kept.tmp: cannot open"); /* never created */
    assert_non_null(temporary);
    llmc_file_abandon(&temporary);
    assert_content(path, "old");
}

/* A limit on the file size stands for a full disk. */
static void full_disk_keeps_the_old_file(void **state)
{
    (void)state;
    struct rlimit unlimited, limited;
    const char *path = test_path("full");
    static char bytes[100000];
    assert_ok(llmc_file_write(path, "old", 3));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    signal(SIGXFSZ, SIG_IGN);
    limited = unlimited;
    limited.rlim_cur = 5000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
    llmc_status status = llmc_file_write(path, bytes, sizeof bytes);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    assert_int_equal(status, LLMC_ERR_IO);
    assert_non_null(strstr(llmc_error_message(), "full.tmp: cannot write"));
    assert_false(llmc_file_exists(test_path("full.tmp")));
    assert_content(path, "old");
}

static void unreadable_paths_are_named(void **state)
{
    (void)state;
    char *bytes;
    assert_fails(llmc_file_read(test_path("missing"), 10, &bytes, NULL), LLMC_ERR_IO, "missing: cannot open: No such file");
    assert_null(bytes);
    assert_fails(llmc_file_read(test_folder, 10, &bytes, NULL), LLMC_ERR_IO, "not a regular file");
    write_bytes(test_path("big"), "0123456789", 10);
    assert_fails(llmc_file_read(test_path("big"), 9, &bytes, NULL), LLMC_ERR_FORMAT, "big: 10 bytes, more than the 9 allowed");
    assert_ok(llmc_file_read(test_path("big"), 10, &bytes, NULL));
    free(bytes);
    assert_fails(llmc_file_write(test_path("no/folder"), "x", 1), LLMC_ERR_IO, "no/folder.tmp: cannot write");
    assert_ok(llmc_folder_make(test_path("taken")));
    assert_fails(llmc_file_write(test_path("taken"), "x", 1), LLMC_ERR_IO, "taken: cannot rename");
    assert_false(llmc_file_exists(test_path("taken.tmp")));
}

static void folders_and_paths(void **state)
{
    (void)state;
    struct stat info;
    char *path;
    assert_ok(llmc_folder_make(test_path("a/b/c")));
    assert_ok(llmc_folder_make(test_path("a/b/c")));
    assert_ok(llmc_folder_make(test_path("a/b/d/")));
    assert_ok(llmc_folder_make("/"));
    assert_int_equal(stat(test_path("a/b/d"), &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    write_bytes(test_path("a/file"), "", 0);
    assert_fails(llmc_folder_make(test_path("a/file/x")), LLMC_ERR_IO, "a/file: cannot make this folder");
    static const char *const joins[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {NULL, "b", "b"}, {"a", "/b", "/b"}};
    for (size_t i = 0; i < COUNT_OF(joins); i++) {
        assert_ok(llmc_path_join(&path, joins[i][0], joins[i][1]));
        assert_string_equal(path, joins[i][2]);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_returns),
        cmocka_unit_test(unfinished_files_vanish),
        cmocka_unit_test(full_disk_keeps_the_old_file),
        cmocka_unit_test(unreadable_paths_are_named),
        cmocka_unit_test(folders_and_paths),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
