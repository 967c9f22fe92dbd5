/*
 * Training and runtime in one program: both modules are linked, a model is opened by the runtime and its parameters
 * are taken into a model of training, which simulates the same integers. The logits must agree, for equal layers and
 * for layers and bits that differ.
 */
#include "tests/base/test_support.h"

#include "formats/checkpoint/compressed.h"
#include "include/llmc_runtime.h"
#include "model/bert.h"
#include "tests/runtime/sample_model.h"

#include <math.h>

enum { VOCABULARY = 300, HIDDEN = 32, LAYERS = 2, LABELS = 2, TOKENS_MAX = 32, TEXTS = 6 };

/* FP32 sums in another order; none of these texts has an input on the boundary between two integers. */
#define TOLERANCE 1e-5

static const char *const texts[TEXTS] = {"", "w1", "w2 w3 w4", "w290 w17 w17 nothing", "w5 w6 w7 w8 w9 w10 w11 w12",
                                         "w100 w101 w102 w103 w104 w105 w106 w107 w108 w109 w110 w111 w112 w113"};

/* Training finds a row's scale by its largest number: an integer at the limit makes it the file's. */
static void reach_limits(struct llmc_compressed *content)
{
    for (int32_t i = 0; i < content->tensor_count; i++) {
        struct llmc_compressed_tensor *tensor = &content->tensors[i];
        for (int64_t row = 0; tensor->number == LLMC_I8 && row < tensor->rows; row++)
            ((int8_t *)tensor->data)[row * tensor->cols + row % tensor->cols] = (int8_t)llmc_integer_limit(tensor->bits);
    }
}

static int make_files(void **state)
{
    struct llmc_compressed content;
    make_test_folder(state);
    assert_ok(sample_model_make(&content, VOCABULARY, HIDDEN, LAYERS));
    reach_limits(&content);
    assert_ok(llmc_compressed_write(test_path("even.llmc"), &content));
    llmc_compressed_release(&content);
    assert_ok(sample_model_make_layered(&content, VOCABULARY, HIDDEN));
    reach_limits(&content);
    assert_ok(llmc_compressed_write(test_path("layered.llmc"), &content));
    llmc_compressed_release(&content);
    return 0;
}

static void by_runtime(const struct llmc_model *model, float *logits)
{
    struct llmc_predictor *predictor;
    assert_ok(llmc_predictor_create(&predictor, model, 2));
    assert_ok(llmc_predict_logits(predictor, texts, NULL, TEXTS, logits));
    llmc_predictor_free(predictor);
}

/* The checkpoint's numbers, their bits and the quantisers of their inputs. */
static void take(struct llmc_bert *bert, struct llmc_quantizer *inputs, const struct llmc_compressed *content)
{
    for (int32_t i = 0; i < content->tensor_count; i++) {
        const struct llmc_compressed_tensor *tensor = &content->tensors[i];
        int32_t site = llmc_site_of_parameter(&content->architecture, i);
        float *values = llmc_parameter_values(&bert->parameters, i);
        if (llmc_parameter_takes_bits(bert->parameters.table[i].kind))
            bert->parameters.table[i].bits = tensor->bits;
        for (int64_t row = 0; row < tensor->rows; row++)
            llmc_tensor_row(tensor, row, values + row * tensor->cols);
        if (tensor->has_input && site >= 0)
            inputs[site] = (struct llmc_quantizer){tensor->input_scale, 1.0f / tensor->input_scale,
                                                   (float)tensor->input_zero_point};
    }
    bert->inputs = inputs;
}

static void by_training(const struct llmc_model *model, const struct llmc_compressed *content, float *logits)
{
    struct llmc_ops ops;
    struct llmc_bert bert;
    struct llmc_activations activations = {0};
    struct llmc_quantizer inputs[LAYERS * LLMC_LAYER_SITES + 1];
    int32_t ids[TEXTS * TOKENS_MAX], offsets[TEXTS + 1] = {0};
    uint8_t types[TEXTS * TOKENS_MAX];
    for (int i = 0; i < TEXTS; i++) {
        int32_t count;
        assert_ok(llmc_tokenize(model, texts[i], NULL, ids + offsets[i], types + offsets[i], &count));
        offsets[i + 1] = offsets[i] + count;
    }
    struct llmc_pass pass = {.batch = {TEXTS, offsets[TEXTS], ids, types, offsets}};
    assert_ok(llmc_ops_init(&ops, 2));
    assert_ok(llmc_bert_init(&bert, &content->architecture, LLMC_F32));
    take(&bert, inputs, content);
    assert_ok(llmc_bert_prepare(&bert, &ops));
    assert_ok(llmc_bert_forward(&bert, &ops, &pass, &activations, logits));
    llmc_activations_release(&activations);
    llmc_bert_release(&bert);
    llmc_ops_release(&ops);
}

static void check_logits(const char *path)
{
    struct llmc_model *model;
    struct llmc_compressed content;
    float runtime[TEXTS * LABELS], training[TEXTS * LABELS];
    assert_ok(llmc_model_open(&model, path));
    assert_ok(llmc_compressed_read(path, &content));
    by_runtime(model, runtime);
    by_training(model, &content, training);
    for (int i = 0; i < TEXTS * LABELS; i++)
        if (!(fabsf(runtime[i] - training[i]) <= (float)TOLERANCE))
            fail_msg("logit %d of text %d: the runtime has %.9g, training %.9g", i % LABELS, i / LABELS,
                     (double)runtime[i], (double)training[i]);
    assert_true(fabsf(runtime[0] - runtime[LABELS]) > 100 * (float)TOLERANCE); /* texts differ by more */
    llmc_compressed_release(&content);
    llmc_model_free(model);
}

static void test_logits_agree(void **state)
{
    (void)state;
    check_logits(test_path("even.llmc"));
}

static void test_logits_of_layers_agree(void **state)
{
    (void)state;
    check_logits(test_path("layered.llmc"));
}

/* A message of either side is the one message of the thread. */
static void test_one_status(void **state)
{
    (void)state;
    struct llmc_model *model;
    struct llmc_compressed content = {0};
    assert_fails(llmc_model_open(&model, "/nonexistent/a"), LLMC_ERR_IO, "/nonexistent/a");
    assert_fails(llmc_compressed_read("/nonexistent/b", &content), LLMC_ERR_IO, "/nonexistent/b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_logits_agree),
                                       cmocka_unit_test(test_logits_of_layers_agree), cmocka_unit_test(test_one_status)};
    return cmocka_run_group_tests(tests, make_files, remove_test_folder);
}
