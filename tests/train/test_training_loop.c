/*
 * The training loop: its order, its steps, and that a run that was stopped and
 * restarted any number of times ends with the bits of an undisturbed one.
 */
#include "tests/base/test_support.h"

#include "base/random.h"
#include "train/loop.h"
#include "architecture/task.h"

#include <math.h>

enum { ROWS = 23, BATCH = 4, STEPS_PER_EPOCH = 6, LENGTH_MAX = 12, STEPS_MAX = 64, LABELS = 3, WORDS = 50 };
#define WORDS_NBYTES (WORDS * sizeof(int32_t))

static const struct llmc_architecture shape = {WORDS, LENGTH_MAX, 2, 16, 8, LABELS, LLMC_GELU, 1e-12f, 2, {{2, 24}, {2, 24}}, 0};

static struct {
    int64_t offsets[ROWS + 1];
    int32_t ids[ROWS * LENGTH_MAX], label[ROWS];
    uint8_t types[ROWS * LENGTH_MAX];
} numbers;
static struct llmc_dataset data = {ROWS, numbers.offsets, numbers.ids, numbers.types, numbers.label, LENGTH_MAX};
static struct llmc_text_source texts;

static void make_data(void)
{
    for (int row = 0; row < ROWS; row++) {
        int length = 1 + (int)(llmc_random_u32(1, (uint32_t)row) % LENGTH_MAX);
        numbers.offsets[row + 1] = numbers.offsets[row] + length;
        for (int64_t t = numbers.offsets[row]; t < numbers.offsets[row + 1]; t++) {
            numbers.ids[t] = (int32_t)(llmc_random_u32(2, (uint32_t)t) % 50);
            numbers.types[t] = t > numbers.offsets[row] + 3;
        }
        numbers.label[row] = numbers.ids[numbers.offsets[row]] % LABELS;
    }
}

/* A run and what its callbacks saw. */
struct run {
    struct llmc_ops ops;
    struct llmc_bert model;
    struct llmc_training training;
    volatile sig_atomic_t stop;
    int64_t stop_after; /* steps; -1: never */
    int before_steps, after_steps, saves;
    struct llmc_step_metrics metrics[STEPS_MAX];
    int32_t sequences[STEPS_MAX];
    int64_t rows[STEPS_MAX][BATCH];
    /* what `save` kept */
    float *values, *m, *v, *learning_rates;
    int32_t *word_step;
    struct llmc_optimizer optimizer;
    int64_t step;
};

static llmc_status loss(void *context, const struct llmc_loss_input *input, double *out, float *dlogits)
{
    struct run *run = context;
    int64_t step = run->training.step;
    double work[LABELS];
    assert_int_equal(input->labels, LABELS);
    assert_true(step < STEPS_MAX);
    run->sequences[step] = input->batch->sequences;
    memcpy(run->rows[step], input->batch->rows, (size_t)input->batch->sequences * sizeof(int64_t));
    for (int32_t i = 0; i < input->batch->sequences * LABELS; i++)
        assert_true(dlogits[i] == 0);
    for (int32_t i = 0; i < input->batch->sequences; i++)
        assert_int_equal(input->batch->label[i], numbers.label[input->batch->rows[i]]);
    *out = llmc_task_single_label.loss(input->logits, input->batch->label, input->batch->sequences, LABELS, 1, input->scale,
                              dlogits, work);
    return LLMC_OK;
}

/* The loss without the checks that know the data. */
static llmc_status plain_loss(void *context, const struct llmc_loss_input *input, double *out, float *dlogits)
{
    double work[LABELS];
    (void)context;
    *out = llmc_task_single_label.loss(input->logits, input->batch->label, input->batch->sequences, LABELS, 1, input->scale,
                              dlogits, work);
    return LLMC_OK;
}

static llmc_status before_step(void *context, int64_t step, int64_t steps)
{
    struct run *run = context;
    assert_int_equal(step, run->training.step);
    assert_int_equal(steps, llmc_training_steps(&run->training));
    run->before_steps++;
    return LLMC_OK;
}

