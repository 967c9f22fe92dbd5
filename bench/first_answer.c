#include "bench/first_answer.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Reads to the end; *first: when the first line was complete. */
static bool read_line(int file, double *first)
{
    char buffer[4096];
    bool found = false;
    ssize_t count;
    while ((count = read(file, buffer, sizeof buffer)) > 0 || (count < 0 && errno == EINTR)) {
        if (count > 0 && !found && memchr(buffer, '\n', (size_t)count)) {
            found = true;
            *first = llmc_clock();
        }
    }
    return found;
}

llmc_status llmc_first_answer(char *const argv[], double *seconds, int64_t *peak_nbytes)
{
    llmc_status status = LLMC_OK;
    posix_spawn_file_actions_t actions;
    struct rusage usage;
    double start, first = 0;
    int ends[2], exit_status;
    pid_t process;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return llmc_error(LLMC_ERR_IO, "cannot make a pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    start = llmc_clock();
    int failed = posix_spawn(&process, argv[0], &actions, NULL, argv, environ);
    close(ends[1]);
    if (failed)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot start: %s", argv[0], strerror(failed));
    bool answered = read_line(ends[0], &first);
    while (wait4(process, &exit_status, 0, &usage) < 0)
        if (errno != EINTR)
            LLMC_FAIL(LLMC_ERR_IO, "%s: cannot wait for its end: %s", argv[0], strerror(errno));
    if (!answered || !WIFEXITED(exit_status) || WEXITSTATUS(exit_status) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "%s %s: gave no answer", argv[0], argv[1]);
    *seconds = first - start;
    *peak_nbytes = (int64_t)usage.ru_maxrss * 1024;
exit:
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    return status;
}
