#include "base/threads.h"

#include <limits.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_NBYTES = 4096 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* The first line of FOLDER/NAME; false where there is none. */
static bool read_line(const char *folder, const char *name, char *line, int nbytes)
{
    char path[PATH_NBYTES];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= PATH_NBYTES)
        return false;
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    bool found = fgets(line, nbytes, file) != NULL;
    fclose(file);
    return found;
}

/* Of one group, in processors. */
static int group_quota(const char *folder)
{
    char line[64];
    long long quota = -1, period = 0;
    if (read_line(folder, "cpu.max", line, sizeof line))
        sscanf(line, "%lld %lld", &quota, &period); /* "max 100000": no quota */
    else if (read_line(folder, "cpu.cfs_quota_us", line, sizeof line) && sscanf(line, "%lld", &quota) == 1 &&
             read_line(folder, "cpu.cfs_period_us", line, sizeof line))
        sscanf(line, "%lld", &period);
    if (quota <= 0 || period <= 0)
        return INT_MAX;
    long long processors = quota / period + (quota % period != 0);
    return processors < INT_MAX ? (int)processors : INT_MAX;
}

/* Of the group `path` below ROOT/MOUNT and of those above it. In a container the path may be the one that the machine
 * outside knows, which does not exist here: then the mount itself is the container's group. */
static int hierarchy_quota(const char *root, const char *mount, const char *path)
{
    char folder[PATH_NBYTES];
    int quota = INT_MAX;
    int mount_nbytes = snprintf(folder, sizeof folder, "%s%s", root, mount);
    if (mount_nbytes >= PATH_NBYTES)
        return INT_MAX;
    if (snprintf(folder + mount_nbytes, sizeof folder - (size_t)mount_nbytes, "%s", path) >= PATH_NBYTES - mount_nbytes)
        folder[mount_nbytes] = '\0';
    for (;;) {
        quota = least(quota, group_quota(folder));
        char *slash = strrchr(folder + mount_nbytes, '/');
        if (!slash)
            return quota;
        *slash = '\0';
    }
}

static bool lists_cpu(char *controllers)
{
    char *rest;
    for (char *name = strtok_r(controllers, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
        if (strcmp(name, "cpu") == 0)
            return true;
    return false;
}

int llmc_threads_quota(const char *root)
{
    char path[PATH_NBYTES], line[PATH_NBYTES];
    int quota = INT_MAX;
    FILE *file = NULL;
    if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) < PATH_NBYTES)
        file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) { /* "4:cpu,cpuacct:/group" of v1, "0::/group" of v2 */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        controllers++;
        *group++ = '\0';
        if (*controllers == '\0')
            quota = least(quota, hierarchy_quota(root, "/sys/fs/cgroup", group));
        else if (lists_cpu(controllers))
            quota = least(quota, hierarchy_quota(root, "/sys/fs/cgroup/cpu", group));
    }
    if (file)
        fclose(file);
    return quota;
}

int llmc_threads_all(void)
{
    const char *words = getenv("OMP_NUM_THREADS");
    int threads = omp_get_max_threads();
    if (!words || atoi(words) <= 0)
        threads = least(least(threads, omp_get_num_procs()), llmc_threads_quota(""));
    return least(threads < 1 ? 1 : threads, LLMC_THREADS_MAX);
}
