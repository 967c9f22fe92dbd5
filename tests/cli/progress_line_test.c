/* The progress line: quiet for short work, never too often, ended before other text. */
#include "cli/progress_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double now;

static double test_clock(void)
{
    return now;
}

struct shown {
    FILE *stream;
    char *text;
    size_t nbytes;
    struct llmc_progress progress;
};

static void open_shown(struct shown *shown, bool terminal)
{
    now = 100;
    shown->stream = open_memstream(&shown->text, &shown->nbytes);
    assert_non_null(shown->stream);
    shown->progress = (struct llmc_progress){
        .stream = shown->stream, .clock = test_clock, .terminal = terminal, .width = terminal ? 40 : 80};
}

static void expect_shown(struct shown *shown, const char *expected)
{
    llmc_progress_finish(&shown->progress);
    fclose(shown->stream);
    assert_string_equal(shown->text, expected);
    free(shown->text);
}

/* `steps` updates a second for `seconds`. */
static void work(struct shown *shown, const char *what, int seconds, int steps, const char *extra)
{
    for (int i = 0; i <= seconds * steps; i++) {
        llmc_progress_update(&shown->progress, what, i, (int64_t)seconds * steps, extra);
        now += 1.0 / steps;
    }
}

static void short_work_is_silent(void **state)
{
    (void)state;
    struct shown shown;
    open_shown(&shown, true);
    work(&shown, "short", 1, 10, NULL);
    work(&shown, "also short", 1, 10, NULL);
    expect_shown(&shown, "");
}

static void plain_lines_are_rare(void **state)
{
    (void)state;
    struct shown shown;
    open_shown(&shown, false);
    work(&shown, "distill", 16, 4, "loss 0.31");
    work(&shown, "short", 1, 4, NULL);
    expect_shown(&shown, "distill  8/64  12%  4.0/s  14s left  loss 0.31\n"
                         "distill  48/64  75%  4.0/s  4s left  loss 0.31\n"
                         "distill  64/64  100%  4.0/s  16s  loss 0.31\n");
}

static void a_terminal_is_redrawn_in_one_line(void **state)
{
    (void)state;
    struct shown shown;
    open_shown(&shown, true);
    work(&shown, "distill", 3, 1000, "a text that the terminal has no room for");
    int redrawn = 0;
    fflush(shown.stream);
    for (const char *c = shown.text; *c; c++)
        redrawn += *c == '\r';
    assert_in_range(redrawn, 8, 12); /* the third second of the work */
    assert_null(strchr(shown.text, '\n'));
    assert_non_null(strstr(shown.text, "\rdistill  2000/3000  66%  1000/s  1s lef\033[K"));
    llmc_progress_finish(&shown.progress);
    llmc_progress_finish(&shown.progress);
    fflush(shown.stream);
    assert_non_null(strstr(shown.text, "\rdistill  3000/3000  100%  1000/s  3s  a\033[K\n"));
    assert_string_equal(strchr(shown.text, '\n'), "\n");
    fclose(shown.stream);
    free(shown.text);
}

static void a_restart_counts_its_own_steps(void **state)
{
    (void)state;
    struct shown shown;
    open_shown(&shown, false);
    llmc_progress_update(&shown.progress, "teacher", 900, 1000, NULL);
    now += 5;
    llmc_progress_update(&shown.progress, "teacher", 950, 1000, NULL);
    expect_shown(&shown, "teacher  950/1000  95%  10/s  5s left\n");
}

static void an_unknown_total_has_no_time_left(void **state)
{
    (void)state;
    struct shown shown;
    open_shown(&shown, true);
    llmc_progress_update(&shown.progress, "read", 0, 0, NULL);
    now += 4000;
    llmc_progress_update(&shown.progress, "read", 8000, 0, NULL);
    expect_shown(&shown, "\rread  8000  2.0/s  1h06m\033[K\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_work_is_silent),
        cmocka_unit_test(plain_lines_are_rare),
        cmocka_unit_test(a_terminal_is_redrawn_in_one_line),
        cmocka_unit_test(a_restart_counts_its_own_steps),
        cmocka_unit_test(an_unknown_total_has_no_time_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
