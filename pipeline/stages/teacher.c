/* The stage teacher: fine-tunes the BERT of the teacher's folder on the labels. */
#include "formats/huggingface/model.h"
#include "pipeline/stages/table.h"
#include "stage/measure.h"
#include "stage/training.h"

struct settings {
    struct llmc_train_settings train;
};

static const struct llmc_config_key keys[] = {LLMC_TRAIN_KEYS(struct settings, train, "3", "3e-5", "0.1")};

/* The model in the folder. A pooler or classifier that it lacks, or is not to be used, starts at random. */
static llmc_status load_folder(const struct llmc_stage_work *work, struct llmc_state *state)
{
    llmc_status status = LLMC_OK;
    const struct llmc_data *data = work->data;
    struct llmc_hf_folder folder = {0};
    struct llmc_architecture architecture;
    LLMC_TRY(llmc_hf_folder_open(&folder, data->teacher_folder));
    folder.has_classifier = data->teacher_answers;
    architecture = folder.architecture;
    architecture.labels = data->labels.count;
    LLMC_TRY(llmc_bert_init(&state->model, &architecture, LLMC_F32));
    LLMC_TRY(llmc_hf_parameters_read(&state->model.parameters, &folder, work->config->seed));
    LLMC_TRY(llmc_state_set_texts(state, data->tokenizer, &data->labels, work->config->data.tokens_max));
exit:
    llmc_hf_folder_release(&folder);
    return status;
}

static llmc_status run(struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    const struct settings *settings = work->stage->settings;
    struct llmc_state *state = &work->chain->state;
    bool first = !work->chain->teacher_path;
    llmc_state_release(state);
    if (first)
        LLMC_TRY(load_folder(work, state));
    else /* a second teacher stage goes on with the first one's teacher */
        LLMC_TRY(llmc_stage_load_teacher(work, LLMC_F32, state));
    if (first && work->data->teacher_answers && work->config->teacher.head == LLMC_HEAD_KEEP) {
        llmc_stage_message(work, "%s has a classifier already, nothing to train", work->data->teacher_folder);
        LLMC_TRY(llmc_state_save(work->product_path, state, work->fingerprint, NULL, NULL));
    } else {
        const struct llmc_text_source labelled = llmc_dataset_source(&work->data->train);
        struct llmc_train_stage train = {.work = work, .texts = &labelled, .settings = &settings->train,
                                         .loss = &llmc_train_stage_cross_entropy};
        LLMC_TRY(llmc_train_stage_run(&train));
    }
exit:
    return status;
}

static llmc_status adopt(struct llmc_stage_work *work)
{
    llmc_status status = llmc_stage_replace_text(&work->chain->teacher_path, work->product_path);
    work->chain->is_student = false;
    return status == LLMC_OK ? llmc_stage_adopt_model(work) : status;
}

const struct llmc_stage_type llmc_run_teacher_stage = {
    .kind = {.name = "teacher", .does = "fine-tunes the BERT on the labels",
             .keys = keys, .key_count = sizeof keys / sizeof keys[0], .settings_nbytes = sizeof(struct settings),
             .ends = LLMC_THING_LOGITS, .refuses = LLMC_THING_STUDENT},
    .product = "model.h5",
    .suffix = ".h5",
    .makes_model = true,
    .engine = "libtorch",
    .run = run,
    .adopt = adopt,
    .measure = llmc_stage_measure_model,
};

static llmc_status start(struct llmc_stage_work *work)
{
    struct llmc_state *state = &work->chain->state;
    llmc_state_release(state);
    llmc_status status = load_folder(work, state);
    return status == LLMC_OK ? llmc_state_save(work->product_path, state, work->fingerprint, NULL, NULL) : status;
}

const struct llmc_stage_type llmc_run_start_stage = {
    .kind = {.name = "start", .does = "takes the BERT as it is for the student to start from"},
    .product = "model.h5",
    .suffix = ".h5",
    .makes_model = true,
    .run = start,
    .adopt = adopt,
};
