#include "pipeline/run.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "distill/stage.h"
#include "pipeline/folder.h"
#include "pipeline/record.h"
#include "pipeline/stages/table.h"
#include "pipeline/teachers.h"
#include "stage/training.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* To be raised when training gives other numbers, or checkpoints under way hold other things, than before: what older
 * builds made does not fit then. */
#define RESULTS_VERSION "5"

struct run {
    const struct llmc_config *config;
    const struct llmc_run_host *host;
    struct llmc_ops ops;
    struct llmc_run_folder folder;
    struct llmc_report report;
    struct llmc_data data;
    struct llmc_chain chain;
    char fingerprint[LLMC_HASH_TEXT_NBYTES]; /* up to and with the current stage */
    char owner[96];                          /* "run sst2", for those who wait */
    struct llmc_stage_config given_teacher;  /* "00-teacher": measures the teacher of a run without a teacher stage */
};

static void run_release(struct run *run)
{
    llmc_run_folder_release(&run->folder);
    llmc_ops_release(&run->ops);
    llmc_report_release(&run->report);
    llmc_data_release(&run->data);
    llmc_chain_release(&run->chain);
}

static void tell(struct run *run, const char *text)
{
    llmc_stage_log(run->folder.log, run->host, text);
}

static llmc_status open_data(struct run *run)
{
    llmc_status status = LLMC_OK;
    char text[256];
    LLMC_TRY(llmc_data_open(&run->data, run->config, run->folder.path));
    LLMC_TRY(llmc_chain_begin_texts(&run->chain, &run->data));
    snprintf(text, sizeof text, "data: %zu training texts, %lld without labels, %lld dev texts, %d labels, %.1f tokens a dev text",
             run->data.train.count, (long long)run->chain.texts.count - (long long)run->data.train.count,
             (long long)run->data.dev_count, run->data.labels.count, run->data.dev_lengths.tokens);
    tell(run, text);
    LLMC_TRY(llmc_run_folder_write_labels(&run->folder, &run->data.labels));
exit:
    return status;
}

static llmc_status open_report(struct run *run)
{
    llmc_status status = LLMC_OK;
    char version[16];
    llmc_torch_version(version);
    LLMC_TRY(llmc_report_init(&run->report, run->config->name, version));
    LLMC_TRY(llmc_format(&run->report.data, "%s, %lld texts", run->config->data.dev, (long long)run->data.dev_count));
    run->report.seed = run->config->seed;
    run->report.threads = run->ops.threads;
    snprintf(run->report.precision, sizeof run->report.precision, "%s",
             llmc_config_precision_name(run->config->precision));
exit:
    return status;
}

/* ---- fingerprints ---- */

static int is_model_file(const struct dirent *entry)
{
    static const char *const ends[] = {".safetensors", ".json", ".txt"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot && strcmp(dot, ends[i]) == 0)
            return 1;
    }
    return 0;
}

/* The files that a Hugging Face folder may keep weights, tokenizer and settings in. */
static llmc_status hash_teacher(struct run *run, struct llmc_hash *hash)
{
    llmc_status status = LLMC_OK;
    const char *folder = run->data.teacher_folder;
    struct dirent **files = NULL;
    int count = scandir(folder, &files, is_model_file, alphasort);
    if (count < 0)
        return llmc_error(LLMC_ERR_IO, "%s: cannot open: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        char *path;
        if (status == LLMC_OK && (status = llmc_path_join(&path, folder, files[i]->d_name)) == LLMC_OK) {
            llmc_hash_text(hash, files[i]->d_name);
            status = llmc_hash_file(hash, path);
            free(path);
        }
        free(files[i]);
    }
    free(files);
    return status;
}

/* The fingerprint before any stage: all inputs, and the settings that all stages share. */
static llmc_status hash_inputs(struct run *run)
{
    llmc_status status = LLMC_OK;
    struct llmc_hash hash = {0};
    char *yaml = NULL;
    LLMC_TRY(llmc_config_write_common(run->config, &yaml));
    LLMC_TRY(llmc_hash_init(&hash));
    llmc_hash_text(&hash, "llmc " LLMC_VERSION ", results " RESULTS_VERSION);
    llmc_hash_text(&hash, yaml);
    llmc_hash_update(&hash, &run->ops.threads, sizeof run->ops.threads);
    LLMC_TRY(llmc_hash_file(&hash, run->data.train_path));
    LLMC_TRY(llmc_hash_file(&hash, run->data.dev_path));
    LLMC_TRY(hash_teacher(run, &hash));
    llmc_hash_finish(&hash, run->fingerprint);
exit:
    free(yaml);
    llmc_hash_release(&hash);
    return status;
}

