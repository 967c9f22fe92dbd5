/* One value of the configuration: from a YAML node into its field. */
#ifndef LLMC_CONFIG_VALUE_H
#define LLMC_CONFIG_VALUE_H

#include "config/internal.h"
#include "config/yaml.h"

/* Reads `node` (NULL: nothing was written) into the key's field of `base`, a
 * struct llmc_config or a stage's settings; `name` is the key in messages.
 * Errors: LLMC_ERR_CONFIG, LLMC_ERR_MEMORY; the field then keeps its value. */
llmc_status llmc_config_set_node(const struct llmc_config_key *key, void *base, struct llmc_yaml *yaml,
                                 const yaml_node_t *node, const struct llmc_config_origin *origin, const char *name);

#endif
