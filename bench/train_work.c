#include "bench/train_work.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "distill/loss.h"
#include "distill/student.h"
#include "formats/huggingface/folder.h"
#include "formats/huggingface/model.h"
#include "quantize/calibrate.h"
#include "architecture/task.h"

#include <stdlib.h>
#include <string.h>

/* As in experiments/results/sst2, but a constant learning rate. */
#define LEARNING_RATE 1e-4
#define WEIGHT_DECAY 0.01f
#define CLIP_NORM 1.0f
enum { WEIGHT_BITS = 8, EMBEDDING_BITS = 6 };
#define TARGET_LOGIT 2.0f
enum { CALIBRATION_BATCHES = 32, TOKENS_MAX = 512, LABELS_MAX = 64 };

const char *llmc_bench_kind_name(enum llmc_bench_kind kind)
{
    static const char *const names[] = {"finetune", "logits", "distil", "qat"};
    return names[kind];
}

static bool has_student(enum llmc_bench_kind kind)
{
    return kind == LLMC_BENCH_DISTIL || kind == LLMC_BENCH_QAT;
}

static llmc_status loss(void *context, const struct llmc_loss_input *in, double *out, float *dlogits)
{
    const struct llmc_bench_work *work = context;
    int32_t sequences = in->batch->sequences, labels = in->labels;
    double scratch[2 * LABELS_MAX];
    if (!has_student(work->options.kind)) {
        *out = in->task->loss(in->logits, in->batch->label, sequences, labels, 1.0, in->scale, dlogits, scratch);
        return LLMC_OK;
    }
    float *teacher;
    llmc_status status = llmc_alloc(&teacher, (size_t)sequences * (size_t)labels, sizeof *teacher);
    if (status != LLMC_OK)
        return status;
    for (int32_t s = 0; s < sequences; s++)
        for (int32_t i = 0; i < labels; i++)
            teacher[s * labels + i] = i == in->batch->label[s] ? TARGET_LOGIT : -TARGET_LOGIT;
    *out = llmc_distill_mse(in->logits, teacher, sequences, labels, 1.0, in->scale, dlogits);
    free(teacher);
    return LLMC_OK;
}

static llmc_status learn_ranges(void *context, const struct llmc_gradients *gradients, double scale,
                                double learning_rate)
{
    struct llmc_bench_work *work = context;
    llmc_calibrate_learn(&work->ranges, gradients->dscales, scale, LLMC_RANGE_RATE * learning_rate);
    return LLMC_OK;
}

static llmc_status read_texts(struct llmc_bench_work *work)
{
    llmc_status status = LLMC_OK;
    const struct llmc_columns columns = {.text = "sentence", .label = "label"};
    struct llmc_rows rows = {0};
    struct llmc_labels labels = {0};
    struct llmc_tokenizer *tokenizer = NULL;
    LLMC_TRY(llmc_tokenizer_load(&tokenizer, work->options.model_folder));
    LLMC_TRY(llmc_rows_read(&rows, work->options.texts, &columns, &labels));
    if (labels.count < 2 || labels.count > LABELS_MAX)
        LLMC_FAIL(LLMC_ERR_DATA, "%s: has %d different labels; 2 to %d are allowed", work->options.texts, labels.count,
                  LABELS_MAX);
    work->labels = labels.count;
    LLMC_TRY(llmc_dataset_encode(&work->data, &rows, tokenizer, TOKENS_MAX));
    work->texts = llmc_dataset_source(&work->data);
exit:
    llmc_rows_release(&rows);
    llmc_labels_release(&labels);
    llmc_tokenizer_free(tokenizer);
    return status;
}

/* A folder that is half as deep as MiniLM has a student already. */
static llmc_status make_student(struct llmc_bench_work *work)
{
    llmc_status status = LLMC_OK;
    struct llmc_architecture teacher = work->model.parameters.architecture;
    struct llmc_parameters student = {0};
    int32_t from[256];
    if (teacher.layers <= 3)
        return LLMC_OK;
    struct llmc_student_shape shape = {.layers = teacher.layers / 2, .positions = teacher.positions, .from_layers = from};
    for (int32_t i = 0; i < shape.layers && i < 256; i++)
        from[i] = 2 * i + 1;
    LLMC_TRY(llmc_student_init(&student, &work->model.parameters, &shape,
                               llmc_random_key(work->options.seed, LLMC_STREAM_STUDENT, 0), NULL));
    llmc_bert_release(&work->model);
    LLMC_TRY(llmc_bert_init(&work->model, &student.architecture, work->options.number));
    memcpy(work->model.parameters.values, student.values, (size_t)student.total * sizeof *student.values);
exit:
    llmc_parameters_release(&student);
    return status;
}

/* Rounds as the qat stage does. */
static llmc_status begin_qat(struct llmc_bench_work *work)
{
    struct llmc_bert *model = &work->model;
    const struct llmc_calibration calibration = {&work->texts, work->options.seed, work->options.batch_size,
                                                 CALIBRATION_BATCHES};
    llmc_parameters_set_bits(&model->parameters, WEIGHT_BITS, EMBEDDING_BITS);
    llmc_status status = llmc_calibrate(model, &work->ops, &calibration, &work->ranges);
    if (status != LLMC_OK)
        return status;
    model->inputs = work->ranges.quantizers;
    work->ranges.step = 0;
    work->training.after_step = learn_ranges;
    return LLMC_OK;
}

