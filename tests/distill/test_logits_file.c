/* The teacher's answers on disk: what is written in steps, with stops between, is what libhdf5 and fetches read. */
#include "tests/base/test_support.h"

#include "base/file.h"
#include "distill/logits_file.h"
#include "formats/hdf5/file.h"

#include <math.h>

enum { TEXTS = 1000, LABELS = 3, BATCH = 37 };
static char *names[] = {"a", "b", "c"};
static const struct llmc_labels labels = {names, LABELS};
static float logits[TEXTS * LABELS];
static char part[256], path[256];

static int make_paths(void **state)
{
    int failed = make_test_folder(state);
    snprintf(part, sizeof part, "%s", test_path("part.h5"));
    snprintf(path, sizeof path, "%s", test_path("logits.h5"));
    return failed;
}

/* Adds texts up to `end`, saving after every batch but the last. */
static void add(struct llmc_logits_file *file, int64_t end)
{
    while (file->done < end) {
        int64_t count = end - file->done < BATCH ? end - file->done : BATCH;
        assert_ok(llmc_logits_file_save(file));
        assert_ok(llmc_logits_file_add(file, logits + file->done * LABELS, count));
    }
}

static void test_stops(void **state)
{
    struct llmc_logits_file file;
    static float read[TEXTS * LABELS];
    const int64_t shape[2] = {TEXTS, LABELS}, rows[] = {999, 0, 500, 500};
    (void)state;
    for (int i = 0; i < TEXTS * LABELS; i++)
        logits[i] = (float)i * 0.25f;

    assert_ok(llmc_logits_file_begin(&file, part, "key", TEXTS, &labels));
    assert_int_equal(file.done, 0);
    add(&file, 10 * BATCH);
    llmc_logits_file_close(&file);
    /* What was added behind the last save is added again. */
    assert_ok(llmc_logits_file_begin(&file, part, "key", TEXTS, &labels));
    assert_int_equal(file.done, 9 * BATCH);
    add(&file, TEXTS);
    assert_ok(llmc_logits_file_finish(&file, path));
    assert_false(llmc_file_exists(part));

    struct llmc_h5 *h5;
    assert_ok(llmc_h5_open(&h5, path));
    assert_ok(llmc_h5_read(h5, "logits", LLMC_F32, 2, shape, read));
    assert_memory_equal(read, logits, sizeof logits);
    llmc_h5_abandon(&h5);

    assert_ok(llmc_logits_file_open(&file, path, TEXTS, LABELS));
    assert_ok(llmc_logits_file_read(&file, rows, 4, read));
    for (int i = 0; i < 4; i++)
        assert_memory_equal(read + i * LABELS, logits + rows[i] * LABELS, LABELS * sizeof *read);
    llmc_logits_file_close(&file);
    assert_int_equal(llmc_logits_file_open(&file, path, TEXTS + 1, LABELS), LLMC_ERR_FORMAT);
    assert_non_null(strstr(llmc_error_message(), "logits"));
}

/* A part of other texts is begun anew; one with a number that is none is refused when it is finished. */
static void test_refused(void **state)
{
    struct llmc_logits_file file;
    (void)state;
    assert_ok(llmc_logits_file_begin(&file, part, "key", TEXTS, &labels));
    add(&file, 2 * BATCH);
    llmc_logits_file_close(&file);
    assert_ok(llmc_logits_file_begin(&file, part, "other", TEXTS, &labels));
    assert_int_equal(file.done, 0);
    logits[5 * LABELS] = NAN;
    add(&file, TEXTS);
    assert_ok(llmc_logits_file_finish(&file, path));
    assert_int_equal(llmc_logits_file_open(&file, path, TEXTS, LABELS), LLMC_ERR_FORMAT);
    assert_non_null(strstr(llmc_error_message(), "row 5"));
}

/* Sealing and renaming are two steps; what stopped between them is finished. */
static void test_stop_behind_the_seal(void **state)
{
    struct llmc_logits_file file;
    (void)state;
    logits[5 * LABELS] = 0;
    assert_ok(llmc_logits_file_begin(&file, part, "key", TEXTS, &labels));
    add(&file, TEXTS);
    assert_ok(llmc_logits_file_finish(&file, path));
    assert_int_equal(rename(path, part), 0);
    assert_ok(llmc_logits_file_begin(&file, part, "key", TEXTS, &labels));
    assert_int_equal(file.done, TEXTS);
    assert_ok(llmc_logits_file_finish(&file, path));
    assert_ok(llmc_logits_file_open(&file, path, TEXTS, LABELS));
    llmc_logits_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stops), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_stop_behind_the_seal)};
    return cmocka_run_group_tests(tests, make_paths, remove_test_folder);
}
