/*
 * The compressed checkpoint: what was written comes back, damage is refused, and
 * contents that break a rule are refused by writer and reader alike.
 * `test_compressed write PATH` and `write-layered PATH` write the sample files for test_compressed_reference.py.
 */
#include "base/file.h"
#include "base/memory.h"
#include "formats/checkpoint/compressed.h"
#include "formats/checkpoint/mixed.h"
#include "formats/hdf5/envelope.h"
#include "tests/runtime/sample_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64], damaged[64]; /* with the process in their names: two may run side by side */

static void *make(size_t count, size_t size)
{
    void *memory;
    if (llmc_alloc(&memory, count, size) != LLMC_OK)
        abort();
    return memory;
}

/* Element i of tensor t, before it is put into its number format; every third one is zero, and of
 * every sixth tensor nearly all. */
static int sample_value(int32_t t, int64_t i, int limit)
{
    return i % 3 == 0 || (t % 6 == 1 && i % 50) ? 0 : (int)((i * 7 + t * 5) % (2 * limit + 1)) - limit;
}

/* Every number format, dense and sparse, and input quantisers on all linear layers of the encoder. */
static struct llmc_compressed make_sample_of(const struct llmc_layer_shape layers[2], int32_t rank)
{
    static const char *const labels[] = {"negative", "positive", "mixed"};
    static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##b\n";
    struct llmc_compressed sample = {
        .architecture = {.vocabulary = 9, .positions = 12, .types = 2, .hidden = 10, .head_width = 5, .labels = 3,
                         .activation = LLMC_GELU_TANH, .norm_epsilon = 1e-12f, .layers = 2, .layer = {layers[0], layers[1]},
                         .embedding_rank = rank},
        .tokens_max = 11,
        .rules = {.lowercase = true, .clean = true},
        .vocabulary_nbytes = sizeof vocabulary - 1,
    };
    char name[LLMC_PARAMETER_NAME_NBYTES];
    enum llmc_parameter_kind kind;
    sample.tensor_count = llmc_parameter_count(&sample.architecture);
    sample.vocabulary = strdup(vocabulary);
    sample.origin = strdup("{\"stage\": \"test\"}");
    sample.labels = make(3, sizeof *sample.labels);
    for (int i = 0; i < 3; i++)
        sample.labels[i] = strdup(labels[i]);
    sample.tensors = make((size_t)sample.tensor_count, sizeof *sample.tensors);
    for (int32_t t = 0; t < sample.tensor_count; t++) {
        struct llmc_compressed_tensor *tensor = &sample.tensors[t];
        llmc_parameter_describe(&sample.architecture, t, name, &kind, &tensor->rows, &tensor->cols);
        tensor->name = strdup(name);
        bool linear = strstr(name, "encoder") && tensor->rows > 1;
        tensor->number = linear ? LLMC_I8 : t % 2 ? LLMC_F16 : LLMC_F32;
        tensor->bits = linear ? t % 7 + 2 : 0;
        tensor->has_input = linear;
        tensor->input_scale = linear ? 0.03125f : 0;
        tensor->input_zero_point = linear ? 128 : 0;
        int limit = linear ? (1 << (tensor->bits - 1)) - 1 : 100;
        tensor->data = make((size_t)(tensor->rows * tensor->cols), llmc_number_nbytes(tensor->number));
        for (int64_t i = 0; i < tensor->rows * tensor->cols; i++) {
            int value = sample_value(t, i, limit);
            if (tensor->number == LLMC_I8)
                ((int8_t *)tensor->data)[i] = (int8_t)value;
            else if (tensor->number == LLMC_F16)
                ((uint16_t *)tensor->data)[i] = llmc_f16_from_f32((float)value * 0.25f);
            else
                ((float *)tensor->data)[i] = (float)value * 0.25f;
        }
        if (linear)
            tensor->scales = make((size_t)tensor->rows, sizeof(float));
        for (int64_t row = 0; linear && row < tensor->rows; row++)
            tensor->scales[row] = 0.5f + (float)row;
    }
    return sample;
}

static struct llmc_compressed make_sample(void)
{
    return make_sample_of((const struct llmc_layer_shape[]){{2, 7}, {2, 7}}, 0);
}

