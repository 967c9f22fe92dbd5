#include "config/schema.h"

#include <stdio.h>
#include <string.h>

#define TEACHER (1u << LLMC_STAGE_TEACHER)
#define DISTILL (1u << LLMC_STAGE_DISTILL)
#define QAT (1u << LLMC_STAGE_QAT)
#define PRUNE (1u << LLMC_STAGE_PRUNE)
#define VERIFY (1u << LLMC_STAGE_VERIFY)
#define STUDENT (DISTILL | QAT | PRUNE)
#define TRAINING (TEACHER | STUDENT)

#define RUN(field) 0, offsetof(struct llmc_config, field)
#define IN(kinds, field) kinds, offsetof(struct llmc_stage_config, field)

static const char *const precisions[] = {
    [LLMC_PRECISION_FP32] = "fp32", [LLMC_PRECISION_FP16] = "fp16", [LLMC_PRECISION_BF16] = "bf16", NULL};
static const char *const losses[] = {[LLMC_LOSS_KL] = "kl", [LLMC_LOSS_MSE] = "mse", NULL};
static const char *const ranges[] = {[LLMC_RANGES_LEARNED] = "learned", [LLMC_RANGES_AVERAGED] = "averaged", NULL};
static const char *const kinds_of_stages[] = {
    [LLMC_STAGE_TEACHER] = "teacher", [LLMC_STAGE_LOGITS] = "logits", [LLMC_STAGE_DISTILL] = "distill",
    [LLMC_STAGE_QAT] = "qat",         [LLMC_STAGE_PRUNE] = "prune",   [LLMC_STAGE_EXPORT] = "export",
    [LLMC_STAGE_VERIFY] = "verify",
};

#define KEY(name_, place, type_, fallback_, min_, max_, meaning_) \
    KEY_ROW(name_, place, type_, fallback_, min_, max_, false, NULL, meaning_)
#define KEY_ABOVE(name_, place, type_, fallback_, min_, max_, meaning_) \
    KEY_ROW(name_, place, type_, fallback_, min_, max_, true, NULL, meaning_)
#define KEY_CHOICE(name_, place, choices_, fallback_, meaning_) \
    KEY_ROW(name_, place, CHOICE, fallback_, 0, 0, false, choices_, meaning_)
/* `place` is two arguments: kinds and offset. */
#define KEY_ROW(...) KEY_EXPAND(__VA_ARGS__)
#define KEY_EXPAND(name_, kinds_, offset_, type_, fallback_, min_, max_, above_, choices_, meaning_)      \
    {.name = name_, .kinds = kinds_, .type = LLMC_KEY_##type_, .offset = offset_, .fallback = fallback_,  \
     .min = min_, .max = max_, .above_min = above_, .choices = choices_, .meaning = meaning_},

/* A key whose default depends on the stage has a row per default. Rows of the
 * run stand in the order of the effective YAML, section by section. */
