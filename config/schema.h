/*
 * The table of configuration keys, inside of pipeline/. One row a key; reading,
 * checking, defaults, --set, the effective YAML and the help all go through it.
 * A new key is one field in config.h and one row in config_schema.c.
 */
#ifndef LLMC_CONFIG_SCHEMA_H
#define LLMC_CONFIG_SCHEMA_H

#include "config/config.h"

enum llmc_config_type {
    LLMC_KEY_NAME,   /* char *: part of a file name; min and max count bytes */
    LLMC_KEY_TEXT,   /* char *; min and max count bytes */
    LLMC_KEY_INT,    /* int32_t */
    LLMC_KEY_SEED,   /* uint64_t */
    LLMC_KEY_NUMBER, /* double */
    LLMC_KEY_CHOICE, /* an enum that counts through `choices` from 0 */
    LLMC_KEY_LAYERS, /* student.from_layers and its count */
};

struct llmc_config_key {
    const char *name;            /* "data.folder"; of a stage: "epochs" */
    unsigned kinds;              /* 0: a key of the run; else the stages that take it, bits 1 << kind */
    enum llmc_config_type type;
    size_t offset;               /* in struct llmc_config, or in struct llmc_stage_config */
    const char *fallback;        /* the default as YAML; NULL: there is none */
    double min, max;
    bool above_min;              /* min itself is not legal */
    const char *const *choices;  /* names, NULL at the end */
    const char *meaning;
};

#define LLMC_CONFIG_KEYS_MAX 64
#define LLMC_CONFIG_TEXT_NBYTES 768 /* of a list in a message */

extern const struct llmc_config_key llmc_config_keys[];
extern const size_t llmc_config_key_count;

/* Where a value was written: "--set TEXT", or a line of the file (0: nowhere in it). */
struct llmc_config_origin {
    const char *file;
    int line;
    const char *set; /* NULL: the file */
};

/* "FILE:LINE: KEY: message" or "--set TEXT: message". Returns LLMC_ERR_CONFIG. */
llmc_status llmc_config_error(const struct llmc_config_origin *origin, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The row of a key of the run (kinds 0) or of a stage (kinds: its bit); NULL when there is none. */
const struct llmc_config_key *llmc_config_key_find(const char *name, unsigned kinds);

/* The legal values in words: "whole numbers from 1 to 4096". */
void llmc_config_legal(const struct llmc_config_key *key, char out[LLMC_CONFIG_TEXT_NBYTES]);

/* "unknown key; did you mean X? legal are A, B, C" for a key under `prefix`
 * ("data.", or "" for the top) of the run, or of a stage. */
llmc_status llmc_config_unknown(const struct llmc_config_origin *origin, const char *key, const char *prefix,
                                const char *name, unsigned kinds);

/* Puts a copy of `text` for messages into `out`: cut when long, no control characters. */
void llmc_config_quote(char out[64], const char *text);

/* config_value.c: reads YAML text (a default, a --set) into the key's field of `base`. */
llmc_status llmc_config_set_text(const struct llmc_config_key *key, void *base, const char *text,
                                 const struct llmc_config_origin *origin, const char *name);

/* config_check.c: what no single key can know. `origins` has an entry a row. */
llmc_status llmc_config_check(const struct llmc_config *config, const struct llmc_config_origin *origins);

#endif
