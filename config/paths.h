/*
 * Where the folders of a configuration are. A relative one is looked for in
 * $LLMC_DATA first (when that is set), then in ./data. The configuration keeps
 * the text as it was written, so that the same run works on another machine.
 */
#ifndef LLMC_CONFIG_PATHS_H
#define LLMC_CONFIG_PATHS_H

#include "config/config.h"

/* *out = the path of `file` in `folder` (data.folder or teacher.folder of
 * `config`), or of the folder itself when `file` is NULL; it exists. An absolute
 * `file` stands for itself. The caller frees *out. Errors: LLMC_ERR_IO, which
 * names the places that were tried and where the data or a teacher come from; LLMC_ERR_MEMORY. */
llmc_status llmc_config_path(const struct llmc_config *config, const char *folder, const char *file, char **out);

#endif