/* Continues the fingerprint with one stage. */
static llmc_status hash_stage(struct run *run, const struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    struct llmc_hash hash = {0};
    char *yaml = NULL;
    LLMC_TRY(llmc_config_write_stage(run->config, work->stage, &yaml));
    LLMC_TRY(llmc_hash_init(&hash));
    llmc_hash_text(&hash, run->fingerprint);
    llmc_hash_text(&hash, yaml);
    if (work->type->identify)
        LLMC_TRY(work->type->identify(work, &hash));
    llmc_hash_finish(&hash, run->fingerprint);
exit:
    free(yaml);
    llmc_hash_release(&hash);
    return status;
}

/* Continues it with the content of a stage's product: what follows depends on the very numbers that the stage made. */
static llmc_status hash_product(struct run *run, const char *product)
{
    struct llmc_hash hash;
    llmc_status status = llmc_hash_init(&hash);
    if (status != LLMC_OK)
        return status;
    llmc_hash_text(&hash, run->fingerprint);
    llmc_hash_text(&hash, product);
    llmc_hash_finish(&hash, run->fingerprint);
    return LLMC_OK;
}

/* ---- one stage ---- */

static struct llmc_stage_work begin_work(struct run *run, const struct llmc_stage_config *stage)
{
    return (struct llmc_stage_work){
        .type = llmc_run_stage_type(stage->kind),
        .config = run->config,
        .stage = stage,
        .host = run->host,
        .ops = &run->ops,
        .data = &run->data,
        .chain = &run->chain,
        .log = run->folder.log,
        .run_folder = run->folder.path,
        .config_path = run->folder.config_path,
        .fingerprint = run->fingerprint,
    };
}

/* The stage is finished: its product goes into the chain and the run folder, its row into the report. */
static llmc_status take_over(struct run *run, struct llmc_stage_work *work, struct llmc_run_record *record)
{
    llmc_status status = LLMC_OK;
    char *path = NULL;
    LLMC_TRY(llmc_run_folder_link(&run->folder, work));
    LLMC_TRY(llmc_format(&path, "%s/%s.json", run->folder.path, work->stage->name));
    LLMC_TRY(llmc_run_record_write(work, record, path));
    if (work->type->makes_model) {
        LLMC_TRY(hash_product(run, record->product));
        if (work->type == &llmc_run_teacher_stage) {
            free(run->chain.teacher_answers);
            run->chain.teacher_answers = record->answers;
            record->answers = NULL;
            free(run->chain.teacher_probabilities);
            run->chain.teacher_probabilities = record->probabilities;
            record->probabilities = NULL;
        }
    }
    LLMC_TRY(llmc_report_put(&run->report, &record->row));
    LLMC_TRY(llmc_report_write(&run->report, run->folder.report_path));
exit:
    free(path);
    return status;
}

/* Makes and measures the stage's product. */
static llmc_status make(struct llmc_stage_work *work, struct llmc_run_record *record)
{
    llmc_status status = LLMC_OK;
    char *path = NULL, *part = NULL;
    double start = llmc_clock();
    llmc_stage_message(work, "starts");
    LLMC_TRY(llmc_stage_path(work, LLMC_STORE_RECORD, &path));
    LLMC_TRY(llmc_stage_path(work, LLMC_PART_FILE, &part));
    if (work->type->works_on_model)
        LLMC_TRY(llmc_stage_load_model(work));
    LLMC_TRY(work->type->run(work));
    double seconds = work->seconds > 0 ? work->seconds : llmc_clock() - start;
    if (work->type->adopt)
        LLMC_TRY(work->type->adopt(work));
    LLMC_TRY(llmc_run_record_make(work, seconds, record));
    LLMC_TRY(llmc_run_record_write(work, record, path));
    llmc_file_remove(part);
    llmc_run_record_tell(work, record);
exit:
    free(path);
    free(part);
    return status;
}

/* Takes what an earlier run or an earlier start of this one has made; *found is false where it cannot be read after all. */
static llmc_status reuse(struct llmc_stage_work *work, bool *found)
{
    llmc_status status = LLMC_OK;
    if (work->type->makes_model)
        llmc_state_release(&work->chain->state); /* it is in the checkpoint */
    *found = true;
    if (work->type->adopt && (status = work->type->adopt(work)) == LLMC_ERR_FORMAT) {
        llmc_stage_message(work, "made anew: %s", llmc_error_message());
        *found = false;
        return LLMC_OK;
    }
    if (status == LLMC_OK)
        llmc_stage_message(work, "finished before");
    return status;
}

