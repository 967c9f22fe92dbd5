/* Where data and teacher are looked for, and what a user reads when they are not there. */
#include "base/file.h"
#include "config/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/llmc-paths-XXXXXX";
static struct llmc_config config = {
    .path = "c.yaml", .data.folder = "sst2", .data.train = "train.tsv", .teacher.folder = "models/m"};

static void expect(const char *in, const char *file, const char *expected)
{
    char *path = NULL;
    if (llmc_config_path(&config, in, file, &path) != LLMC_OK)
        fail_msg("%s", llmc_error_message());
    assert_string_equal(path, expected);
    free(path);
}

static void expect_missing(const char *in, const char *file, const char *start)
{
    char *path = NULL;
    assert_int_equal(llmc_config_path(&config, in, file, &path), LLMC_ERR_IO);
    assert_null(path);
    if (strncmp(llmc_error_message(), start, strlen(start)) != 0)
        fail_msg("is %s\nexpected %s...", llmc_error_message(), start);
}

static void finds_in_the_environment_then_in_data(void **state)
{
    (void)state;
    unsetenv("LLMC_DATA");
    assert_int_equal(llmc_folder_make("data/sst2"), LLMC_OK);
    assert_int_equal(llmc_folder_make("else/sst2"), LLMC_OK);
    assert_int_equal(llmc_file_write("data/sst2/train.tsv", "a", 1), LLMC_OK);
    expect("sst2", NULL, "data/sst2");
    expect("sst2", "train.tsv", "data/sst2/train.tsv");
    setenv("LLMC_DATA", "else", 1);
    expect("sst2", NULL, "else/sst2");
    expect("sst2", "train.tsv", "data/sst2/train.tsv"); /* only there */
    assert_int_equal(llmc_file_write("else/sst2/train.tsv", "a", 1), LLMC_OK);
    expect("sst2", "train.tsv", "else/sst2/train.tsv");
    expect("/tmp", NULL, "/tmp");
    char *absolute = NULL;
    char *here = getcwd(NULL, 0);
    assert_int_equal(llmc_path_join(&absolute, here, "data/sst2/train.tsv"), LLMC_OK);
    expect("sst2", absolute, absolute);
    free(absolute);
    free(here);
}

static void says_where_missing_data_come_from(void **state)
{
    (void)state;
    setenv("LLMC_DATA", "/nowhere", 1);
    expect_missing("sst2", "test.tsv",
                   "c.yaml: data.folder: sst2/test.tsv: neither in $LLMC_DATA (/nowhere) nor in ./data. SST-2 comes from "
                   "GLUE: download SST-2.zip");
    unsetenv("LLMC_DATA");
    expect_missing("sst2", "test.tsv",
                   "c.yaml: data.folder: sst2/test.tsv: not in ./data, and $LLMC_DATA is not set. SST-2 comes from GLUE");
    expect_missing("/nowhere", "test.tsv", "c.yaml: data.folder: /nowhere/test.tsv: no such place. SST-2 comes");
    expect_missing("sst2", "/nowhere/x", "c.yaml: data.folder: /nowhere/x: no such place. SST-2 comes");
    expect_missing("models/m", NULL,
                   "c.yaml: teacher.folder: models/m: not in ./data, and $LLMC_DATA is not set. A teacher is a folder");
}

int main(void)
{
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_in_the_environment_then_in_data),
        cmocka_unit_test(says_where_missing_data_come_from),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    const char *made[] = {"data/sst2/train.tsv", "else/sst2/train.tsv"};
    for (size_t i = 0; i < 2; i++)
        unlink(made[i]);
    const char *folders[] = {"data/sst2", "data", "else/sst2", "else", folder};
    for (size_t i = 0; i < 5; i++)
        rmdir(folders[i]);
    return failed;
}
