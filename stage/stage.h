/*
 * What a stage is, what it is given and what it hands on. A stage is one file with one `struct llmc_stage_type`; the
 * pipeline knows nothing of it but that type. To add one: write that file, and put its line into pipeline/stages/table.c.
 */
#ifndef LLMC_STAGE_STAGE_H
#define LLMC_STAGE_STAGE_H

#include "base/hash.h"
#include "base/progress.h"
#include "base/status.h"
#include "config/config.h"
#include "report/report.h"
#include "stage/data.h"
#include "stage/state.h"
#include "text/source.h"

#include <signal.h>
#include <stdio.h>

/* What the command lends to a run and its stages. */
struct llmc_run_host {
    llmc_progress_fn progress;
    void (*message)(void *context, const char *text); /* a line for the user */
    void *context;                     /* of both */
    const volatile sig_atomic_t *stop; /* save and end */
    const char *measure_program;       /* called as PROGRAM --measure CHECKPOINT CONFIG (measure.h) */
    const char *answer_program;        /* the llmc command */
    const char *runs_folder;
};

/* The teacher's answers to the texts of the chain. */
struct llmc_teacher_logits {
    void *context;
    /* out [count, labels] = the logits of texts `rows[0..count-1]`. */
    llmc_status (*fetch)(void *context, const int64_t *rows, int32_t count, float *out);
    void (*close)(void *context); /* frees the context */
};

/* What the stages so far have made. */
struct llmc_chain {
    struct llmc_text_source texts; /* that the teacher answers and a student learns from; the training texts come first */
    char more_texts[LLMC_HASH_TEXT_NBYTES]; /* hash of the texts behind the training texts; "": there are none */
    struct llmc_state state;    /* the model now; empty: only in its checkpoint */
    char *state_path;           /* the checkpoint of the model now; NULL: there is none yet */
    char *teacher_path;         /* the checkpoint of the newest teacher */
    char **teacher_paths;       /* [teacher_count] of several teachers, whose logits are averaged, all checkpoints */
    int32_t teacher_count;      /* 0: there is one */
    int32_t *teacher_answers;   /* [data->dev_count] its labels; NULL before it was measured */
    float *teacher_probabilities; /* [data->dev_count, labels] of the dev texts; NULL with teacher_answers */
    struct llmc_teacher_logits teacher_logits; /* fetch NULL: none yet */
    char *file_path;            /* the newest compressed checkpoint */
    bool is_student;            /* the model is a student, no longer the teacher */
};
void llmc_chain_release(struct llmc_chain *chain);
/* The texts that a run begins with: training texts, then unlabelled ones. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_chain_begin_texts(struct llmc_chain *chain, const struct llmc_data *data);
/* Closes the old ones and takes the new ones over. */
void llmc_chain_set_logits(struct llmc_chain *chain, const struct llmc_teacher_logits *logits);

/* One stage under way. All pointers are lent for its time. */
struct llmc_stage_work {
    const struct llmc_stage_type *type;
    const struct llmc_config *config;
    const struct llmc_stage_config *stage; /* its name, and `settings`: the struct that its keys filled */
    const struct llmc_run_host *host;
    struct llmc_ops *ops;
    const struct llmc_data *data;
    struct llmc_chain *chain;
    FILE *log;                  /* log.txt of the run */
    const char *run_folder;     /* RUNS/NAME */
    const char *config_path;    /* the effective configuration, for programs that measure */
    const char *fingerprint;    /* of all that the stage's result depends on */
    const char *key;            /* under which runs share the result: `key` of the type, else the fingerprint */
    const char *folder;         /* where it keeps its files while it is under way and after */
    const char *product_path;   /* what it makes: FOLDER/PRODUCT; NULL where the type has no product */
    double seconds;             /* set by a stage that goes on after a restart: its time in all; 0: since it started */
};

/* What was measured of a stage's product. */
struct llmc_stage_figures {
    struct llmc_report_row row; /* memory, latency, throughput; file_bytes where the product is no model */
    int32_t *answers;           /* [data->dev_count] */
    float *probabilities;       /* [data->dev_count, labels]; NULL: what answers gives none */
};
void llmc_stage_figures_release(struct llmc_stage_figures *figures);

struct llmc_stage_type {
    struct llmc_config_kind kind;  /* its name, keys, and what it needs of other stages */
    const char *product;           /* the file that it makes, in its folder: "model.h5"; NULL: none */
    const char *suffix;            /* what that file is called in the run folder: NN-STAGE + ".h5"; NULL: not there */
    bool works_on_model;           /* chain->state is loaded before `run` */
    bool makes_model;              /* its product is a checkpoint of the model (state_file.h) */
    const char *engine;            /* that `measure` answers with, for the report: "libtorch", "runtime" */

    /* Every function but `run` may be NULL. */

    /* Before the first stage of the run starts: what can be known to be wrong from the data and the teacher's
     * architecture. */
    llmc_status (*prepare)(const struct llmc_stage_work *work);
    /* Adds to the fingerprint what the result depends on beside configuration, data and earlier stages. */
    llmc_status (*identify)(const struct llmc_stage_work *work, struct llmc_hash *hash);
    /* The key under which runs share the result, where it is not the fingerprint: of the content that it is made from. */
    llmc_status (*key)(const struct llmc_stage_work *work, char key[LLMC_HASH_TEXT_NBYTES]);
    /* Makes the product. */
    llmc_status (*run)(struct llmc_stage_work *work);
    /* Puts the product into the chain, made just now or by an earlier run. */
    llmc_status (*adopt)(struct llmc_stage_work *work);
    /* Measures the product on the dev texts. */
    llmc_status (*measure)(struct llmc_stage_work *work, struct llmc_stage_figures *figures);
    /* What the stage promises beyond running. Errors: LLMC_ERR_DATA. */
    llmc_status (*check)(const struct llmc_stage_work *work, const struct llmc_report_row *row);
};

/* A line in log.txt and for the user. */
void llmc_stage_message(const struct llmc_stage_work *work, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void llmc_stage_log(FILE *log, const struct llmc_run_host *host, const char *text);

/* *out = FOLDER/NAME of the stage's folder. The caller frees it. */
llmc_status llmc_stage_path(const struct llmc_stage_work *work, const char *name, char **out);

/* The number format of the operands that the configuration asks for. */
enum llmc_number llmc_stage_number(const struct llmc_stage_work *work);

/* Reads teacher `index`, 0 to the larger of 1 and teacher_count - 1, into a zeroed state. */
llmc_status llmc_stage_load_teacher_of(const struct llmc_stage_work *work, int32_t index, enum llmc_number number,
                                       struct llmc_state *teacher);

/* Reads the newest teacher's checkpoint, of several the first's, into a zeroed state. */
llmc_status llmc_stage_load_teacher(const struct llmc_stage_work *work, enum llmc_number number,
                                    struct llmc_state *teacher);

/* Makes what the model's checkpoint holds the model of the chain, in memory where it was not yet. */
llmc_status llmc_stage_load_model(const struct llmc_stage_work *work);

/* *out = `texts` (NULL: those of the chain) in the ids of the chain's model: where its tokenizer is not that of the data,
 * their words are split anew (text/join.h). What that takes is in *joined (zeroed), which the caller closes when the texts
 * are done with. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_stage_texts(const struct llmc_stage_work *work, const struct llmc_text_source *texts,
                             struct llmc_text_source *joined, const struct llmc_text_source **out);

/* *place (freed) = a copy of `text`. */
llmc_status llmc_stage_replace_text(char **place, const char *text);

#endif