static llmc_status run_stage(struct run *run, const struct llmc_stage_config *stage)
{
    llmc_status status = LLMC_OK;
    struct llmc_stage_work work = begin_work(run, stage);
    struct llmc_run_record record = {0};
    struct llmc_store_entry entry = {0};
    const struct llmc_store_wait wait = {run->host->message, run->host->context, run->host->stop};
    char key[LLMC_HASH_TEXT_NBYTES];
    char *product = NULL;
    if (run->host->stop && *run->host->stop)
        LLMC_FAIL(LLMC_ERR_INTERRUPTED, "stopped before it began; run the same command again to go on");
    LLMC_TRY(hash_stage(run, &work));
    memcpy(key, run->fingerprint, sizeof key);
    if (work.type->key)
        LLMC_TRY(work.type->key(&work, key));
    LLMC_TRY(llmc_store_open(&entry, run->host->runs_folder, key, run->owner, &wait));
    work.key = key;
    work.folder = entry.folder;
    if (work.type->product)
        LLMC_TRY(llmc_stage_path(&work, work.type->product, &product));
    work.product_path = product;
    bool found = llmc_run_record_find(&work, &record);
    if (found)
        LLMC_TRY(reuse(&work, &found));
    if (!found) {
        llmc_run_record_release(&record);
        LLMC_TRY(make(&work, &record));
    }
    LLMC_TRY(take_over(run, &work, &record));
    if (work.type->check)
        LLMC_TRY(work.type->check(&work, &record.row));
exit:
    if (status != LLMC_OK) {
        status = llmc_error_prefix(status, "stage %s", stage->name);
        tell(run, llmc_error_message());
    }
    llmc_store_close(&entry);
    llmc_run_record_release(&record);
    free(product);
    return status;
}

/* Each of several teachers as if it were the only one: with its seed or folder, under the fingerprint that it has alone. */
static llmc_status run_teachers(struct run *run, const struct llmc_stage_config *stage)
{
    llmc_status status = LLMC_OK;
    const struct llmc_config *config = run->config;
    const struct llmc_data data = run->data;
    struct llmc_run_teachers teachers = {0};
    char fingerprint[LLMC_HASH_TEXT_NBYTES];
    memcpy(fingerprint, run->fingerprint, sizeof fingerprint);
    for (int32_t i = 0; i < llmc_run_teacher_count(config); i++) {
        struct llmc_config alone = *config;
        struct llmc_stage_config member = *stage;
        if (i > 0)
            snprintf(member.name, sizeof member.name, "%.10s-%u", stage->name, (unsigned)(i + 1) % 1000);
        if (config->teacher.seeds.count > 0)
            alone.seed = (uint64_t)config->teacher.seeds.values[i];
        if (data.teacher_count > 0) {
            run->data.teacher_folder = data.teachers[i].folder;
            run->data.teacher = data.teachers[i].architecture;
            run->data.teacher_answers = data.teachers[i].answers;
        }
        run->config = &alone;
        LLMC_TRY(hash_inputs(run));
        LLMC_TRY(run_stage(run, &member));
        LLMC_TRY(llmc_run_teachers_add(&teachers, &run->chain, &run->data, run->fingerprint));
        run->config = config;
    }
    memcpy(run->fingerprint, fingerprint, sizeof fingerprint);
    LLMC_TRY(llmc_run_teachers_finish(&teachers, &run->chain, &run->data, run->fingerprint));
exit:
    run->config = config;
    run->data = data;
    llmc_run_teachers_release(&teachers);
    return status;
}

static llmc_status run_any(struct run *run, const struct llmc_stage_config *stage)
{
    bool several = llmc_run_teacher_count(run->config) > 1 || run->config->teacher.seeds.count > 0;
    return several && stage->kind == &llmc_run_teacher_stage.kind ? run_teachers(run, stage) : run_stage(run, stage);
}

/* ---- all stages ---- */

static bool is_named(const struct llmc_stage_config *stage, const char *name)
{
    return strcmp(name, stage->name) == 0 || strcmp(name, stage->kind->name) == 0;
}

static llmc_status check_stop_after(const struct llmc_config *config, const char *stop_after)
{
    char names[LLMC_STAGES_MAX * 20] = "";
    for (int32_t i = 0; i < config->stage_count; i++) {
        if (!stop_after || is_named(&config->stages[i], stop_after))
            return LLMC_OK;
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", config->stages[i].name);
    }
    return llmc_error(LLMC_ERR_ARGUMENT, "--stop-after %s: no such stage; the stages are %s", stop_after, names);
}

