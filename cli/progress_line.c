#include "cli/progress_line.h"

#include "base/clock.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define QUIET_SECONDS 2.0
#define TERMINAL_SECONDS 0.1
#define PLAIN_SECONDS 10.0

void llmc_progress_init(struct llmc_progress *progress, FILE *stream)
{
    struct winsize size = {0};
    *progress = (struct llmc_progress){.stream = stream, .clock = llmc_clock, .width = 80};
    progress->terminal = isatty(fileno(stream)) != 0;
    if (progress->terminal && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        progress->width = size.ws_col;
}

/* "1h02m", "3m05s", "12s" */
static void show_time(char *out, size_t nbytes, double seconds)
{
    long whole = seconds < 3.6e6 ? (long)(seconds + 0.5) : 3600000;
    if (whole < 60)
        snprintf(out, nbytes, "%lds", whole);
    else if (whole < 3600)
        snprintf(out, nbytes, "%ldm%02lds", whole / 60, whole % 60);
    else
        snprintf(out, nbytes, "%ldh%02ldm", whole / 3600, whole % 3600 / 60);
}

/* "distill  1200/6315  19%  467/s  11s left  loss 0.31"; all parts together are shorter than the line's memory. */
static void describe(struct llmc_progress *progress, double now, int64_t done, int64_t total, const char *extra)
{
    char *line = progress->line;
    size_t room = sizeof progress->line;
    char time[24];
    double seconds = now - progress->start;
    double rate = seconds > 0 ? (double)(done - progress->done_at_start) / seconds : 0;
    if (rate > 1e12)
        rate = 1e12;
    int length = snprintf(line, room, "%s  %lld", progress->what, (long long)done);
    if (total > 0)
        length += snprintf(line + length, room - (size_t)length, "/%lld  %d%%", (long long)total,
                           (int)(100.0 * (double)done / (double)total));
    if (rate > 0)
        length += snprintf(line + length, room - (size_t)length, "  %.*f/s", rate < 9.95 ? 1 : 0, rate);
    bool ending = rate > 0 && total > done;
    show_time(time, sizeof time, ending ? (double)(total - done) / rate : seconds);
    length += snprintf(line + length, room - (size_t)length, "  %s%s", time, ending ? " left" : "");
    if (extra)
        snprintf(line + length, room - (size_t)length, "  %.80s", extra);
}

/* On a terminal the line is cut so that it never wraps: only then can it be redrawn in place. */
static void show(struct llmc_progress *progress, double now)
{
    if (progress->terminal)
        fprintf(progress->stream, "\r%.*s\033[K", progress->width - 1, progress->line);
    else
        fprintf(progress->stream, "%s\n", progress->line);
    fflush(progress->stream);
    progress->shown = now;
    progress->current = true;
}

void llmc_progress_finish(struct llmc_progress *progress)
{
    bool was_shown = progress->what[0] && progress->shown >= progress->start;
    if (was_shown) {
        if (!progress->current)
            show(progress, progress->shown);
        if (progress->terminal)
            fputc('\n', progress->stream);
        fflush(progress->stream);
    }
    progress->what[0] = '\0';
}

void llmc_progress_update(void *context, const char *what, int64_t done, int64_t total, const char *extra)
{
    struct llmc_progress *progress = context;
    double now = progress->clock();
    if (strncmp(progress->what, what, sizeof progress->what - 1) != 0) {
        llmc_progress_finish(progress);
        snprintf(progress->what, sizeof progress->what, "%s", what);
        progress->start = now;
        progress->done_at_start = done;
        progress->shown = now - 1;
    }
    describe(progress, now, done, total, extra);
    progress->current = false;
    bool first = progress->shown < progress->start;
    double since = now - (first ? progress->start : progress->shown);
    double least = first ? QUIET_SECONDS : progress->terminal ? TERMINAL_SECONDS : PLAIN_SECONDS;
    if (since >= least)
        show(progress, now);
}