static llmc_status after_step(void *context, const struct llmc_gradients *gradients, double scale, double learning_rate)
{
    struct run *run = context;
    assert_true(gradients->row_count > 0 && scale >= 1 && learning_rate >= 0);
    run->after_steps++;
    return LLMC_OK;
}

static void *copy_of(const void *from, size_t nbytes)
{
    void *to = malloc(nbytes + 1); /* an empty array may be NULL */
    assert_non_null(to);
    if (nbytes > 0)
        memcpy(to, from, nbytes);
    return to;
}

static size_t arena_nbytes(const struct run *run)
{
    return (size_t)run->model.parameters.total * sizeof(float);
}

static size_t rates_nbytes(const struct llmc_optimizer *optimizer)
{
    return (size_t)optimizer->step * sizeof(float);
}

static void free_kept(struct run *run)
{
    free(run->values), free(run->m), free(run->v), free(run->word_step), free(run->learning_rates);
}

static llmc_status save(void *context, const struct llmc_training *training)
{
    struct run *run = context;
    free_kept(run);
    run->values = copy_of(training->model->parameters.values, arena_nbytes(run));
    run->m = copy_of(training->optimizer.m, arena_nbytes(run));
    run->v = copy_of(training->optimizer.v, arena_nbytes(run));
    run->word_step = copy_of(training->optimizer.word_step, WORDS_NBYTES);
    run->learning_rates = copy_of(training->optimizer.learning_rates, rates_nbytes(&training->optimizer));
    run->optimizer = training->optimizer;
    run->step = training->step;
    run->saves++;
    return LLMC_OK;
}

static llmc_status metrics(void *context, const struct llmc_step_metrics *step)
{
    struct run *run = context;
    run->metrics[step->step] = *step;
    if (run->training.step == run->stop_after)
        run->stop = 1;
    return LLMC_OK;
}

static void run_open(struct run *run, enum llmc_number number, double epochs)
{
    memset(run, 0, sizeof *run);
    assert_ok(llmc_ops_init(&run->ops, 2));
    assert_ok(llmc_bert_init(&run->model, &shape, number));
    for (int32_t i = 0; i < run->model.parameters.count; i++)
        llmc_parameter_randomize(&run->model.parameters, i, 7);
    run->stop_after = -1;
    struct llmc_training training = {
        .model = &run->model, .ops = &run->ops, .texts = &texts, .seed = 5, .epochs = epochs, .peak_learning_rate = 5e-3,
        .warmup = 0.1, .batch_size = BATCH, .dropout = 0.1f, .save_seconds = 1e9, .stop = &run->stop, .context = run,
        .loss = loss, .before_step = before_step, .after_step = after_step, .save = save, .metrics = metrics,
    };
    run->training = training;
    assert_ok(llmc_optimizer_init(&run->training.optimizer, &run->model.parameters, 0.01f, 1, number == LLMC_F16));
    if (number == LLMC_F16)
        run->training.optimizer.scale = 0x1p25f; /* so high that the first steps are skipped */
}

static void run_close(struct run *run)
{
    llmc_optimizer_release(&run->training.optimizer);
    llmc_bert_release(&run->model);
    llmc_ops_release(&run->ops);
    free_kept(run);
}

/* Puts what `from` saved into a fresh run, as a new process does from a checkpoint. */
static void run_restore(struct run *run, const struct run *from)
{
    struct llmc_optimizer *o = &run->training.optimizer;
    memcpy(run->model.parameters.values, from->values, arena_nbytes(run));
    memcpy(o->m, from->m, arena_nbytes(run));
    memcpy(o->v, from->v, arena_nbytes(run));
    memcpy(o->word_step, from->word_step, WORDS_NBYTES);
    o->step = from->optimizer.step;
    assert_ok(llmc_optimizer_reserve(o, o->step));
    if (rates_nbytes(o) > 0) /* without a step there are none, and no array */
        memcpy(o->learning_rates, from->learning_rates, rates_nbytes(o));
    o->scale = from->optimizer.scale;
    o->good_steps = from->optimizer.good_steps;
    run->training.step = from->step;
    memcpy(run->metrics, from->metrics, sizeof run->metrics);
}