/* Whether all logits stages, of which there is one at least, read answers made elsewhere. */
static bool answers_are_given(const struct llmc_config *config)
{
    bool given = false;
    for (int32_t i = 0; i < config->stage_count; i++) {
        bool answers = config->stages[i].kind->makes & LLMC_THING_LOGITS;
        if (answers && !llmc_logits_are_given(&config->stages[i]))
            return false;
        given = given || answers;
    }
    return given;
}

/* Without a teacher stage the folder's classifier is the teacher: it is measured all the same, for the report. */
static llmc_status give_teacher(struct run *run)
{
    const struct llmc_config *config = run->config;
    for (int32_t i = 0; i < config->stage_count; i++)
        if (config->stages[i].kind == &llmc_run_teacher_stage.kind)
            return LLMC_OK;
    if (answers_are_given(config)) {
        run->given_teacher = (struct llmc_stage_config){.kind = &llmc_run_start_stage.kind, .name = "00-start"};
        return LLMC_OK;
    }
    if (config->teacher.head != LLMC_HEAD_KEEP)
        return llmc_error(LLMC_ERR_CONFIG, "%s: teacher.head: %s needs a teacher stage, which trains it", config->path,
                          config->teacher.head == LLMC_HEAD_NEW ? "new" : "continue");
    const struct llmc_data *data = &run->data;
    const char *without = data->teacher_answers ? NULL : data->teacher_folder;
    for (int32_t i = 0; i < data->teacher_count && !without; i++)
        without = data->teachers[i].answers ? NULL : data->teachers[i].folder;
    if (without)
        return llmc_error(LLMC_ERR_CONFIG, "%s has no classifier (classifier.weight): put a teacher stage first", without);
    run->given_teacher = (struct llmc_stage_config){.kind = &llmc_run_teacher_stage.kind, .name = "00-teacher"};
    return llmc_alloc(&run->given_teacher.settings, 1, llmc_run_teacher_stage.kind.settings_nbytes);
}

/* A classifier that is kept is not trained, with whatever seed. */
static llmc_status check_seeds(const struct run *run)
{
    const struct llmc_config *config = run->config;
    if (config->teacher.seeds.count > 0 && run->data.teacher_answers && config->teacher.head == LLMC_HEAD_KEEP)
        return llmc_error(LLMC_ERR_CONFIG, "%s: teacher.seeds: %s has a classifier, which teacher.head: keep does not train; "
                          "allowed are continue and new", config->path, run->data.teacher_folder);
    return LLMC_OK;
}

/* What can be known to be wrong is said before hours of work. */
static llmc_status prepare(struct run *run)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(give_teacher(run));
    LLMC_TRY(check_seeds(run));
    for (int32_t i = 0; i < run->config->stage_count; i++) {
        const struct llmc_stage_work work = begin_work(run, &run->config->stages[i]);
        if (work.type->prepare)
            LLMC_TRY(work.type->prepare(&work));
    }
exit:
    return status;
}

llmc_status llmc_run_pipeline(const struct llmc_config *config, const struct llmc_run_host *host,
                              const char *stop_after, char **report_path)
{
    llmc_status status = LLMC_OK;
    struct run run = {.config = config, .host = host};
    *report_path = NULL;
    snprintf(run.owner, sizeof run.owner, "run %s", config->name);
    LLMC_TRY(check_stop_after(config, stop_after));
    LLMC_TRY(llmc_ops_init(&run.ops, config->threads));
    LLMC_TRY(llmc_run_folder_open(&run.folder, config, host->runs_folder));
    LLMC_TRY(open_data(&run));
    LLMC_TRY(prepare(&run));
    LLMC_TRY(llmc_run_folder_prune(&run.folder, config));
    LLMC_TRY(open_report(&run));
    LLMC_TRY(hash_inputs(&run));
    if (run.given_teacher.kind)
        LLMC_TRY(run_any(&run, &run.given_teacher));
    for (int32_t i = 0; i < config->stage_count; i++) {
        LLMC_TRY(run_any(&run, &config->stages[i]));
        if (stop_after && is_named(&config->stages[i], stop_after))
            break;
    }
    LLMC_TRY(llmc_strdup(report_path, run.folder.report_path));
exit:
    free(run.given_teacher.settings);
    run_release(&run);
    return status;
}
