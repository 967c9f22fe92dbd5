/*
 * The one way in which llmc reports failure.
 *
 * Every function that can fail returns an llmc_status. The function in which
 * the failure happened records one sentence with LLMC_FAIL() or llmc_error();
 * callers only pass the status on with LLMC_TRY(). The sentence is kept per
 * thread, and names what a user can act on: file, line, key, allowed
 * values. No library function prints, exits or aborts.
 *
 *     llmc_status load(const char *path)
 *     {
 *         llmc_status status = LLMC_OK;
 *         FILE *file = fopen(path, "rb");
 *         if (!file)
 *             LLMC_FAIL(LLMC_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
 *         LLMC_TRY(read_header(file));
 *     exit:
 *         if (file) fclose(file);
 *         return status;
 *     }
 */
#ifndef LLMC_BASE_STATUS_H
#define LLMC_BASE_STATUS_H

/* code, its number, exit status of a command, words that start the message at the command line. The runtime library
 * hands these numbers to programs of others (include/llmc_runtime.h; runtime/status.c holds the two lists equal): they
 * stay what they are, and new ones come at the end. */
#define LLMC_STATUS_TABLE(X)                                                   \
    X(LLMC_OK, 0, 0, "ok")                                                     \
    X(LLMC_ERR_IO, 1, 3, "input/output error")                                 \
    X(LLMC_ERR_FORMAT, 2, 4, "bad file")                                       \
    X(LLMC_ERR_CONFIG, 3, 5, "bad configuration")                              \
    X(LLMC_ERR_DATA, 4, 6, "bad data")                                         \
    X(LLMC_ERR_ARGUMENT, 5, 2, "bad argument")                                 \
    X(LLMC_ERR_MEMORY, 6, 7, "out of memory")                                  \
    X(LLMC_ERR_TORCH, 7, 8, "LibTorch error")                                  \
    X(LLMC_ERR_UNSUPPORTED, 8, 9, "not supported")                             \
    X(LLMC_ERR_INTERRUPTED, 9, 130, "interrupted")

#ifndef LLMC_RUNTIME_H /* which has the same type, for programs that see no header but it */
typedef enum llmc_status {
#define LLMC_STATUS_CODE(code, number, exit_status, words) code = number,
    LLMC_STATUS_TABLE(LLMC_STATUS_CODE)
#undef LLMC_STATUS_CODE
} llmc_status;
#endif

/* Functions of the installed library too: their names stay visible where others are hidden. */
#define LLMC_STATUS_VISIBLE __attribute__((visibility("default")))

/* One sentence on this thread's last failure; "" if there was none. Valid until the thread's next failure. */
LLMC_STATUS_VISIBLE const char *llmc_error_message(void);

/* The words of a status: "bad file". */
LLMC_STATUS_VISIBLE const char *llmc_status_words(llmc_status code);

/* Records the message of a failure of this thread (at most 1,023 bytes; longer
 * text is cut) and returns `code`, which must not be LLMC_OK. */
llmc_status llmc_error(llmc_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "PREFIX: " before this thread's message, for callers that know the file
 * or the key which the failing function could not know; cut like every message. Returns `code`. */
llmc_status llmc_error_prefix(llmc_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The exit status of a command that ends with `code`. */
int llmc_status_exit(llmc_status code);

/* Both need a variable `status` and a label `exit` in the function. */
#define LLMC_TRY(call)                                                         \
    do {                                                                       \
        if ((status = (call)) != LLMC_OK)                                      \
            goto exit;                                                         \
    } while (0)

#define LLMC_FAIL(...)                                                         \
    do {                                                                       \
        status = llmc_error(__VA_ARGS__);                                      \
        goto exit;                                                             \
    } while (0)

#endif