static void assert_same_end(const struct run *run, const struct run *undisturbed, int64_t steps)
{
    const struct llmc_optimizer *o = &run->training.optimizer, *u = &undisturbed->training.optimizer;
    assert_memory_equal(run->model.parameters.values, undisturbed->model.parameters.values, arena_nbytes(run));
    assert_memory_equal(o->m, u->m, arena_nbytes(run));
    assert_memory_equal(o->v, u->v, arena_nbytes(run));
    assert_memory_equal(o->word_step, u->word_step, WORDS_NBYTES);
    assert_int_equal(o->step, u->step);
    assert_memory_equal(o->learning_rates, u->learning_rates, rates_nbytes(u));
    assert_true(o->scale == u->scale && o->good_steps == u->good_steps);
    for (int64_t i = 0; i < steps; i++) {
        struct llmc_step_metrics a = run->metrics[i], b = undisturbed->metrics[i];
        a.seconds = b.seconds = 0;
        assert_int_equal(a.step, i);
        if (isnan(a.gradient_norm) && isnan(b.gradient_norm)) /* a NaN may have any sign */
            a.gradient_norm = b.gradient_norm = 0;
        assert_true(a.loss == b.loss && a.learning_rate == b.learning_rate && a.gradient_norm == b.gradient_norm);
        assert_true(a.scale == b.scale && a.skipped == b.skipped && a.tokens == b.tokens && a.steps == b.steps);
    }
}

static void check_restarts(enum llmc_number number)
{
    static const int64_t stops[] = {1, 7, 8, 12}; /* the first step; past an epoch; at once again; its end */
    static struct run undisturbed, run, next;
    run_open(&undisturbed, number, 3);
    int64_t steps = llmc_training_steps(&undisturbed.training);
    assert_int_equal(steps, 3 * STEPS_PER_EPOCH);
    assert_ok(llmc_training_run(&undisturbed.training));
    int skipped = 0;
    double first = 0, last = 0;
    for (int i = 0; i < steps; i++) {
        assert_true(isfinite(undisturbed.metrics[i].loss));
        skipped += undisturbed.metrics[i].skipped;
        first += i < STEPS_PER_EPOCH ? undisturbed.metrics[i].loss / STEPS_PER_EPOCH : 0;
        last += i >= 2 * STEPS_PER_EPOCH ? undisturbed.metrics[i].loss / STEPS_PER_EPOCH : 0;
    }
    assert_true(number == LLMC_F16 ? skipped > 1 && skipped < steps / 2 : skipped == 0);
    assert_true(last < first);
    assert_int_equal(undisturbed.before_steps, steps);
    assert_int_equal(undisturbed.after_steps, steps - skipped);
    assert_int_equal(undisturbed.saves, 0);

    run_open(&run, number, 3);
    for (size_t i = 0; i < COUNT_OF(stops); i++) {
        run.stop_after = stops[i];
        assert_fails(llmc_training_run(&run.training), LLMC_ERR_INTERRUPTED, "go on");
        assert_int_equal(run.saves, 1);
        assert_int_equal(run.step, stops[i]);
        run_open(&next, number, 3);
        run_restore(&next, &run);
        run_close(&run);
        run = next;
        run.training.model = &run.model; /* the struct has moved */
        run.training.ops = &run.ops;
        run.training.stop = &run.stop;
        run.training.context = &run;
    }
    run.stop_after = steps; /* too late to stop: the run is finished */
    assert_ok(llmc_training_run(&run.training));
    assert_same_end(&run, &undisturbed, steps);
    run_close(&run);
    run_close(&undisturbed);
}

static void test_restarts(void **state)
{
    (void)state;
    check_restarts(LLMC_F32);
    check_restarts(LLMC_F16);
    check_restarts(LLMC_BF16);
}

