/* The store of finished stages: locks between processes, links, who uses what, removal of what nobody uses. */
#include "store/store.h"

#include "base/clock.h"
#include "tests/base/test_support.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define KEY_A "0123456789abcdef0123456789abcdef"
#define KEY_B "fedcba9876543210fedcba9876543210"
#define PATIENCE_SECONDS 20.0

static char told[512];
static void remember(void *context, const char *text)
{
    (void)context;
    snprintf(told, sizeof told, "%s", text);
}

static volatile sig_atomic_t stop_now;
static const struct llmc_store_wait no_wait = {NULL, NULL, NULL};
static const struct llmc_store_wait telling = {remember, NULL, &stop_now};

static void write_text(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

/* A child that holds the entry until a byte comes through the pipe. */
static pid_t hold_entry(int *release)
{
    int ready[2], go[2];
    char byte = 'x';
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        struct llmc_store_entry entry;
        close(go[1]);
        if (llmc_store_open(&entry, test_folder, KEY_A, "run first", &no_wait) != LLMC_OK)
            _exit(1);
        if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) < 0)
            _exit(1);
        llmc_store_close(&entry);
        _exit(0);
    }
    close(go[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    *release = go[1];
    return child;
}

static void waits_for_another_process_and_says_so(void **state)
{
    (void)state;
    struct llmc_store_entry entry;
    int release, child_status;
    pid_t child = hold_entry(&release);
    stop_now = 1; /* as after Ctrl-C: the waiting ends at once */
    double start = llmc_clock();
    assert_fails(llmc_store_open(&entry, test_folder, KEY_A, "run second", &telling), LLMC_ERR_INTERRUPTED, "stopped");
    assert_true(llmc_clock() - start < PATIENCE_SECONDS);
    assert_null(entry.folder);

    stop_now = 0;
    close(release); /* the child goes on, and ends */
    told[0] = '\0';
    assert_ok(llmc_store_open(&entry, test_folder, KEY_A, "run second", &telling));
    assert_int_equal(waitpid(child, &child_status, 0), child);
    assert_int_equal(child_status, 0);
    llmc_store_close(&entry);
    llmc_store_close(&entry); /* twice is fine */
}

static void names_the_owner_to_those_who_wait(void **state)
{
    (void)state;
    int release;
    pid_t child = hold_entry(&release);
    pid_t waiter = fork();
    if (waiter == 0) {
        struct llmc_store_entry entry;
        close(release); /* the holder reads until all copies of this end are closed */
        _exit(llmc_store_open(&entry, test_folder, KEY_A, "run second", &telling) != LLMC_OK ||
              !strstr(told, "waiting for run first, process ") || !strstr(told, KEY_A));
    }
    struct timespec pause = {0, 300000000};
    nanosleep(&pause, NULL); /* long enough for the waiter to find the lock; shorter would only test less */
    close(release);
    int child_status, waiter_status;
    assert_int_equal(waitpid(child, &child_status, 0), child);
    assert_int_equal(waitpid(waiter, &waiter_status, 0), waiter);
    assert_int_equal(waiter_status, 0);
}

static void links_files_in_place_of_old_ones(void **state)
{
    (void)state;
    struct stat file, link;
    write_text(test_path("file"), "new");
    write_text(test_path("link"), "old");
    for (int i = 0; i < 2; i++) { /* the second time it is there already */
        assert_ok(llmc_store_link(test_path("file"), test_path("link")));
        assert_int_equal(stat(test_path("file"), &file), 0);
        assert_int_equal(stat(test_path("link"), &link), 0);
        assert_true(file.st_ino == link.st_ino && file.st_nlink == 2);
    }
    assert_fails(llmc_store_link(test_path("nowhere"), test_path("link")), LLMC_ERR_IO, "nowhere");
}

/* runs/first uses A; nobody uses B. */
static void make_runs(void)
{
    struct llmc_store_entry entry;
    assert_ok(llmc_folder_make(test_path("runs/first")));
    write_text(test_path("runs/first/config.yaml"), "name: first\n");
    write_text(test_path("runs/first/01-teacher.json"), "{\"key\": \"" KEY_A "\"}");
    write_text(test_path("runs/first/02-twice.json"), "{\"key\": \"" KEY_A "\"}");
    write_text(test_path("runs/first/03-damaged.json"), "{\"key\": ");
    write_text(test_path("runs/first/report.json"),
               "{\"stages\": [{\"name\": \"01-teacher\", \"dev_accuracy\": 0.5}, {\"name\": \"02-logits\"}]}");
    for (int i = 0; i < 2; i++) {
        assert_ok(llmc_store_open(&entry, test_path("runs"), i ? KEY_B : KEY_A, "run first", &no_wait));
        llmc_store_close(&entry);
    }
    write_text(test_path("runs/store/" KEY_A "/stage.json"), "{\"kind\": \"teacher\"}");
    write_text(test_path("runs/store/" KEY_B "/model.h5"), "12345");
    write_text(test_path("runs/store/README"), "not of ours");
}

static void lists_runs_and_what_they_use(void **state)
{
    (void)state;
    struct llmc_store_list list;
    make_runs();
    assert_ok(llmc_store_list_read(&list, test_path("runs")));
    assert_int_equal(list.run_count, 1);
    assert_string_equal(list.runs[0].name, "first");
    assert_string_equal(list.runs[0].last, "02-logits");
    assert_true(list.runs[0].accuracy == 0.5 && list.runs[0].file_bytes == 0);
    assert_int_equal(list.item_count, 2);
    assert_string_equal(list.items[0].key, KEY_A);
    assert_string_equal(list.items[0].kind, "teacher");
    assert_int_equal(list.items[0].user_count, 1);
    assert_string_equal(list.items[1].key, KEY_B);
    assert_string_equal(list.items[1].kind, "");
    assert_int_equal(list.items[1].nbytes, 5);
    assert_int_equal(list.items[1].user_count, 0);
    llmc_store_list_release(&list);
    assert_fails(llmc_store_list_read(&list, test_path("nowhere")), LLMC_ERR_IO, "nowhere");
}

static void removes_what_nobody_uses_or_works_on(void **state)
{
    (void)state;
    struct llmc_store_entry entry;
    struct llmc_store_list list;
    int32_t removed;
    int64_t nbytes;
    make_runs();
    assert_ok(llmc_store_open(&entry, test_path("runs"), KEY_B, "run second", &no_wait));
    assert_ok(llmc_store_list_read(&list, test_path("runs")));
    assert_true(list.items[1].busy);
    assert_ok(llmc_store_clean(&list, test_path("runs"), &removed, &nbytes));
    assert_int_equal(removed, 0); /* a process works on it */
    llmc_store_close(&entry);

    write_text(test_path("runs/first/04-late.json"), "{\"key\": \"" KEY_B "\"}"); /* found since the list was read */
    assert_ok(llmc_store_clean(&list, test_path("runs"), &removed, &nbytes));
    assert_int_equal(removed, 0);
    unlink(test_path("runs/first/04-late.json"));
    assert_ok(llmc_store_clean(&list, test_path("runs"), &removed, &nbytes));
    assert_int_equal(removed, 1);
    assert_false(llmc_file_exists(test_path("runs/store/" KEY_B)));
    assert_true(llmc_file_exists(test_path("runs/store/" KEY_A "/stage.json")));
    assert_true(llmc_file_exists(test_path("runs/store/README")));
    llmc_store_list_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_another_process_and_says_so),
        cmocka_unit_test(names_the_owner_to_those_who_wait),
        cmocka_unit_test(links_files_in_place_of_old_ones),
        cmocka_unit_test(lists_runs_and_what_they_use),
        cmocka_unit_test(removes_what_nobody_uses_or_works_on),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
