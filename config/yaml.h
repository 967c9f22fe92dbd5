/*
 * YAML text to a tree of nodes with line numbers, for text that nobody vouches
 * for: bounded depth; no anchors, aliases or tags (they can make a small file
 * expand without end, and no configuration needs them); one document.
 */
#ifndef LLMC_CONFIG_YAML_H
#define LLMC_CONFIG_YAML_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

struct llmc_yaml {
    yaml_document_t document;
    bool loaded;
};

/* Parses `nbytes` bytes. `where` names the text in messages ("FILE" or "--set
 * TEXT"); `lines` adds ":LINE:COLUMN" to it. Errors: LLMC_ERR_CONFIG,
 * LLMC_ERR_MEMORY; release is fine (and not needed) then. */
llmc_status llmc_yaml_parse(struct llmc_yaml *yaml, const char *where, bool lines, const char *text, size_t nbytes);
void llmc_yaml_release(struct llmc_yaml *yaml);

/* The node on top; NULL when the text has none (empty, comments only). */
yaml_node_t *llmc_yaml_root(struct llmc_yaml *yaml);
yaml_node_t *llmc_yaml_node(struct llmc_yaml *yaml, int index);

/* The text of a scalar node when it holds no zero byte; NULL otherwise. */
const char *llmc_yaml_text(const yaml_node_t *node);

/* Whether the node is "nothing" in YAML: no node, or an unquoted "", "~" or "null". */
bool llmc_yaml_is_null(const yaml_node_t *node);

/* The line of a node, counted from 1. */
int llmc_yaml_line(const yaml_node_t *node);

#endif