const struct llmc_config_key llmc_config_keys[] = {
    /* name, place, type, default, least, most, meaning */
    KEY("name", RUN(name), NAME, NULL, 1, 64, "of the run: its folder is runs/NAME")
    /* 2^53 - 1: programs that read JSON numbers as doubles see the same seed in the report */
    KEY("seed", RUN(seed), SEED, "1", 0, 9007199254740991.0, "of every random choice")
    KEY("threads", RUN(threads), INT, "0", 0, 256, "of the computation; 0: all processors")
    KEY_CHOICE("precision", RUN(precision), precisions, "fp16", "operands of the linear layers in training")
    KEY("checkpoint_seconds", RUN(checkpoint_seconds), NUMBER, "60", 0, 86400,
        "how often a training stage saves itself; 0: after every step")

    KEY("data.folder", RUN(data.folder), TEXT, NULL, 1, 4096, "of the texts; relative to LLMC_DATA, or absolute")
    KEY("data.train", RUN(data.train), TEXT, "train.tsv", 1, 4096, "file of the training texts, .tsv or .tsv.gz")
    KEY("data.dev", RUN(data.dev), TEXT, "dev.tsv", 1, 4096, "file of the texts that measure, .tsv or .tsv.gz")
    KEY("data.text", RUN(data.text), TEXT, "sentence", 1, 256, "column of the text")
    KEY("data.text_pair", RUN(data.text_pair), TEXT, "\"\"", 0, 256, "column of the second text of a pair; \"\": none")
    KEY("data.label", RUN(data.label), TEXT, "label", 1, 256, "column of the label")
    KEY("data.tokens_max", RUN(data.tokens_max), INT, "128", 4, 65536, "longer texts are cut to so many tokens")

    KEY("teacher.folder", RUN(teacher.folder), TEXT, NULL, 1, 4096,
        "a BERT in Hugging Face's layout; relative to LLMC_DATA, or absolute")

    KEY("student.layers", RUN(student.layers), INT, NULL, 1, LLMC_LAYERS_MAX, "depth; a distill stage needs it")
    KEY("student.hidden", RUN(student.hidden), INT, "0", 0, 8192, "width; 0: the teacher's")
    KEY("student.ffn", RUN(student.ffn), INT, "0", 0, 65536, "width of the feed-forward layers; 0: the teacher's")
    KEY("student.heads", RUN(student.heads), INT, "0", 0, 1024, "attention heads; 0: the teacher's")
    KEY("student.from_layers", RUN(student.from_layers), LAYERS, "[]", 0, LLMC_LAYERS_MAX - 1,
        "teacher layers to start from, counted from 0; []: random start")
    KEY("student.init", RUN(student_init), TEXT, "\"\"", 0, 4096,
        "a compressed checkpoint to start from, of the student's shape; \"\": none")

    KEY_ABOVE("epochs", IN(TEACHER | DISTILL, epochs), NUMBER, "3", 0, 1000, "passes over the training texts")
    KEY_ABOVE("epochs", IN(PRUNE, epochs), NUMBER, "2", 0, 1000, "passes over the training texts")
    KEY_ABOVE("epochs", IN(QAT, epochs), NUMBER, "1", 0, 1000, "passes over the training texts")
    KEY("batch_size", IN(TRAINING, batch_size), INT, "32", 1, 4096, "texts a step")
    KEY_ABOVE("learning_rate", IN(TEACHER, learning_rate), NUMBER, "3e-5", 0, 1, "at its peak")
    KEY_ABOVE("learning_rate", IN(DISTILL, learning_rate), NUMBER, "1e-4", 0, 1, "at its peak")
    KEY_ABOVE("learning_rate", IN(QAT | PRUNE, learning_rate), NUMBER, "5e-5", 0, 1, "at its peak")
    KEY("warmup", IN(TRAINING, warmup), NUMBER, "0.1", 0, 1, "fraction of the steps in which the rate rises")
    KEY("weight_decay", IN(TRAINING, weight_decay), NUMBER, "0.01", 0, 1, "of AdamW")
    KEY("clip_norm", IN(TRAINING, clip_norm), NUMBER, "1", 0, 1e6, "longest gradient; 0: any")
    KEY("dropout", IN(TEACHER, dropout), NUMBER, "0.1", 0, 0.9, "fraction of values zeroed in training")
    KEY("dropout", IN(STUDENT, dropout), NUMBER, "0", 0, 0.9, "fraction of values zeroed in training")

    KEY_CHOICE("loss", IN(STUDENT, loss), losses, "mse", "distance to the teacher's logits")
    KEY_ABOVE("temperature", IN(STUDENT, temperature), NUMBER, "1", 0, 100, "of the kl loss")
    KEY("cross_entropy_weight", IN(STUDENT, cross_entropy_weight), NUMBER, "0", 0, 1,
        "w in (1-w) * loss + w * cross-entropy with the labels")

    KEY("weight_bits", IN(QAT, weight_bits), INT, "8", 2, 8, "integers of the linear layers")
    KEY("embedding_bits", IN(QAT, embedding_bits), INT, "8", 2, 8, "integers of the word and position embeddings")
    KEY_CHOICE("ranges", IN(QAT, ranges), ranges, "learned", "of the activations, after their calibration")
    KEY("calibration_batches", IN(QAT, calibration_batches), INT, "32", 1, 10000, "batches that calibrate the ranges")

    KEY("sparsity", IN(PRUNE, sparsity), NUMBER, "0.5", 0, 0.99, "of the linear layers' weights at the end")
    KEY("ramp", IN(PRUNE, ramp), NUMBER, "0.5", 0, 1, "fraction of the steps over which the sparsity rises")

    KEY("accuracy_min", IN(VERIFY, accuracy_min), NUMBER, "0", 0, 1, "the run fails when the dev accuracy is below")
};

const size_t llmc_config_key_count = sizeof llmc_config_keys / sizeof llmc_config_keys[0];
_Static_assert(sizeof llmc_config_keys / sizeof llmc_config_keys[0] <= LLMC_CONFIG_KEYS_MAX, "raise the limit");

const char *llmc_stage_kind_name(enum llmc_stage_kind kind)
{
    return kinds_of_stages[kind];
}

const char *llmc_precision_name(enum llmc_precision precision)
{
    return precisions[precision];
}

const struct llmc_config_key *llmc_config_key_find(const char *name, unsigned kinds)
{
    for (size_t i = 0; i < llmc_config_key_count; i++) {
        const struct llmc_config_key *key = &llmc_config_keys[i];
        if (strcmp(key->name, name) == 0 && (kinds ? (key->kinds & kinds) != 0 : key->kinds == 0))
            return key;
    }
    return NULL;
}

void llmc_config_legal(const struct llmc_config_key *key, char out[LLMC_CONFIG_TEXT_NBYTES])
{
    size_t length = 0;
    switch (key->type) {
    case LLMC_KEY_NAME:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, "letters, digits, '-', '_' and '.', no '.' in front, at most %.0f",
                 key->max);
        break;
    case LLMC_KEY_TEXT:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, key->min > 0 ? "text of 1 to %.0f bytes" : "text of at most %.0f bytes",
                 key->max);
        break;
    case LLMC_KEY_INT:
    case LLMC_KEY_SEED:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, "whole numbers from %.0f to %.0f", key->min, key->max);
        break;
    case LLMC_KEY_NUMBER:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, key->above_min ? "numbers above %.15g, at most %.15g"
                                                              : "numbers from %.15g to %.15g",
                 key->min, key->max);
        break;
    case LLMC_KEY_CHOICE:
        for (size_t i = 0; key->choices[i]; i++)
            length += (size_t)snprintf(out + length, LLMC_CONFIG_TEXT_NBYTES - length, "%s%s", i ? ", " : "",
                                       key->choices[i]);
        break;
    case LLMC_KEY_LAYERS:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, "lists of whole numbers from %.0f to %.0f, such as [0, 2]", key->min,
                 key->max);
        break;
    }
}