llmc_status llmc_bench_work_init(struct llmc_bench_work *work, const struct llmc_bench_options *options)
{
    llmc_status status = LLMC_OK;
    struct llmc_hf_folder folder = {0};
    struct llmc_architecture architecture;
    memset(work, 0, sizeof *work);
    work->options = *options;
    LLMC_TRY(llmc_ops_init(&work->ops, options->threads));
    LLMC_TRY(read_texts(work));
    LLMC_TRY(llmc_hf_folder_open(&folder, options->model_folder));
    architecture = folder.architecture;
    architecture.labels = work->labels;
    LLMC_TRY(llmc_bert_init(&work->model, &architecture, options->number));
    LLMC_TRY(llmc_hf_parameters_read(&work->model.parameters, &folder, options->seed));
    if (has_student(options->kind))
        LLMC_TRY(make_student(work));
    if (work->data.tokens_max > work->model.parameters.architecture.positions)
        LLMC_FAIL(LLMC_ERR_DATA, "%s: a text has %d tokens, the model takes %d", options->texts, work->data.tokens_max,
                  work->model.parameters.architecture.positions);
    if (options->kind == LLMC_BENCH_QAT)
        LLMC_TRY(begin_qat(work));
    LLMC_TRY(llmc_bert_prepare(&work->model, &work->ops));
    work->training.model = &work->model;
    work->training.ops = &work->ops;
    work->training.texts = &work->texts;
    work->training.seed = options->seed;
    work->training.batch_size = options->batch_size;
    work->training.dropout = options->dropout;
    work->training.context = work;
    work->training.loss = loss;
    if (options->kind != LLMC_BENCH_LOGITS)
        LLMC_TRY(llmc_optimizer_init(&work->training.optimizer, &work->model.parameters, WEIGHT_DECAY, CLIP_NORM,
                                     options->number == LLMC_F16));
    LLMC_TRY(llmc_step_memory_init(&work->memory, &work->training));
exit:
    llmc_hf_folder_release(&folder);
    if (status != LLMC_OK)
        llmc_bench_work_release(work);
    return status;
}

void llmc_bench_work_release(struct llmc_bench_work *work)
{
    llmc_step_memory_release(&work->memory);
    llmc_optimizer_release(&work->training.optimizer);
    llmc_ranges_release(&work->ranges);
    llmc_bert_release(&work->model);
    llmc_dataset_release(&work->data);
    llmc_ops_release(&work->ops);
    memset(work, 0, sizeof *work);
}

int64_t llmc_bench_steps(const struct llmc_bench_work *work)
{
    return ((int64_t)work->data.count + work->options.batch_size - 1) / work->options.batch_size;
}

/* Reads gradient, weight and two moments and writes the last three, 28 bytes a number; once more the gradient for
 * its norm; and the compute copies: the weight read again, 2 or 4 bytes written. The word embedding's rows that a
 * batch leaves alone cost nothing; the few that it touches are not counted. */
static double optimizer_bytes(const struct llmc_bench_work *work)
{
    const struct llmc_parameters *p = &work->model.parameters;
    double dense = (double)(p->total - p->dense_begin);
    return dense * (28 + 4 + 4 + (work->options.number == LLMC_BF16 ? 2 : 4));
}

static llmc_status one_batch(struct llmc_bench_work *work, const int64_t *rows, int32_t count, double *out_loss)
{
    llmc_status status = LLMC_OK;
    struct llmc_step_memory *memory = &work->memory;
    struct llmc_step_metrics metrics = {.learning_rate = LEARNING_RATE};
    if (work->options.kind == LLMC_BENCH_LOGITS) {
        double start = llmc_clock();
        LLMC_TRY(llmc_batch_gather(&memory->batch, &work->texts, rows, count));
        memory->times.data += llmc_clock() - start;
        struct llmc_pass pass = {.batch = llmc_step_tokens(&memory->batch)};
        LLMC_TRY(llmc_bert_forward(&work->model, &work->ops, &pass, &memory->activations, memory->logits));
    } else {
        LLMC_TRY(llmc_step_run(&work->training, memory, rows, count, &metrics));
        work->training.step++;
    }
    *out_loss = metrics.loss;
exit:
    return status;
}

llmc_status llmc_bench_run(struct llmc_bench_work *work, struct llmc_bench_pass *pass, double *losses)
{
    llmc_status status = LLMC_OK;
    int64_t *rows = NULL, count = (int64_t)work->data.count;
    struct llmc_gemm *gemm = &work->ops.gemm;
    memset(pass, 0, sizeof *pass);
    memset(&work->memory.times, 0, sizeof work->memory.times);
    gemm->seconds = gemm->flops = work->ops.attention_seconds = 0;
    LLMC_TRY(llmc_alloc(&rows, (size_t)count, sizeof *rows));
    for (int64_t i = 0; i < count; i++)
        rows[i] = i;
    double start = llmc_clock();
    for (int64_t first = 0; first < count; first += work->options.batch_size) {
        int64_t left = count - first;
        double step_loss;
        LLMC_TRY(one_batch(work, rows + first,
                           (int32_t)(left < work->options.batch_size ? left : work->options.batch_size), &step_loss));
        if (losses)
            losses[pass->steps] = step_loss;
        pass->steps++;
        pass->tokens += work->memory.batch.tokens;
    }
    pass->seconds = llmc_clock() - start;
    pass->examples = count;
    pass->gemm_seconds = gemm->seconds;
    pass->gemm_flops = gemm->flops;
    pass->attention_seconds = work->ops.attention_seconds;
    pass->optimizer_seconds = work->memory.times.optimizer;
    pass->data_seconds = work->memory.times.data;
    if (work->options.kind != LLMC_BENCH_LOGITS)
        pass->optimizer_bytes = (double)pass->steps * optimizer_bytes(work);
exit:
    free(rows);
    return status;
}
