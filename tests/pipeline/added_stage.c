/*
 * A stage that llmc does not have, added as anyone would: one file with one struct llmc_stage_type, and one line in a list
 * of stages. It multiplies the classifier by a factor, which changes logits but no label. test_stages.py runs it:
 *
 *     added_stage CONFIG RUNS LLMC                  as llmc-distill CONFIG --runs RUNS
 *     added_stage --measure CHECKPOINT CONFIG       as the pipeline calls it to measure
 */
#include "architecture/parameter.h"
#include "pipeline/run.h"
#include "pipeline/stages/table.h"
#include "stage/measure.h"
#include "stage/training.h"

#include <stdlib.h>
#include <string.h>

struct settings {
    double factor;
};

static const struct llmc_config_key keys[] = {
    LLMC_KEY_ABOVE("factor", struct settings, factor, NUMBER, "2", 0, 100, "of the classifier's weights")
};

static llmc_status run(struct llmc_stage_work *work)
{
    const struct settings *settings = work->stage->settings;
    struct llmc_parameters *p = &work->chain->state.model.parameters;
    for (int which = LLMC_CLASSIFIER_WEIGHT; which <= LLMC_CLASSIFIER_BIAS; which++) {
        int32_t index = llmc_head_parameter(&p->architecture, which);
        for (int64_t i = 0; i < p->table[index].rows * p->table[index].cols; i++)
            llmc_parameter_values(p, index)[i] *= (float)settings->factor;
    }
    return llmc_state_save(work->product_path, &work->chain->state, work->fingerprint, NULL, NULL);
}

static const struct llmc_stage_type scale_stage = {
    .kind = {.name = "scale", .does = "multiplies the classifier", .keys = keys, .key_count = 1,
             .settings_nbytes = sizeof(struct settings), .needs = LLMC_THING_STUDENT, .ends = LLMC_THING_FILE},
    .product = "model.h5",
    .suffix = ".h5",
    .works_on_model = true,
    .makes_model = true,
    .engine = "libtorch",
    .run = run,
    .adopt = llmc_stage_adopt_model,
    .measure = llmc_stage_measure_model,
};

static void print_message(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

int main(int argc, char **argv)
{
    const struct llmc_config_kind *kinds[32];
    size_t count = 0;
    while (llmc_run_stage_kinds()[count]) {
        kinds[count] = llmc_run_stage_kinds()[count];
        count++;
    }
    kinds[count++] = &scale_stage.kind;
    kinds[count] = NULL;

    bool measures = argc == 4 && strcmp(argv[1], "--measure") == 0;
    struct llmc_config config = {0};
    char *text = NULL;
    llmc_status status = llmc_config_load(&config, argv[measures ? 3 : 1], NULL, 0, kinds);
    if (status == LLMC_OK && measures) {
        status = llmc_stage_measure_checkpoint(&config, argv[2], &text);
        if (status == LLMC_OK)
            puts(text);
    } else if (status == LLMC_OK) {
        const struct llmc_run_host host = {.message = print_message, .measure_program = argv[0],
                                           .answer_program = argv[3], .runs_folder = argv[2]};
        status = llmc_run_pipeline(&config, &host, NULL, &text);
    }
    if (status != LLMC_OK)
        fprintf(stderr, "%s\n", llmc_error_message());
    free(text);
    llmc_config_release(&config);
    return status != LLMC_OK;
}
