/*
 * How many threads "all processors" are: quotas from trees of files that look like a system's, the environment and the
 * affinity mask from processes of their own. `threads_test print` prints the number.
 */
#include "base/threads.h"

#include "tests/base/test_support.h"

#include <limits.h>
#include <sched.h>

static void put(const char *root, const char *folder, const char *name, const char *text)
{
    char path[256], file[320];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    assert_ok(llmc_folder_make(path));
    snprintf(file, sizeof file, "%s/%s", path, name);
    write_bytes(file, text, strlen(text));
}

static void no_groups_no_quota(void **state)
{
    (void)state;
    const char *root = test_path("none");
    assert_int_equal(llmc_threads_quota(root), INT_MAX);
    put(root, "proc/self", "cgroup", "0::/\n");
    assert_int_equal(llmc_threads_quota(root), INT_MAX);
    put(root, "sys/fs/cgroup", "cpu.max", "max 100000\n");
    assert_int_equal(llmc_threads_quota(root), INT_MAX);
}

static void version_2_counts_the_groups_above(void **state)
{
    (void)state;
    const char *root = test_path("v2");
    put(root, "proc/self", "cgroup", "0::/work/job\n");
    put(root, "sys/fs/cgroup/work", "cpu.max", "350000 100000\n");
    put(root, "sys/fs/cgroup/work/job", "cpu.max", "max 100000\n");
    assert_int_equal(llmc_threads_quota(root), 4);
    put(root, "sys/fs/cgroup/work/job", "cpu.max", "150000 100000\n");
    assert_int_equal(llmc_threads_quota(root), 2);
    put(root, "sys/fs/cgroup/work/job", "cpu.max", "10000 100000\n");
    assert_int_equal(llmc_threads_quota(root), 1);
}

/* As in Docker: the path is the machine's, and the mount is the container. */
static void path_of_the_machine_outside(void **state)
{
    (void)state;
    const char *root = test_path("outside");
    put(root, "proc/self", "cgroup", "12:memory:/docker/abc\n4:cpuacct,cpu:/docker/abc\n1:cpuset:/docker/abc\n");
    put(root, "sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "200000\n");
    put(root, "sys/fs/cgroup/cpu", "cpu.cfs_period_us", "100000\n");
    assert_int_equal(llmc_threads_quota(root), 2);
    put(root, "sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "-1\n");
    assert_int_equal(llmc_threads_quota(root), INT_MAX);
}

static void nonsense_is_no_quota(void **state)
{
    (void)state;
    const char *root = test_path("nonsense");
    put(root, "proc/self", "cgroup", "\n::\nx\n0::/../..\n");
    put(root, "sys/fs/cgroup", "cpu.max", "100000 0\n");
    assert_int_equal(llmc_threads_quota(root), INT_MAX);
    put(root, "sys/fs/cgroup", "cpu.max", "9223372036854775807 1\n");
    assert_int_equal(llmc_threads_quota(root), INT_MAX);
    put(root, "sys/fs/cgroup", "cpu.max", "");
    assert_int_equal(llmc_threads_quota(root), INT_MAX);
}

static int printed(const char *environment)
{
    char self[PATH_MAX] = "", command[PATH_MAX + 128];
    int threads = -1;
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(command, sizeof command, "%s '%s' print", environment, self);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &threads), 1);
    assert_int_equal(pclose(pipe), 0);
    return threads;
}

static void environment_counts(void **state)
{
    (void)state;
    assert_int_equal(printed("OMP_NUM_THREADS=3"), 3);
    assert_int_equal(printed("OMP_NUM_THREADS=5,2"), 5);
    assert_int_equal(printed("OMP_NUM_THREADS=1000"), LLMC_THREADS_MAX);
    assert_int_equal(printed("env -u OMP_NUM_THREADS"), llmc_threads_all());
}

static void affinity_counts(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(llmc_threads_all(), 1);
    assert_int_equal(printed("env -u OMP_NUM_THREADS"), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "print") == 0) {
        printf("%d\n", llmc_threads_all());
        return 0;
    }
    unsetenv("OMP_NUM_THREADS");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_groups_no_quota),   cmocka_unit_test(version_2_counts_the_groups_above),
        cmocka_unit_test(path_of_the_machine_outside), cmocka_unit_test(nonsense_is_no_quota),
        cmocka_unit_test(environment_counts),   cmocka_unit_test(affinity_counts),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
