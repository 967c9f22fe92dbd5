/* Text that grows: open_memstream with our errors. Inside config/ only. */
#ifndef LLMC_CONFIG_STREAM_H
#define LLMC_CONFIG_STREAM_H

#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>

/* A stream into *text, or NULL with a recorded message (LLMC_ERR_MEMORY). */
static inline FILE *llmc_config_stream(char **text, size_t *nbytes)
{
    *text = NULL;
    FILE *stream = open_memstream(text, nbytes);
    if (!stream)
        llmc_error(LLMC_ERR_MEMORY, "out of memory while writing the configuration");
    return stream;
}

/* Closes it: *text is complete, or there was no memory for it and *text is NULL. */
static inline llmc_status llmc_config_stream_end(FILE *stream, char **text)
{
    int failed = ferror(stream);
    if (fclose(stream) == 0 && !failed)
        return LLMC_OK;
    free(*text);
    *text = NULL;
    return llmc_error(LLMC_ERR_MEMORY, "out of memory while writing the configuration");
}

#endif