/* Equal batches and no learning: every step of an epoch drops out others, so every loss is another. */
static void test_dropout_differs(void **state)
{
    (void)state;
    static int64_t offsets[13];
    static int32_t ids[12 * 5], label[12];
    static uint8_t types[12 * 5];
    static struct run run;
    struct llmc_dataset equal = {12, offsets, ids, types, label, 5};
    const struct llmc_text_source equal_texts = llmc_dataset_source(&equal);
    for (int i = 0; i < 12; i++)
        offsets[i + 1] = offsets[i] + 5;
    for (int i = 0; i < 12 * 5; i++)
        ids[i] = i % 5;
    for (int dropping = 0; dropping < 2; dropping++) {
        run_open(&run, LLMC_F32, 2);
        run.training.texts = &equal_texts;
        run.training.peak_learning_rate = 0;
        run.training.dropout = dropping ? 0.3f : 0;
        run.training.loss = plain_loss;
        assert_ok(llmc_training_run(&run.training));
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < i; j++)
                assert_true((run.metrics[i].loss != run.metrics[j].loss) == dropping);
        run_close(&run);
    }
}

/* Another seed gives another order, other dropout and so other weights. */
static void test_seeds(void **state)
{
    (void)state;
    static struct run a, b;
    run_open(&a, LLMC_F32, 1);
    run_open(&b, LLMC_F32, 1);
    b.training.seed = 6;
    assert_ok(llmc_training_run(&a.training));
    assert_ok(llmc_training_run(&b.training));
    assert_memory_not_equal(a.model.parameters.values, b.model.parameters.values, arena_nbytes(&a));
    run_close(&a);
    run_close(&b);
}

/* Fractional epochs round up to steps; every epoch shows every row once, the rest of it in a small last batch. */
static void test_steps_and_batches(void **state)
{
    (void)state;
    static const struct {
        double epochs;
        int64_t steps;
    } cases[] = {{0, 1}, {0.01, 1}, {0.5, 3}, {0.51, 4}, {1, 6}, {2.5, 15}, {7, 42}};
    static struct run run;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        run_open(&run, LLMC_F32, cases[c].epochs);
        assert_int_equal(llmc_training_steps(&run.training), cases[c].steps);
        run_close(&run);
    }
    run_open(&run, LLMC_F32, 2.5);
    run.training.save_seconds = 0;
    assert_ok(llmc_training_run(&run.training));
    assert_int_equal(run.training.step, 15);
    assert_int_equal(run.saves, 14); /* after every step but the last */
    int behind = 0;
    for (int word = 0; word < WORDS; word++) { /* after the last step all words that a batch had have caught up */
        int32_t end = run.training.optimizer.word_step[word];
        assert_true(end == 0 || end == run.training.optimizer.step);
        assert_true(run.word_step[word] <= run.training.optimizer.step - 1);
        behind += run.word_step[word] > 0 && run.word_step[word] < run.training.optimizer.step - 1;
    }
    assert_true(behind > 0); /* not so in what was saved */
    int seen[3][ROWS] = {{0}};
    for (int step = 0; step < 15; step++) {
        int64_t tokens = 0;
        assert_int_equal(run.sequences[step], step % STEPS_PER_EPOCH == STEPS_PER_EPOCH - 1 ? ROWS % BATCH : BATCH);
        for (int32_t i = 0; i < run.sequences[step]; i++) {
            int64_t row = run.rows[step][i];
            seen[step / STEPS_PER_EPOCH][row]++;
            tokens += numbers.offsets[row + 1] - numbers.offsets[row];
        }
        assert_int_equal(run.metrics[step].tokens, tokens);
        assert_true(run.metrics[step].learning_rate == llmc_learning_rate(5e-3, 0.1, step, 15));
    }
    for (int row = 0; row < ROWS; row++)
        assert_true(seen[0][row] == 1 && seen[1][row] == 1 && seen[2][row] <= 1);
    run_close(&run);
}

static llmc_status broken(void *context, int64_t step, int64_t steps)
{
    (void)context, (void)steps;
    return step == 2 ? llmc_error(LLMC_ERR_IO, "the disk is full") : LLMC_OK;
}

