#include "base/status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

/* The first bytes of `text` that fit become the message, ended whatever was there. */
static void keep(const char *text)
{
    size_t nbytes = strnlen(text, sizeof message - 1);
    memcpy(message, text, nbytes);
    message[nbytes] = '\0';
}

llmc_status llmc_error(llmc_status code, const char *format, ...)
{
    /* Formatted aside first: an argument may be the old message itself. */
    char text[sizeof message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    keep(text);
    return code;
}

llmc_status llmc_error_prefix(llmc_status code, const char *format, ...)
{
    char prefix[sizeof message];
    char text[2 * sizeof message + 2];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", prefix, message);
    keep(text);
    return code;
}

const char *llmc_error_message(void)
{
    return message;
}

const char *llmc_status_words(llmc_status code)
{
    static const char *const words[] = {
#define LLMC_STATUS_WORDS(code, number, exit_status, words) [code] = words,
        LLMC_STATUS_TABLE(LLMC_STATUS_WORDS)
#undef LLMC_STATUS_WORDS
    };
    return code >= 0 && (size_t)code < sizeof words / sizeof words[0] ? words[code] : "unknown status";
}

int llmc_status_exit(llmc_status code)
{
    static const int exits[] = {
#define LLMC_STATUS_EXIT(code, number, exit_status, words) [code] = exit_status,
        LLMC_STATUS_TABLE(LLMC_STATUS_EXIT)
#undef LLMC_STATUS_EXIT
    };
    return exits[code];
}