/* One lost a head, the other neurons. */
static struct llmc_compressed make_layered_sample(void)
{
    return make_sample_of((const struct llmc_layer_shape[]){{1, 7}, {2, 3}}, 0);
}

static void check_round_trip(struct llmc_compressed a)
{
    struct llmc_compressed b;
    int sparse = 0;
    assert_int_equal(llmc_compressed_write(path, &a), LLMC_OK);
    assert_int_equal(llmc_compressed_read(path, &b), LLMC_OK);
    assert_memory_equal(&a.architecture, &b.architecture, sizeof a.architecture);
    assert_int_equal(a.tokens_max, b.tokens_max);
    assert_true(b.rules.lowercase && !b.rules.strip_accents && !b.rules.split_chinese && b.rules.clean);
    assert_int_equal(a.vocabulary_nbytes, b.vocabulary_nbytes);
    assert_memory_equal(a.vocabulary, b.vocabulary, a.vocabulary_nbytes);
    assert_string_equal(a.origin, b.origin);
    assert_string_equal(b.labels[2], "mixed");
    assert_int_equal(a.tensor_count, b.tensor_count);
    for (int32_t t = 0; t < a.tensor_count; t++) {
        struct llmc_compressed_tensor *x = &a.tensors[t], *y = &b.tensors[t];
        assert_string_equal(x->name, y->name);
        assert_true(x->number == y->number && x->bits == y->bits);
        assert_true(x->rows == y->rows && x->cols == y->cols && x->has_input == y->has_input);
        assert_memory_equal(x->data, y->data, (size_t)(x->rows * x->cols) * llmc_number_nbytes(x->number));
        if (x->scales)
            assert_memory_equal(x->scales, y->scales, (size_t)x->rows * sizeof(float));
        assert_true(x->input_scale == y->input_scale && x->input_zero_point == y->input_zero_point);
        sparse += y->sparse;
    }
    assert_true(sparse > 0 && sparse < a.tensor_count);
    llmc_compressed_release(&a);
    llmc_compressed_release(&b);
}

static void test_round_trip(void **state)
{
    (void)state;
    check_round_trip(make_sample());
    check_round_trip(make_layered_sample());
}

/* Every byte of all bits comes apart to what it was made of; others are refused. */
static void test_mixed(void **state)
{
    (void)state;
    static const int64_t expected[] = {5, 2, 2, 1, 1, 1, 1};
    int8_t values[37], back[37];
    uint8_t bytes[37];
    for (int bits = 2; bits <= 8; bits++) {
        int limit = llmc_integer_limit(bits);
        for (int64_t count = 1; count <= 37; count++) {
            for (int64_t i = 0; i < count; i++)
                values[i] = (int8_t)((i * 5 + count) % (2 * limit + 1) - limit);
            llmc_compressed_mix(bits, values, count, bytes);
            assert_int_equal(llmc_compressed_unmix(bits, bytes, 1, count, back), LLMC_OK);
            assert_memory_equal(values, back, (size_t)count);
        }
        int64_t per_byte = llmc_compressed_mixed_per_byte(bits), span = 1;
        assert_int_equal(per_byte, expected[bits - 2]);
        assert_int_equal(llmc_compressed_mixed_nbytes(bits, 37), (37 + per_byte - 1) / per_byte);
        for (int64_t k = 0; k < per_byte; k++)
            span *= 2 * limit + 1;
        bytes[0] = (uint8_t)span;
        if (span < 256)
            assert_int_equal(llmc_compressed_unmix(bits, bytes, 1, per_byte, back), LLMC_ERR_FORMAT);
        bytes[0] = (uint8_t)(2 * limit + 1); /* a digit behind the last value */
        if (per_byte > 1)
            assert_int_equal(llmc_compressed_unmix(bits, bytes, 1, 1, back), LLMC_ERR_FORMAT);
    }
}

