/*
 * JSON files that other programs wrote.
 */
#ifndef LLMC_BASE_JSON_FILE_H
#define LLMC_BASE_JSON_FILE_H

#include "base/status.h"

#include <jansson.h>

/* Reads a file whose top is a JSON object; the caller releases it with json_decref. Integers beyond 64 bits, which
 * Python writes (transformers says "no limit" by 1000000000000000019884624838656), become reals. Errors: LLMC_ERR_IO,
 * LLMC_ERR_FORMAT with line and column (no JSON, no object, a key twice, above 256 MiB, a git-lfs pointer). */
llmc_status llmc_json_file_read(const char *path, json_t **out);

#endif