static void test_errors_of_hooks(void **state)
{
    (void)state;
    static struct run run;
    run_open(&run, LLMC_F32, 1);
    run.training.before_step = broken;
    assert_fails(llmc_training_run(&run.training), LLMC_ERR_IO, "disk is full");
    assert_int_equal(run.training.step, 2);
    run_close(&run);
}

/* Layer 0 loses its first head and neurons, layer 1 stays. */
static const int32_t kept_head[] = {1}, kept_neurons[] = {0, 3, 4, 10, 23};
static const struct llmc_layer_selection kept_layers[] = {{0, kept_head, 1, kept_neurons, 5}, {1, NULL, 0, NULL, 0}};
static const struct llmc_selection kept = {.layers = kept_layers, .layer_count = 2}, whole = {0};

static llmc_status select_kept(void *context, int64_t step, int64_t steps)
{
    struct run *run = context;
    (void)steps;
    return step == 7 ? llmc_training_select(&run->training, &kept) : LLMC_OK;
}

static llmc_status select_whole(void *context, int64_t step, int64_t steps)
{
    struct run *run = context;
    (void)step, (void)steps;
    return llmc_training_select(&run->training, &whole);
}

/* Masks what `kept` leaves out of the weights behind it: without any effect, its parts can as well go. */
static void mask_others(struct llmc_parameters *p)
{
    static const bool neuron_stays[24] = {[0] = true, [3] = true, [4] = true, [10] = true, [23] = true};
    int32_t context = llmc_layer_parameter(0, LLMC_ATTENTION_OUTPUT_WEIGHT), output = llmc_layer_parameter(0, LLMC_OUTPUT_WEIGHT);
    assert_ok(llmc_parameters_make_mask(p));
    for (int64_t row = 0; row < 16; row++) {
        memset(p->mask + (p->table[context].offset - p->dense_begin) + row * 16, 0, 8);
        for (int64_t neuron = 0; neuron < 24; neuron++)
            p->mask[p->table[output].offset - p->dense_begin + row * 24 + neuron] = neuron_stays[neuron];
    }
    llmc_parameter_apply_mask(p, context);
    llmc_parameter_apply_mask(p, output);
}

static void open_masked(struct run *run)
{
    run_open(run, LLMC_F32, 3);
    run->training.dropout = 0; /* of a smaller model others drop out */
    run->training.optimizer.clip_norm = 0; /* gradients of masked weights count in the norm */
    mask_others(&run->model.parameters);
}

/* Products of other sizes sum in another order; 18 steps of Adam carry that on. */
#define SELECTED_TOLERANCE 1e-4f

static void assert_close(const float *a, const float *b, int64_t count, float tolerance)
{
    for (int64_t i = 0; i < count; i++)
        assert_true(fabsf(a[i] - b[i]) <= tolerance);
}

/* Parts without effect go in the middle: what stays learns as it would have learned beside them. */
static void test_selection_goes_on(void **state)
{
    (void)state;
    static struct run all, fewer;
    struct llmc_parameters expected;
    open_masked(&all);
    open_masked(&fewer);
    fewer.training.before_step = select_kept;
    assert_ok(llmc_training_run(&all.training));
    assert_ok(llmc_training_run(&fewer.training));
    const struct llmc_parameters *p = &fewer.model.parameters;
    assert_true(p->architecture.layer[0].heads == 1 && p->architecture.layer[0].ffn == 5 && p->mask);
    assert_true(p->architecture.layer[1].heads == 2 && p->architecture.layer[1].ffn == 24);
    assert_ok(llmc_parameters_select(&expected, &all.model.parameters, &kept));
    assert_close(p->values, expected.values, p->total, SELECTED_TOLERANCE);
    assert_memory_equal(p->mask, expected.mask, (size_t)(p->total - p->dense_begin));
    assert_ok(llmc_optimizer_select(&all.training.optimizer, &expected, &all.model.parameters, &kept));
    assert_close(fewer.training.optimizer.m, all.training.optimizer.m, p->total, SELECTED_TOLERANCE);
    assert_memory_equal(fewer.training.optimizer.word_step, all.training.optimizer.word_step, WORDS_NBYTES);
    llmc_parameters_release(&expected);
    run_close(&all);
    run_close(&fewer);
}

