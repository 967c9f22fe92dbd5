#include "distill/stage.h"

#include "base/memory.h"
#include "base/random.h"
#include "distill/against_teacher.h"
#include "distill/factor.h"
#include "distill/init.h"
#include "distill/student.h"
#include "stage/measure.h"

#include <stdlib.h>
#include <string.h>

/* A narrower student's start is measured on so many batches of so many texts. */
enum { PROJECTED_TEXTS = 32, PROJECTED_BATCHES = 16 };

struct settings {
    struct llmc_train_settings train;
    struct llmc_distill_settings distill;
};

static const struct llmc_config_key keys[] = {
    LLMC_TRAIN_KEYS(struct settings, train, "3", "1e-4", "0")
    LLMC_DISTILL_KEYS(struct settings, distill)
};

static llmc_status prepare(const struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    const struct settings *settings = work->stage->settings;
    struct llmc_architecture student, teacher = work->data->teacher;
    const struct llmc_student_shape shape = llmc_student_shape_of(work->config);
    teacher.labels = work->data->labels.count;
    LLMC_TRY(llmc_student_architecture(&student, &teacher, &shape));
    if (work->config->student.embedding_rank > student.hidden)
        LLMC_FAIL(LLMC_ERR_CONFIG, "student.embedding_rank is %d; allowed are 0 to the student's width, %d",
                  work->config->student.embedding_rank, student.hidden);
    LLMC_TRY(llmc_distill_check(work, &settings->distill));
    if (work->config->student.init[0])
        LLMC_TRY(llmc_init_check(work->config, work->run_folder, work->data->tokenizer, &work->data->labels, &student));
exit:
    return status;
}

/* Where the student starts is named by path: its content counts. */
static llmc_status identify(const struct llmc_stage_work *work, struct llmc_hash *hash)
{
    return work->config->student.init[0] ? llmc_hash_file(hash, work->config->student.init) : LLMC_OK;
}

/* The student with its word embedding in factors, where the configuration asks for them. */
static llmc_status factor_words(const struct llmc_stage_work *work, struct llmc_parameters *student)
{
    llmc_status status = LLMC_OK;
    struct llmc_parameters factored = {0};
    int64_t *counts = NULL;
    if (work->config->student.embedding_rank == 0)
        return LLMC_OK;
    LLMC_TRY(llmc_alloc(&counts, (size_t)student->architecture.vocabulary, sizeof *counts));
    llmc_student_count_words(&work->data->train, student->architecture.vocabulary, counts);
    LLMC_TRY(llmc_student_factor_words(&factored, student, work->config->student.embedding_rank, counts));
    llmc_parameters_release(student);
    *student = factored;
exit:
    free(counts);
    return status;
}

static llmc_status begin(struct llmc_train_stage *train)
{
    struct llmc_stage_work *work = train->work;
    struct llmc_state *state = &work->chain->state;
    llmc_status status = LLMC_OK;
    struct llmc_state teacher = {0};
    struct llmc_parameters student = {0};
    const struct llmc_student_shape shape = llmc_student_shape_of(work->config);
    const struct llmc_projected_start projected = {work->ops, &work->chain->texts, work->config->seed, PROJECTED_TEXTS,
                                                   PROJECTED_BATCHES};
    if (work->chain->is_student)
        return LLMC_OK; /* a second distillation goes on with the student */
    LLMC_TRY(llmc_stage_load_teacher(work, LLMC_F32, &teacher));
    LLMC_TRY(llmc_student_init(&student, &teacher.model.parameters, &shape,
                               llmc_random_key(work->config->seed, LLMC_STREAM_STUDENT, 0), &projected));
    if (work->config->student.init[0])
        LLMC_TRY(llmc_init_load(work->config, teacher.tokenizer, &teacher.labels, &student));
    LLMC_TRY(factor_words(work, &student));
    llmc_state_release(state);
    LLMC_TRY(llmc_bert_init(&state->model, &student.architecture, llmc_stage_number(work)));
    memcpy(state->model.parameters.values, student.values, (size_t)student.total * sizeof *student.values);
    LLMC_TRY(llmc_state_set_texts(state, teacher.tokenizer, &teacher.labels, work->config->data.tokens_max));
exit:
    llmc_parameters_release(&student);
    llmc_state_release(&teacher);
    return status;
}

static llmc_status run(struct llmc_stage_work *work)
{
    const struct settings *settings = work->stage->settings;
    struct llmc_train_stage train = {.work = work, .settings = &settings->train, .loss = &llmc_distill_loss,
                                     .loss_settings = &settings->distill, .begin = begin};
    return llmc_train_stage_run(&train);
}

const struct llmc_stage_type llmc_distill_stage = {
    .kind = {.name = "distill", .does = "trains a smaller student against the teacher's logits",
             .keys = keys, .key_count = sizeof keys / sizeof keys[0], .settings_nbytes = sizeof(struct settings),
             .needs = LLMC_THING_LOGITS, .makes = LLMC_THING_STUDENT, .ends = LLMC_THING_FILE, .starts_student = true},
    .product = "model.h5",
    .suffix = ".h5",
    .works_on_model = true,
    .makes_model = true,
    .engine = "libtorch",
    .prepare = prepare,
    .identify = identify,
    .run = run,
    .adopt = llmc_stage_adopt_model,
    .measure = llmc_stage_measure_model,
};
