/*
 * A run: the stages of a configuration, one after the other, in the run folder
 *
 *     runs/NAME/
 *         config.yaml                effective configuration
 *         log.txt
 *         report.json                the cost report (report/report.h)
 *         NN-STAGE.h5                the model behind a stage (state.h)
 *         NN-STAGE.json              the stage is finished: its report row and its answers to the dev texts
 *         NN-STAGE.metrics.jsonl     a line per training step
 *         NN-STAGE.part.h5           a training stage under way
 *         NN-export.llmc             the compressed checkpoint (formats/checkpoint/compressed.h) of an export stage
 *         model.llmc                 the newest of these (another name of the same file)
 *         labels.txt                 names of the labels, in the order of the model's outputs
 *     runs/logits/HASH.h5            teacher logits, shared by all runs
 *
 * Every stage has a fingerprint: a hash of the data, the teacher folder, the number of threads, all settings up to
 * this stage (of student.init: the content of the file) and the files that the stages before it made.
 * A stage whose files bear its fingerprint is finished or under way; any other file is from another
 * configuration and is replaced.
 */
#ifndef LLMC_PIPELINE_RUN_H
#define LLMC_PIPELINE_RUN_H

#include "base/hash.h"
#include "base/progress.h"
#include "base/status.h"
#include "report/report.h"
#include "config/config.h"
#include "pipeline/state.h"
#include "text/dataset.h"

#include <signal.h>
#include <stdio.h>

/* What the command lends to the run. */
struct llmc_run_host {
    llmc_progress_fn progress;
    void (*message)(void *context, const char *text); /* a line for the user */
    void *context;                     /* of both */
    const volatile sig_atomic_t *stop; /* save and end */
    const char *measure_program;       /* called as PROGRAM --measure CHECKPOINT CONFIG (measure.h) */
    const char *answer_program;        /* the llmc command */
    const char *runs_folder;
};

struct llmc_run {
    const struct llmc_config *config;
    const struct llmc_run_host *host;
    char *folder, *config_path, *report_path;
    FILE *log;
    struct llmc_ops ops;
    struct llmc_report report;

    char *teacher_folder, *train_path, *dev_path;
    struct llmc_columns columns;
    struct llmc_tokenizer *tokenizer;
    struct llmc_labels labels;
    struct llmc_dataset train;
    int64_t dev_count;
    double dev_tokens, dev_tokens_squared; /* means over the dev texts, for the cost model */

    /* what earlier stages made */
    struct llmc_state state;       /* the model now; no parameters: none yet */
    bool is_student;               /* the state is a student, no longer the teacher */
    char *teacher_path;            /* checkpoint of the newest teacher stage */
    char *state_path;              /* checkpoint of the state's stage */
    float *teacher_logits;         /* [train.count, L] */
    int32_t *teacher_answers;      /* [dev_count], NULL before a teacher was measured */
    char *model_path;              /* what the newest export stage writes */
    char fingerprint[LLMC_HASH_TEXT_NBYTES]; /* up to and with the current stage */
    double stage_seconds;          /* of a training stage, over all its restarts */
};

/* Runs all stages up to the one named `stop_after` (kind or NN-kind; NULL: all). Errors: whatever a stage
 * says, with the stage's name in front; LLMC_ERR_INTERRUPTED after a stop: the same call goes on. */
llmc_status llmc_run_pipeline(const struct llmc_config *config, const struct llmc_run_host *host,
                              const char *stop_after);

/* --- for the stages --- */

/* A line in log.txt and for the user. */
void llmc_run_message(struct llmc_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* *out = FOLDER/NAME SUFFIX, as "runs/sst2/03-distill.h5". The caller frees it. */
llmc_status llmc_run_path(const struct llmc_run *run, const char *name, const char *suffix, char **out);

/* Reads labels, data and tokenizer. */
llmc_status llmc_run_open_data(struct llmc_run *run);

/* The model in the teacher folder. A missing pooler or classifier starts at random, which *has_classifier tells. A
 * zeroed state comes in. Errors: those of llmc_hf_folder_open; LLMC_ERR_CONFIG where it does not fit the data
 * (labels, tokens_max, tokenizer). */
llmc_status llmc_run_load_folder(struct llmc_run *run, enum llmc_number number, struct llmc_state *state,
                                 bool *has_classifier);

/* The number format of a precision's operands. */
enum llmc_number llmc_precision_number(enum llmc_precision precision);

/* Each makes what its stage is for; the run then measures it. */
typedef llmc_status (*llmc_stage_fn)(struct llmc_run *run, const struct llmc_stage_config *stage);
llmc_status llmc_stage_teacher(struct llmc_run *run, const struct llmc_stage_config *stage);
llmc_status llmc_stage_logits(struct llmc_run *run, const struct llmc_stage_config *stage);
llmc_status llmc_stage_distill(struct llmc_run *run, const struct llmc_stage_config *stage);
llmc_status llmc_stage_qat(struct llmc_run *run, const struct llmc_stage_config *stage);
llmc_status llmc_stage_prune(struct llmc_run *run, const struct llmc_stage_config *stage);
llmc_status llmc_stage_export(struct llmc_run *run, const struct llmc_stage_config *stage);
llmc_status llmc_stage_verify(struct llmc_run *run, const struct llmc_stage_config *stage);

#endif
