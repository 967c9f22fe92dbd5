#include "cli/command.h"

#include "base/file.h"
#include "base/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <omp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static bool broken_pipe;

int llmc_command_end(llmc_status status)
{
    if (broken_pipe)
        return LLMC_EXIT_BROKEN_PIPE;
    if (status != LLMC_OK && status != LLMC_ERR_INTERRUPTED)
        fprintf(stderr, "llmc: %s: %s\n", llmc_status_words(status), llmc_error_message());
    return llmc_status_exit(status);
}

int llmc_command_usage_error(const char *command, const char *format, ...)
{
    va_list args;
    const char *program = command ? "llmc " : "llmc-distill";
    command = command ? command : "";
    fprintf(stderr, "%s%s: ", program, command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry '%s%s --help'.\n", program, command);
    return LLMC_EXIT_USAGE;
}

llmc_status llmc_command_number(const char *option, const char *text, int min, int max, int *out)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        return llmc_error(LLMC_ERR_ARGUMENT, "%s: \"%s\" is no number from %d to %d", option, text, min, max);
    *out = (int)value;
    return LLMC_OK;
}

llmc_status llmc_command_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return LLMC_OK;
    broken_pipe = errno == EPIPE;
    return llmc_error(LLMC_ERR_IO, "cannot write the output: %s", strerror(errno));
}

llmc_status llmc_command_print_json(json_t *object, bool compact)
{
    if (!object)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate a JSON object");
    errno = 0;
    int failed = json_dumpf(object, stdout, compact ? JSON_COMPACT : JSON_INDENT(2));
    json_decref(object);
    /* What was written before an error is flushed by the caller, who then sees the cause. */
    if (!failed)
        putchar('\n');
    return llmc_command_flush();
}

json_t *llmc_command_json_text(const char *text)
{
    json_t *json = json_string(text);
    return json ? json : json_string("\xef\xbf\xbd");
}

void llmc_command_spin_briefly(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT"))
        return;
    setenv("GOMP_SPINCOUNT", "10000", 1);
    execv("/proc/self/exe", argv); /* where that fails, work is only slower */
}

void llmc_command_limit_threads(void)
{
    omp_set_num_threads(llmc_threads_all());
}

/* A signal between a look at `caught` and a blocking read would be slept over: the handler also writes here. */
static int wake[2] = {-1, -1};

static void catch_signal(int signal_number)
{
    int kept = errno;
    caught = signal_number;
    if (write(wake[1], "", 1) < 0)
        errno = kept; /* full: the reader will wake anyway */
}

void llmc_command_catch_signals(void)
{
    struct sigaction action = {.sa_handler = catch_signal};
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0)
        return; /* no descriptors left: signals keep their default */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool llmc_command_wait_input(int file)
{
    struct pollfd files[] = {{.fd = file, .events = POLLIN}, {.fd = wake[0], .events = POLLIN}};
    while (!caught && poll(files, 2, -1) < 0 && errno == EINTR)
        continue;
    return !caught;
}

bool llmc_command_interrupted(void)
{
    return caught != 0;
}

llmc_status llmc_command_sibling(const char *program, char **out)
{
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return llmc_error(LLMC_ERR_IO, "/proc/self/exe: cannot read");
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    *(slash ? slash : self) = '\0';
    return llmc_path_join(out, self, program);
}