/* A model of 3 layers: what is in the file beside numbers and texts. */
static void test_structure_is_small(void **state)
{
    (void)state;
    enum { STRUCTURE_NBYTES = 30000 };
    struct llmc_compressed content;
    uint64_t counted = 0;
    assert_int_equal(sample_model_make(&content, 30522, 384, 3), LLMC_OK);
    assert_int_equal(llmc_compressed_write(path, &content), LLMC_OK);
    llmc_compressed_release(&content);
    assert_int_equal(llmc_compressed_read(path, &content), LLMC_OK);
    counted += content.vocabulary_stored_nbytes + content.texts_stored_nbytes;
    for (int32_t i = 0; i < content.tensor_count; i++)
        counted += content.tensors[i].stored_nbytes + content.tensors[i].scales_stored_nbytes;
    uint64_t structure = (uint64_t)llmc_file_nbytes(path) - counted;
    assert_true(structure > 1000 && structure < STRUCTURE_NBYTES);
    llmc_compressed_release(&content);
}

static void test_same_content_same_bytes(void **state)
{
    (void)state;
    struct llmc_compressed sample = make_sample();
    char *first, *second;
    size_t first_nbytes, second_nbytes;
    assert_int_equal(llmc_compressed_write(path, &sample), LLMC_OK);
    assert_int_equal(llmc_file_read(path, 1 << 24, &first, &first_nbytes), LLMC_OK);
    assert_int_equal(llmc_compressed_write(path, &sample), LLMC_OK);
    assert_int_equal(llmc_file_read(path, 1 << 24, &second, &second_nbytes), LLMC_OK);
    assert_int_equal(first_nbytes, second_nbytes);
    assert_memory_equal(first, second, first_nbytes);
    free(first);
    free(second);
    llmc_compressed_release(&sample);
}

static void expect_refused(const char *bytes, size_t nbytes, const char *what, size_t at)
{
    struct llmc_compressed content;
    assert_int_equal(llmc_file_write(damaged, bytes, nbytes), LLMC_OK);
    llmc_status status = llmc_compressed_read(damaged, &content);
    if (status != LLMC_ERR_FORMAT || !strstr(llmc_error_message(), damaged))
        fail_msg("%s at %zu: %s (%s)", what, at, llmc_status_words(status), llmc_error_message());
}

static void test_damage_is_refused(void **state)
{
    (void)state;
    struct llmc_compressed sample = make_sample();
    char *bytes;
    size_t nbytes;
    assert_int_equal(llmc_compressed_write(path, &sample), LLMC_OK);
    assert_int_equal(llmc_file_read(path, 1 << 24, &bytes, &nbytes), LLMC_OK);
    /* All of the user block, and samples of the rest. */
    for (size_t at = 0; at < nbytes; at += at < LLMC_ENVELOPE_NBYTES ? 1 : 997) {
        bytes[at] ^= (char)(1 << at % 8);
        expect_refused(bytes, nbytes, "flipped bit", at);
        bytes[at] ^= (char)(1 << at % 8);
    }
    for (size_t length = 0; length < nbytes; length += length < 600 ? 37 : 4999)
        expect_refused(bytes, length, "cut short", length);
    free(bytes);
    llmc_compressed_release(&sample);
    unlink(damaged);
}

static void expect_not_written(const struct llmc_compressed *content, const char *word)
{
    unlink(damaged);
    assert_int_equal(llmc_compressed_write(damaged, content), LLMC_ERR_FORMAT);
    if (!strstr(llmc_error_message(), word))
        fail_msg("\"%s\" is not in: %s", word, llmc_error_message());
    assert_false(llmc_file_exists(damaged));
}

