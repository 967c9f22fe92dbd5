/*
 * The configuration of a run: one YAML file, and what --set changed. Unknown keys, wrong types, values out of range and
 * combinations that cannot work are refused with file, line, key and what is allowed, all of it before the first stage.
 * The keys stand in config/keys.c and in the tables of the kinds of stages; `llmc-distill --keys` prints them. A relative
 * folder is looked for in $LLMC_DATA when that is set, then in ./data (paths.h); the text stays as it was written.
 */
#ifndef LLMC_CONFIG_CONFIG_H
#define LLMC_CONFIG_CONFIG_H

#include "base/status.h"
#include "config/key.h"

#define LLMC_STAGES_MAX 32

enum llmc_precision { LLMC_PRECISION_FP32, LLMC_PRECISION_FP16, LLMC_PRECISION_BF16 };
enum llmc_teacher_head { LLMC_HEAD_KEEP, LLMC_HEAD_CONTINUE, LLMC_HEAD_NEW };

/* What stages need of earlier ones, and make for later ones. A run begins with none of them. */
enum {
    LLMC_THING_LOGITS = 1 << 0,  /* the teacher's answers to the training texts */
    LLMC_THING_STUDENT = 1 << 1, /* a model that learned from them */
    LLMC_THING_FILE = 1 << 2,    /* a compressed checkpoint of the model as it is */
    LLMC_THING_RANGES = 1 << 3,  /* ranges of the inputs of its layers as they are */
};

/* A kind of stage, as far as a configuration knows it. */
struct llmc_config_kind {
    const char *name; /* "distill": the value of the key "stage" */
    const char *does; /* for the reference of keys: "trains a smaller student against these logits" */
    const struct llmc_config_key *keys; /* [key_count] */
    size_t key_count;
    size_t settings_nbytes;     /* of the struct that the keys fill; 0 without keys */
    unsigned needs, makes;      /* things */
    unsigned ends;              /* things that are none any more after this stage */
    unsigned refuses;           /* things that no earlier stage may have made */
    bool starts_student;        /* takes the section `student` */
    bool changes_tokens;        /* the student sees other tokens than its teacher from then on */
};

/* One entry of `stages`. */
struct llmc_stage_config {
    const struct llmc_config_kind *kind;
    char name[16];  /* made: "01-teacher"; the file name of the stage in the run folder */
    int line;       /* in the config file, for messages */
    void *settings; /* the kind's struct, filled */
};

struct llmc_config {
    char *path; /* of the YAML file */
    const struct llmc_config_kind *const *kinds; /* NULL at the end */
    char *name;
    uint64_t seed; /* below 2^53, so that JSON readers keep it */
    int32_t threads;
    enum llmc_precision precision;
    double checkpoint_seconds;
    struct {
        char *folder, *train, *dev, *text, *text_pair, *label;
        struct llmc_text_list label_names, unlabeled;
        int32_t tokens_max;
    } data;
    struct {
        char *folder; /* the first of: */
        struct llmc_text_list folders;
        struct llmc_int_list seeds;
        enum llmc_teacher_head head;
        struct llmc_text_list labels;
    } teacher;
    struct {
        int32_t layers; /* 0 when it was not given */
        int32_t hidden, ffn, heads; /* 0: the teacher's */
        struct llmc_int_list from_layers;
        char *init;
        int32_t embedding_rank;
    } student;
    struct llmc_stage_config stages[LLMC_STAGES_MAX];
    int32_t stage_count;
};

/* Reads `path`, then applies `sets` ("key=value" with dotted keys: "seed=2", "data.folder=x",
 * "student.from_layers=[0,2]", "stages.distill.epochs=1" for every stage of that kind, "stages.3.epochs=1" for the third
 * entry, "stages.prune=off" and "stages.3=off" to leave them out; one after the other, each value parsed as YAML), then
 * checks all of it. `kinds` (NULL at the end) are the stages that there are; they outlive the configuration. Errors:
 * LLMC_ERR_IO, LLMC_ERR_CONFIG: "FILE:LINE: KEY: what; allowed are ..." (of a set: "--set TEXT: ..."); *out is then
 * empty. */
llmc_status llmc_config_load(struct llmc_config *out, const char *path, const char *const *sets, size_t set_count,
                             const struct llmc_config_kind *const *kinds);
void llmc_config_release(struct llmc_config *config); /* an empty one is fine */

/* The effective configuration as YAML that llmc_config_load reads back to the same values: every key, defaults included.
 * The caller frees *yaml. */
llmc_status llmc_config_write(const struct llmc_config *config, char **yaml);

/* What the results of all stages depend on, and those of stage `stage`, as YAML text for fingerprints: its own keys, and
 * the student's where its kind starts one. The caller frees *yaml. */
llmc_status llmc_config_write_common(const struct llmc_config *config, char **yaml);
llmc_status llmc_config_write_stage(const struct llmc_config *config, const struct llmc_stage_config *stage, char **yaml);

/* The reference of all keys with default, allowed values and meaning: for --keys, or as the tables of
 * doc/configuration.md. The caller frees *text. */
llmc_status llmc_config_describe(const struct llmc_config_kind *const *kinds, bool markdown, char **text);

const char *llmc_config_precision_name(enum llmc_precision precision);

/* Where a value was written: "--set TEXT", or a line of the file (0: nowhere in it). */
struct llmc_config_origin {
    const char *file;
    int line;
    const char *set; /* NULL: the file */
};

/* "FILE:LINE: KEY: message" or "--set TEXT: message". Returns LLMC_ERR_CONFIG. */
llmc_status llmc_config_error(const struct llmc_config_origin *origin, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
