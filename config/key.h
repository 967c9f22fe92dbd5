/*
 * Keys of a configuration: one table row a key. Parsing, range checks, defaults, --set, the effective YAML, --keys, the
 * tables of doc/configuration.md and the fingerprints of stages all go through the row; a new key is a field and a row.
 *
 * The run's keys stand in config/keys.c. A kind of stage has a table of its own, where its fields are:
 *
 *     struct prune_settings { struct llmc_train_settings train; double sparsity; };
 *     static const struct llmc_config_key keys[] = {
 *         LLMC_TRAIN_KEYS(struct prune_settings, train, "2", "5e-5", "0")
 *         LLMC_KEY("sparsity", struct prune_settings, sparsity, NUMBER, "0.5", 0, 0.99, "of the weights at the end")
 *     };
 */
#ifndef LLMC_CONFIG_KEY_H
#define LLMC_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum llmc_config_type {
    LLMC_KEY_NAME,   /* char *: part of a file name; min and max count bytes */
    LLMC_KEY_TEXT,   /* char *; min and max count bytes */
    LLMC_KEY_INT,    /* int32_t */
    LLMC_KEY_SEED,   /* uint64_t */
    LLMC_KEY_NUMBER, /* double */
    LLMC_KEY_CHOICE, /* an enum that counts through `choices` from 0 */
    LLMC_KEY_INTS,   /* struct llmc_int_list; min and max of each number */
    LLMC_KEY_TEXTS,  /* struct llmc_text_list; min and max of the bytes of each text */
    LLMC_KEY_ONE_OR_TEXTS, /* the same, in which one text needs no list */
};

#define LLMC_INT_LIST_MAX 128
struct llmc_int_list {
    int32_t values[LLMC_INT_LIST_MAX];
    int32_t count;
};

#define LLMC_TEXT_LIST_MAX 1000 /* as many as there may be labels */
struct llmc_text_list {
    char **texts; /* [count] */
    int32_t count;
};

/* Whose results change with a key of the run; the fingerprints of stages follow from it. Keys of a stage are always its
 * own. What a path names is hashed by its content, so such keys are of no stage. */
enum llmc_config_scope { LLMC_OF_ALL_STAGES, LLMC_OF_STUDENT, LLMC_OF_NO_STAGE };

struct llmc_config_key {
    const char *name;            /* "data.folder"; of a stage: "epochs" */
    enum llmc_config_type type;
    enum llmc_config_scope scope;
    size_t offset;               /* in struct llmc_config, or in the settings of the stage's kind */
    const char *fallback;        /* the default as YAML; NULL: there is none */
    double min, max;
    bool above_min;              /* min itself is not allowed */
    const char *const *choices;  /* names, NULL at the end */
    const char *meaning;
};

#define LLMC_KEY_ROW(name_, struct_, field_, type_, fallback_, min_, max_, above_, choices_, scope_, meaning_)          \
    {.name = name_, .type = LLMC_KEY_##type_, .scope = scope_, .offset = offsetof(struct_, field_),                     \
     .fallback = fallback_, .min = min_, .max = max_, .above_min = above_, .choices = choices_, .meaning = meaning_},

/* A key of a stage; one whose least value is itself not allowed; one of some words. */
#define LLMC_KEY(name_, struct_, field_, type_, fallback_, min_, max_, meaning_) \
    LLMC_KEY_ROW(name_, struct_, field_, type_, fallback_, min_, max_, false, NULL, LLMC_OF_NO_STAGE, meaning_)
#define LLMC_KEY_ABOVE(name_, struct_, field_, type_, fallback_, min_, max_, meaning_) \
    LLMC_KEY_ROW(name_, struct_, field_, type_, fallback_, min_, max_, true, NULL, LLMC_OF_NO_STAGE, meaning_)
#define LLMC_KEY_ONE_OF(name_, struct_, field_, choices_, fallback_, meaning_) \
    LLMC_KEY_ROW(name_, struct_, field_, CHOICE, fallback_, 0, 0, false, choices_, LLMC_OF_NO_STAGE, meaning_)

#endif
