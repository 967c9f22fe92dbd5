/* What the files of config/ share: the run's table of keys, lists of names, messages. Inside config/ only. */
#ifndef LLMC_CONFIG_INTERNAL_H
#define LLMC_CONFIG_INTERNAL_H

#include "config/config.h"

#define LLMC_CONFIG_KEYS_MAX 64
#define LLMC_CONFIG_TEXT_NBYTES 768 /* of a list in a message */

/* A table of keys: the run's, or that of a kind of stage. */
struct llmc_config_table {
    const struct llmc_config_key *keys;
    size_t count;
};
extern const struct llmc_config_table llmc_config_run_keys;
struct llmc_config_table llmc_config_kind_keys(const struct llmc_config_kind *kind);

/* The row of that name, or NULL. */
const struct llmc_config_key *llmc_config_key_find(const struct llmc_config_table *table, const char *name);

/* The kind of that name, or NULL; and "allowed are teacher, logits, ...". */
const struct llmc_config_kind *llmc_config_kind_find(const struct llmc_config_kind *const *kinds, const char *name);
void llmc_config_allowed_kinds(const struct llmc_config_kind *const *kinds, char out[LLMC_CONFIG_TEXT_NBYTES]);

/* What is allowed, in words: "whole numbers from 1 to 4096". */
void llmc_config_allowed(const struct llmc_config_key *key, char out[LLMC_CONFIG_TEXT_NBYTES]);

/* "unknown key; did you mean X? allowed are A, B, C" for a key under `prefix` ("data.", or "" for the top) of a table;
 * `more`: a name beside those of the table, or NULL. */
llmc_status llmc_config_unknown(const struct llmc_config_origin *origin, const char *key, const char *prefix,
                                const char *name, const struct llmc_config_table *table, const char *more);

/* Text from a file as part of a message: cut, and without control characters. */
void llmc_config_quote(char out[64], const char *text);

/* Reads YAML text into the key's field of `base` (struct llmc_config or a stage's settings). */
llmc_status llmc_config_set_text(const struct llmc_config_key *key, void *base, const char *text,
                                 const struct llmc_config_origin *origin, const char *name);

/* Frees what the key's field of `base` owns and clears it. */
void llmc_config_clear_field(const struct llmc_config_key *key, void *base);

/* Refuses combinations that cannot work; `origins` tells where each key of the run was written, in the table's order. */
llmc_status llmc_config_check(const struct llmc_config *config, const struct llmc_config_origin *origins);

#endif
