/* The fields of config.json. */
#ifndef LLMC_FORMATS_HUGGINGFACE_CONFIG_FIELDS_H
#define LLMC_FORMATS_HUGGINGFACE_CONFIG_FIELDS_H

#include "base/status.h"

#include <jansson.h>

/* Checks every field of a config.json: those that llmc reads or that change no answer of a classifier, those that must
 * be without effect; any other is refused. Errors: LLMC_ERR_UNSUPPORTED, with file and field. */
llmc_status llmc_hf_config_fields_check(const json_t *root, const char *path);

#endif
