#include "pipeline/teachers.h"

#include "architecture/task.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PROBABILITY_MIN 1e-30 /* FP32 may say 0 */

void llmc_run_teachers_release(struct llmc_run_teachers *teachers)
{
    for (int32_t i = 0; i < teachers->count; i++)
        free(teachers->paths[i]);
    free(teachers->paths);
    free(teachers->fingerprints);
    free(teachers->logits);
    *teachers = (struct llmc_run_teachers){0};
}

int32_t llmc_run_teacher_count(const struct llmc_config *config)
{
    int32_t seeds = config->teacher.seeds.count, folders = config->teacher.folders.count;
    return seeds > folders ? seeds : folders;
}

llmc_status llmc_run_teachers_add(struct llmc_run_teachers *teachers, struct llmc_chain *chain,
                                  const struct llmc_data *data, const char *fingerprint)
{
    llmc_status status = LLMC_OK;
    size_t numbers = (size_t)data->dev_count * (size_t)data->labels.count;
    if (teachers->count == 0) {
        LLMC_TRY(llmc_alloc(&teachers->paths, LLMC_TEXT_LIST_MAX, sizeof *teachers->paths));
        LLMC_TRY(llmc_alloc(&teachers->fingerprints, LLMC_TEXT_LIST_MAX, sizeof *teachers->fingerprints));
        LLMC_TRY(llmc_alloc(&teachers->logits, numbers, sizeof *teachers->logits));
    }
    memcpy(teachers->fingerprints[teachers->count], fingerprint, LLMC_HASH_TEXT_NBYTES);
    teachers->paths[teachers->count++] = chain->teacher_path;
    chain->teacher_path = NULL;
    if (!chain->teacher_probabilities) {
        free(teachers->logits);
        teachers->logits = NULL;
    }
    /* Up to a number a text, the logarithms of probabilities are the logits. */
    for (size_t i = 0; teachers->logits && i < numbers; i++)
        teachers->logits[i] += log(fmax((double)chain->teacher_probabilities[i], PROBABILITY_MIN));
exit:
    return status;
}

/* The answers of the mean logits. */
static void average(const struct llmc_run_teachers *teachers, struct llmc_chain *chain, const struct llmc_data *data)
{
    int32_t labels = data->labels.count;
    for (int64_t text = 0; teachers->logits && text < data->dev_count; text++) {
        const double *logits = teachers->logits + text * labels;
        float *probabilities = chain->teacher_probabilities + text * labels;
        double highest = -INFINITY, sum = 0;
        for (int32_t i = 0; i < labels; i++)
            highest = fmax(highest, logits[i] / teachers->count);
        for (int32_t i = 0; i < labels; i++)
            sum += exp(logits[i] / teachers->count - highest);
        for (int32_t i = 0; i < labels; i++)
            probabilities[i] = (float)(exp(logits[i] / teachers->count - highest) / sum);
        chain->teacher_answers[text] = llmc_task_single_label.answer(probabilities, labels);
    }
}

llmc_status llmc_run_teachers_finish(struct llmc_run_teachers *teachers, struct llmc_chain *chain,
                                     const struct llmc_data *data, char fingerprint[LLMC_HASH_TEXT_NBYTES])
{
    llmc_status status = LLMC_OK;
    struct llmc_hash hash;
    average(teachers, chain, data);
    LLMC_TRY(llmc_hash_init(&hash));
    llmc_hash_text(&hash, fingerprint);
    for (int32_t i = 0; i < teachers->count; i++)
        llmc_hash_text(&hash, teachers->fingerprints[i]);
    llmc_hash_finish(&hash, fingerprint);
    llmc_state_release(&chain->state);
    LLMC_TRY(llmc_stage_replace_text(&chain->state_path, teachers->paths[0]));
    LLMC_TRY(llmc_stage_replace_text(&chain->teacher_path, teachers->paths[0]));
    chain->teacher_paths = teachers->paths;
    chain->teacher_count = teachers->count;
    teachers->paths = NULL;
    teachers->count = 0;
exit:
    return status;
}