static void test_writer_refuses_broken_contents(void **state)
{
    (void)state;
    struct llmc_compressed sample = make_sample();
    struct llmc_compressed_tensor *query = &sample.tensors[5];
    float *vector = sample.tensors[4].data;
    assert_string_equal(query->name, "bert.encoder.layer.0.attention.self.query.weight");
#define BREAK(place, value, word)                                                                             \
    do {                                                                                                      \
        __typeof__(place) kept = place;                                                                       \
        place = value;                                                                                        \
        expect_not_written(&sample, word);                                                                    \
        place = kept;                                                                                         \
    } while (0)
    BREAK(query->scales[3], NAN, "scale 3");
    BREAK(query->scales[0], -1.0f, "scale 0");
    BREAK(query->bits, 9, "bits");
    BREAK(((int8_t *)query->data)[1], -128, "integers");
    BREAK(query->rows, 11, "[11, 10]");
    BREAK(query->input_zero_point, 300, "zero_point");
    BREAK(query->input_scale, INFINITY, "scale");
    BREAK(query->input_scale, 1e-39f, "inverse");
    BREAK(query->input_zero_point, 5, "share");
    BREAK(query->has_input, false, "share");
    BREAK(sample.tensors[4].has_input, true, "only linear");
    BREAK(vector[2], NAN, "value 2");
    BREAK(sample.tensor_count, sample.tensor_count - 1, "missing");
    BREAK(sample.tokens_max, 13, "tokens_max");
    BREAK(sample.architecture.layer[0].heads, 3, "[10, 10] instead of [15, 10]");
    BREAK(sample.architecture.layer[1].ffn, 0, "layer 1: ffn is 0");
    BREAK(sample.architecture.head_width, 4, "instead of [8, 10]");
    BREAK(sample.vocabulary_nbytes, sample.vocabulary_nbytes - 1, "vocabulary");
    BREAK(sample.labels[1][0], '\0', "label 1");
#undef BREAK
    assert_int_equal(llmc_compressed_write(path, &sample), LLMC_OK);
    llmc_compressed_release(&sample);
}

/* The projection of factored words has no input of its own: it goes by theirs. */
static void test_projection_without_input(void **state)
{
    (void)state;
    struct llmc_compressed sample = make_sample_of((const struct llmc_layer_shape[]){{2, 7}, {2, 7}}, 4);
    struct llmc_compressed_tensor *projection =
        &sample.tensors[llmc_head_parameter(&sample.architecture, LLMC_WORD_PROJECTION)];
    free(projection->data);
    projection->number = LLMC_I8;
    projection->bits = 8;
    projection->data = make((size_t)(projection->rows * projection->cols), 1);
    projection->scales = make((size_t)projection->rows, sizeof(float));
    for (int64_t row = 0; row < projection->rows; row++)
        projection->scales[row] = 1;
    check_round_trip(sample);
    sample = make_sample_of((const struct llmc_layer_shape[]){{2, 7}, {2, 7}}, 4);
    projection = &sample.tensors[llmc_head_parameter(&sample.architecture, LLMC_WORD_PROJECTION)];
    projection->has_input = true;
    projection->input_scale = 1;
    expect_not_written(&sample, "only linear layers of encoder and pooler");
    llmc_compressed_release(&sample);
}

static void test_missing_files(void **state)
{
    (void)state;
    struct llmc_compressed content;
    assert_int_equal(llmc_compressed_read("/nonexistent/model.llmc", &content), LLMC_ERR_IO);
    assert_int_equal(llmc_compressed_read("/tmp", &content), LLMC_ERR_IO);
    struct llmc_compressed sample = make_sample();
    assert_int_equal(llmc_compressed_write("/nonexistent/model.llmc", &sample), LLMC_ERR_IO);
    llmc_compressed_release(&sample);
    llmc_compressed_release(&sample);
    llmc_compressed_release(NULL);
}

static int remove_files(void **state)
{
    (void)state;
    unlink(path);
    unlink(damaged);
    return 0;
}

int main(int argc, char **argv)
{
    snprintf(path, sizeof path, "/tmp/llmc_test_compressed_%ld.llmc", (long)getpid());
    snprintf(damaged, sizeof damaged, "/tmp/llmc_test_compressed_%ld_damaged.llmc", (long)getpid());
    if (argc == 3) {
        struct llmc_compressed sample = strcmp(argv[1], "write") == 0 ? make_sample() : make_layered_sample();
        llmc_status status = llmc_compressed_write(argv[2], &sample);
        llmc_compressed_release(&sample);
        return llmc_status_exit(status);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_structure_is_small),
        cmocka_unit_test(test_same_content_same_bytes),
        cmocka_unit_test(test_damage_is_refused),
        cmocka_unit_test(test_writer_refuses_broken_contents),
        cmocka_unit_test(test_projection_without_input),
        cmocka_unit_test(test_missing_files),
    };
    return cmocka_run_group_tests(tests, NULL, remove_files);
}
