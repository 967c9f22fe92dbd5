/*
 * Measuring in rounds. Time is the test's own: answering moves the clock, which the linker puts in front of the real
 * one.
 */
#include "base/median.h"
#include "report/measure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

enum { LABELS = 2 };

static double now;

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    *out = (struct timespec){.tv_sec = (time_t)now, .tv_nsec = (long)(1e9 * (now - (double)(time_t)now))};
    return 0;
}

/* An engine that takes 2 ms a text alone and 1 ms among others; `slow` times as long from call `from` to call `to`. */
struct engine {
    size_t count;
    size_t calls, answered, singles, from, to;
    double slow;
};

static llmc_status answer(void *context, size_t first, size_t count, float *out)
{
    struct engine *engine = context;
    assert_true(first + count <= engine->count && count <= 32);
    bool disturbed = engine->calls >= engine->from && engine->calls < engine->to;
    now += (count == 1 ? 0.002 : 0.001 * (double)count) * (disturbed ? engine->slow : 1);
    for (size_t i = 0; i < count; i++) {
        out[i * LABELS] = 0.5f;
        out[i * LABELS + 1] = (first + i) % 3 == 0 ? 0.75f : 0.25f;
    }
    engine->calls++;
    engine->singles += count == 1;
    engine->answered += count;
    return LLMC_OK;
}

static void measure(struct engine *engine, struct llmc_measurement *out)
{
    assert_int_equal(llmc_measure(out, answer, engine, engine->count, LABELS, NULL, NULL), LLMC_OK);
    for (size_t i = 0; i < engine->count; i++)
        assert_int_equal(out->answers[i], i % 3 == 0);
}

static void quiet_machine(void **state)
{
    (void)state;
    static const size_t counts[] = {2, 31, 32, 33, 100, 872, 20000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct engine engine = {.count = counts[i]};
        struct llmc_measurement measured;
        measure(&engine, &measured);
        assert_float_equal(measured.latency_ms, 2, 1e-3);
        assert_float_equal(measured.throughput, 1000, 1);
        assert_true(measured.latency_spread < 1e-3 && measured.throughput_spread < 1e-3);
        assert_true(engine.singles <= 1000 && engine.singles <= engine.count + 10);
        assert_true(engine.answered <= 2 * engine.count + engine.singles + 6 * 32);
        llmc_measurement_release(&measured);
    }
}

/* Of 872 texts a round has six calls of 32 texts and 175 of one; before the rounds come 29 calls. */
enum { BEFORE = 29, ROUND = 181 };

static void one_disturbed_round(void **state)
{
    (void)state;
    struct engine engine = {.count = 872, .from = BEFORE + 2 * ROUND, .to = BEFORE + 3 * ROUND, .slow = 6};
    struct llmc_measurement measured;
    measure(&engine, &measured);
    assert_float_equal(measured.latency_ms, 2, 1e-3);
    assert_float_equal(measured.throughput, 1000, 1);
    assert_true(measured.latency_spread < LLMC_SPREAD_MAX && measured.throughput_spread < LLMC_SPREAD_MAX);
    llmc_measurement_release(&measured);
}

static void most_rounds_disturbed(void **state)
{
    (void)state;
    struct engine engine = {.count = 872, .from = BEFORE + 2 * ROUND, .to = BEFORE + 5 * ROUND, .slow = 6};
    struct llmc_measurement measured;
    measure(&engine, &measured);
    assert_true(measured.latency_spread > LLMC_SPREAD_MAX && measured.throughput_spread > LLMC_SPREAD_MAX);
    llmc_measurement_release(&measured);
}

static void spreads(void **state)
{
    (void)state;
    assert_true(llmc_spread((double[]){0}, 0) == 0);
    assert_true(llmc_spread((double[]){3}, 1) == 0);
    assert_float_equal(llmc_spread((double[]){11, 9, 10}, 3), 0.2, 1e-12);
    assert_float_equal(llmc_spread((double[]){100, 9, 10, 11, 1}, 5), 0.2, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_machine),
        cmocka_unit_test(one_disturbed_round),
        cmocka_unit_test(most_rounds_disturbed),
        cmocka_unit_test(spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
