#include "pipeline/stages/file.h"

#include "base/memory.h"
#include "pipeline/stages/compressed.h"
#include "stage/measure.h"

#include <jansson.h>
#include <stdlib.h>

/* How the model was made, without times: equal runs give equal files. The caller frees *origin. */
static llmc_status make_origin(const struct llmc_stage_work *work, const char *fingerprint, char **origin)
{
    const struct llmc_config *config = work->config;
    json_t *stages = json_array();
    for (int32_t i = 0; i < config->stage_count; i++)
        json_array_append_new(stages, json_string(config->stages[i].name));
    json_t *object = json_pack("{s:s, s:s, s:I, s:s, s:o}", "made_by", "llmc " LLMC_VERSION, "run", config->name, "seed",
                               (json_int_t)config->seed, "fingerprint", fingerprint, "stages", stages);
    *origin = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    return *origin ? LLMC_OK : llmc_error(LLMC_ERR_MEMORY, "cannot write JSON");
}

/* The file names its run and stages: other runs do not share it. */
static llmc_status identify(const struct llmc_stage_work *work, struct llmc_hash *hash)
{
    char *origin = NULL;
    llmc_status status = make_origin(work, "", &origin);
    if (status == LLMC_OK)
        llmc_hash_text(hash, origin);
    free(origin);
    return status;
}

static llmc_status run_export(struct llmc_stage_work *work)
{
    char *origin = NULL;
    llmc_status status = make_origin(work, work->fingerprint, &origin);
    if (status == LLMC_OK)
        status = llmc_run_compress(&work->chain->state, origin, work->product_path);
    free(origin);
    return status;
}

static llmc_status adopt_export(struct llmc_stage_work *work)
{
    return llmc_stage_replace_text(&work->chain->file_path, work->product_path);
}

const struct llmc_stage_type llmc_run_export_stage = {
    .kind = {.name = "export", .does = "writes `model.llmc`", .makes = LLMC_THING_FILE},
    .product = "model.llmc",
    .suffix = ".llmc",
    .works_on_model = true,
    .identify = identify,
    .run = run_export,
    .adopt = adopt_export,
};

struct settings {
    double accuracy_min;
};

static const struct llmc_config_key keys[] = {
    LLMC_KEY("accuracy_min", struct settings, accuracy_min, NUMBER, "0", 0, 1,
             "the run fails when the dev accuracy is below")
};

/* The runtime works on real files alone: measuring it is all that the stage does. */
static llmc_status run_verify(struct llmc_stage_work *work)
{
    (void)work;
    return LLMC_OK;
}

static llmc_status check_verify(const struct llmc_stage_work *work, const struct llmc_report_row *row)
{
    const struct settings *settings = work->stage->settings;
    if (row->dev_accuracy < settings->accuracy_min)
        return llmc_error(LLMC_ERR_DATA, "%s has dev accuracy %.4f, below accuracy_min %.4f", work->chain->file_path,
                          row->dev_accuracy, settings->accuracy_min);
    return LLMC_OK;
}

const struct llmc_stage_type llmc_run_verify_stage = {
    .kind = {.name = "verify", .does = "reloads `model.llmc` in the runtime and measures there",
             .keys = keys, .key_count = sizeof keys / sizeof keys[0], .settings_nbytes = sizeof(struct settings),
             .needs = LLMC_THING_FILE},
    .works_on_model = true,
    .engine = "runtime",
    .run = run_verify,
    .measure = llmc_stage_measure_file,
    .check = check_verify,
};