/* The selection of everything changes no bit. */
static void test_selection_of_all(void **state)
{
    (void)state;
    static struct run undisturbed, run;
    run_open(&undisturbed, LLMC_F16, 2);
    run_open(&run, LLMC_F16, 2);
    run.training.before_step = select_whole;
    assert_ok(llmc_training_run(&undisturbed.training));
    assert_ok(llmc_training_run(&run.training));
    assert_same_end(&run, &undisturbed, 2 * STEPS_PER_EPOCH);
    run_close(&undisturbed);
    run_close(&run);
}

/* Words that the batches do not have go: the others, with their steps, learn on. */
static void test_selection_of_words(void **state)
{
    (void)state;
    static struct run run;
    static int32_t words[WORDS], places[WORDS], count;
    bool used[WORDS] = {false};
    for (int64_t i = 0; i < numbers.offsets[ROWS]; i++)
        used[numbers.ids[i]] = true;
    for (int32_t word = 0; word < WORDS; word++) {
        places[word] = count;
        if (used[word])
            words[count++] = word;
    }
    assert_in_range(count, 2, WORDS - 1);
    run_open(&run, LLMC_F32, 1);
    assert_ok(llmc_training_run(&run.training));
    const struct llmc_selection selection = {.words = words, .word_count = count};
    float *before = copy_of(run.model.parameters.values, arena_nbytes(&run));
    int32_t *steps = copy_of(run.training.optimizer.word_step, WORDS_NBYTES);
    assert_ok(llmc_training_select(&run.training, &selection));
    assert_int_equal(run.model.parameters.architecture.vocabulary, count);
    for (int32_t word = 0; word < WORDS; word++) {
        if (!used[word])
            continue;
        assert_memory_equal(run.model.parameters.values + places[word] * 16, before + word * 16, 16 * sizeof *before);
        assert_int_equal(run.training.optimizer.word_step[places[word]], steps[word]);
    }
    free(before);
    free(steps);
    run_close(&run);
}

static void test_epoch_order(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 3, 100, 1000};
    static int64_t order[1000], other[1000];
    static bool seen[1000];
    for (size_t c = 0; c < COUNT_OF(counts); c++) {
        size_t count = counts[c];
        for (int64_t epoch = 0; epoch < 3; epoch++) {
            memset(seen, 0, sizeof seen);
            llmc_epoch_order(3, epoch, count, order);
            for (size_t i = 0; i < count; i++) {
                assert_true(order[i] >= 0 && (size_t)order[i] < count && !seen[order[i]]);
                seen[order[i]] = true;
            }
            llmc_epoch_order(3, epoch, count, other);
            assert_memory_equal(order, other, count * sizeof *order);
            if (count < 100)
                continue;
            llmc_epoch_order(3, epoch + 1, count, other);
            assert_memory_not_equal(order, other, count * sizeof *order);
            llmc_epoch_order(4, epoch, count, other);
            assert_memory_not_equal(order, other, count * sizeof *order);
        }
    }
    /* Every row comes to every place about equally often: 4,000 orders of 4 rows, 1,000 +- 5 standard deviations. */
    int places[4][4] = {{0}};
    for (int64_t epoch = 0; epoch < 4000; epoch++) {
        llmc_epoch_order(9, epoch, 4, order);
        for (int i = 0; i < 4; i++)
            places[i][order[i]]++;
    }
    for (int i = 0; i < 16; i++)
        assert_in_range(places[i / 4][i % 4], 1000 - 137, 1000 + 137);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_epoch_order),     cmocka_unit_test(test_steps_and_batches),
        cmocka_unit_test(test_errors_of_hooks), cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_dropout_differs), cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_selection_goes_on), cmocka_unit_test(test_selection_of_all),
        cmocka_unit_test(test_selection_of_words),
    };
    make_data();
    texts = llmc_dataset_source(&data);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
