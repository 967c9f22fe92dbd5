/*
 * The configuration of a run: one YAML file, one table row a key
 * (config_schema.c), and what --set changed. Unknown keys, wrong types, values out of range and
 * impossible combinations are refused with file, line, key and legal values.
 * A relative folder is looked for in $LLMC_DATA when that is set, then in ./data
 * (paths.h); the text stays as it was written.
 *
 *     name: sst2                   # the run's folder is RUNS/NAME
 *     seed: 1
 *     threads: 0                   # 0: all processors
 *     precision: fp16              # fp16, bf16, fp32: operands of linear layers in training
 *     checkpoint_seconds: 60       # how often a training stage saves itself
 *     data:
 *       folder: sst2               # relative to LLMC_DATA, or absolute
 *       train: train.tsv
 *       dev: dev.tsv
 *       text: sentence             # column names
 *       text_pair: ""
 *       label: label
 *       tokens_max: 128
 *     teacher:
 *       folder: models/...         # a Hugging Face folder; relative to LLMC_DATA, or absolute
 *     student:
 *       layers: 3                  # hidden, ffn, heads: 0 = the teacher's
 *       from_layers: [1, 3, 5]     # teacher layers to start from; [] = random
 *       init: ""                   # instead: a compressed checkpoint, as runs/NAME/model.llmc
 *     stages:                      # in this order; a stage may stand several times
 *       - stage: teacher
 *         epochs: 3
 *         ...
 */
#ifndef LLMC_CONFIG_CONFIG_H
#define LLMC_CONFIG_CONFIG_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LLMC_LAYERS_MAX 128
#define LLMC_STAGES_MAX 32

enum llmc_precision { LLMC_PRECISION_FP32, LLMC_PRECISION_FP16, LLMC_PRECISION_BF16 };

enum llmc_stage_kind {
    LLMC_STAGE_TEACHER,
    LLMC_STAGE_LOGITS,
    LLMC_STAGE_DISTILL,
    LLMC_STAGE_QAT,
    LLMC_STAGE_PRUNE,
    LLMC_STAGE_EXPORT,
    LLMC_STAGE_VERIFY,
};

enum llmc_distill_loss { LLMC_LOSS_KL, LLMC_LOSS_MSE };
enum llmc_range_mode { LLMC_RANGES_LEARNED, LLMC_RANGES_AVERAGED };

/* One entry of `stages`. Keys that do not belong to the kind are refused. */
struct llmc_stage_config {
    enum llmc_stage_kind kind;
    char name[16];            /* made: "01-teacher"; the file name of the stage in the run folder */
    int line;                 /* in the config file, for messages */

    /* teacher, distill, qat, prune: training */
    double epochs;            /* fractions allowed; > 0, <= 1000; default 3, prune 2, qat 1 */
    int32_t batch_size;       /* texts a step; 1..4096, default 32 */
    double learning_rate;     /* peak; > 0, <= 1; default 3e-5 for teacher, 1e-4 distill, 5e-5 prune and qat */
    double warmup;            /* fraction of the steps; 0..1, default 0.1 */
    double weight_decay;      /* default 0.01 */
    double clip_norm;         /* gradient clipping; 0 = off; default 1 */
    double dropout;           /* 0..0.9, default 0.1 for teacher, 0 for others */

    /* distill, qat, prune: the loss against the teacher's logits */
    enum llmc_distill_loss loss;   /* kl, mse; default mse */
    double temperature;            /* of kl; > 0, <= 100, default 1 */
    double cross_entropy_weight;   /* 0..1: loss = (1-w) * distillation + w * cross-entropy; default 0 */

    /* qat */
    int32_t weight_bits;           /* 2..8, default 8: integers of the linear layers */
    int32_t embedding_bits;        /* 2..8, default 8: integers of the word and position embeddings */
    enum llmc_range_mode ranges;       /* learned, averaged; default learned */
    int32_t calibration_batches;   /* 1..10000, default 32 */

    /* prune */
    double sparsity;               /* of the linear layers' weights at the end; 0..0.99, default 0.5 */
    double ramp;                   /* fraction of the steps over which it rises; 0..1, default 0.5 */

    /* verify */
    double accuracy_min;           /* 0..1; the run fails below it; default 0 */
};

struct llmc_config {
    char *path;               /* of the YAML file */
    char *name;
    uint64_t seed;            /* below 2^53, so that JSON readers keep it */
    int32_t threads;
    enum llmc_precision precision;
    double checkpoint_seconds; /* 0 = after every step */
    struct {
        char *folder, *train, *dev, *text, *text_pair, *label;
        int32_t tokens_max;   /* 4..65536, default 128 */
    } data;
    struct {
        char *folder;
    } teacher;
    struct {
        int32_t layers;       /* 1..128; required by a distill stage, 0 when it was not given */
        int32_t hidden, ffn, heads; /* 0 = the teacher's */
        int32_t from_layers[LLMC_LAYERS_MAX];
        int32_t from_layers_count;
    } student;                /* numbers alone: fingerprints hash its bytes */
    char *student_init;       /* student.init: path of a compressed checkpoint; "": none */
    struct llmc_stage_config stages[LLMC_STAGES_MAX];
    int32_t stage_count;
};

/* Reads `path`, then applies `sets` ("key=value" with dotted keys: "seed=2",
 * "data.folder=x", "student.from_layers=[0,2]", "stages.distill.epochs=1" for every stage of that
 * kind, "stages.3.epochs=1" for the third entry; value is parsed as YAML), then checks all of
 * it. Errors: LLMC_ERR_IO, LLMC_ERR_CONFIG: "FILE:LINE: key: what; legal are ..." (for a set:
 * "--set TEXT: ..."). */
llmc_status llmc_config_load(struct llmc_config *out, const char *path, const char *const *sets, size_t set_count);
void llmc_config_release(struct llmc_config *config);

/* The effective configuration as YAML that llmc_config_load reads back to the
 * same values: every key, defaults included. The caller frees *yaml. */
llmc_status llmc_config_write(const struct llmc_config *config, char **yaml);

/* The effective keys of one stage as YAML text, for fingerprints. The caller frees it. */
llmc_status llmc_config_write_stage(const struct llmc_stage_config *stage, char **yaml);

/* The reference of all keys (for --keys): one line a key with default, legal values and meaning.
 * The caller frees *text. */
llmc_status llmc_config_describe(char **text);

const char *llmc_stage_kind_name(enum llmc_stage_kind kind);
const char *llmc_precision_name(enum llmc_precision precision);

#endif
