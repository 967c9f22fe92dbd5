/*
 * llmc_runtime: labels for texts from a compressed checkpoint, model.llmc.
 *
 *     struct llmc_model *model;
 *     if (llmc_model_open(&model, "model.llmc") != LLMC_OK)
 *         ... llmc_error_message() ...
 *     struct llmc_predictor *predictor;
 *     llmc_predictor_create(&predictor, model, 2);
 *     const char *text = "a gripping film";
 *     float probabilities[2];
 *     llmc_predict(predictor, &text, NULL, 1, probabilities);
 *
 * A model is read-only once open: any number of predictors may share it, each
 * used by one thread at a time. Results do not depend on how texts are grouped
 * into calls, on the number of threads, or on the processor.
 *
 * The library keeps nothing between objects but the error message, which is per
 * thread. It never prints, exits, or changes the process, but for one request: on
 * processors with AMX, opening a model asks Linux to let the process use it, which
 * makes signal frames 8 KB larger (LLMC_DISABLE_CPU_FEATURES=amx_int8 in the
 * environment: not to ask). Open one model
 * at a time where libhdf5 is built without thread safety (Debian's is built
 * with it); everything else may run side by side.
 *
 * Threads are OpenMP's. Where the machine has other work too, set
 * GOMP_SPINCOUNT=10000 before the program starts: by default waiting threads
 * keep processors busy for milliseconds, from which two threads on two
 * processors beside one other busy process suffer a hundredfold.
 */
#ifndef LLMC_RUNTIME_H
#define LLMC_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LLMC_PUBLIC __attribute__((visibility("default")))
#else
#define LLMC_PUBLIC
#endif

/* What a call returns. Values stay what they are; new ones come at the end. */
#ifndef LLMC_BASE_STATUS_H /* llmc's own sources have the same type from there */
typedef enum llmc_status {
    LLMC_OK = 0,
    LLMC_ERR_IO,
    LLMC_ERR_FORMAT, /* a file that is damaged, or not what it should be */
    LLMC_ERR_CONFIG,
    LLMC_ERR_DATA,
    LLMC_ERR_ARGUMENT,
    LLMC_ERR_MEMORY,
    LLMC_ERR_TORCH,
    LLMC_ERR_UNSUPPORTED,
    LLMC_ERR_INTERRUPTED
} llmc_status;
#endif

/* One sentence on this thread's last failure; "" if there was none. Valid until the thread's next failure. */
LLMC_PUBLIC const char *llmc_error_message(void);

/* The words of a status: "bad file". */
LLMC_PUBLIC const char *llmc_status_words(llmc_status status);

/* The version of the library: "0.1.0". */
LLMC_PUBLIC const char *llmc_runtime_version(void);

struct llmc_model;
struct llmc_predictor;

/* Loads and checks a compressed checkpoint: its checksum before anything else. Large files are unpacked by as many
 * threads as llmc_predictor_create takes for 0. The word embedding stays packed in the file, which stays open until
 * llmc_model_free; calls below read and unpack the rows that they meet first, and keep them. The file may be removed
 * or replaced by another of its name; if it is changed in place, calls may fail or answer wrongly, but do no harm.
 * On failure *out is NULL.
 * Errors: LLMC_ERR_IO, LLMC_ERR_FORMAT, LLMC_ERR_UNSUPPORTED, LLMC_ERR_MEMORY. */
LLMC_PUBLIC llmc_status llmc_model_open(struct llmc_model **out, const char *path);

/* The same from a file's bytes in memory, which are not copied: they must stay until llmc_model_free. */
LLMC_PUBLIC llmc_status llmc_model_open_memory(struct llmc_model **out, const void *bytes, size_t nbytes);

LLMC_PUBLIC void llmc_model_free(struct llmc_model *model); /* NULL ok; after its predictors */

LLMC_PUBLIC int32_t llmc_model_label_count(const struct llmc_model *model);

/* The name of label 0, 1, ...; owned by the model; NULL when there is no such label. */
LLMC_PUBLIC const char *llmc_model_label(const struct llmc_model *model, int32_t label);

/* The longest text in tokens; longer ones are cut. */
LLMC_PUBLIC int32_t llmc_model_tokens_max(const struct llmc_model *model);

/* The kernels in use: "amx_int8", "avx512_vnni", "avx_vnni", "avx2", "portable". */
LLMC_PUBLIC const char *llmc_model_kernels(const struct llmc_model *model);

/* The ids that the model sees of one text, or of a pair where `pair` is not NULL, special tokens included.
 * ids and types: [llmc_model_tokens_max()]; types may be NULL. *count_ret = the number of tokens. Any thread.
 * Errors: LLMC_ERR_MEMORY, LLMC_ERR_ARGUMENT. */
LLMC_PUBLIC llmc_status llmc_tokenize(const struct llmc_model *model, const char *text, const char *pair, int32_t *ids,
                                      uint8_t *types, int32_t *count_ret);

/* Work memory for predictions with `threads` threads, at most 256. 0: as many as OMP_NUM_THREADS says; where that is not
 * set, one for each processor that the process may use (its affinity mask, omp_set_num_threads, and the CPU quota of its
 * control groups, rounded up). More than that wait for one another. The model stays the caller's. On failure *out is
 * NULL. Errors: LLMC_ERR_ARGUMENT (threads below 0 or above 256), LLMC_ERR_MEMORY. */
LLMC_PUBLIC llmc_status llmc_predictor_create(struct llmc_predictor **out, const struct llmc_model *model,
                                              int threads);
LLMC_PUBLIC void llmc_predictor_free(struct llmc_predictor *predictor); /* NULL ok */

/* How many threads it works with, at least 1. */
LLMC_PUBLIC int llmc_predictor_threads(const struct llmc_predictor *predictor);

/* Probabilities of all labels for `count` texts: out [count, labels]. pairs: [count] second texts, or NULL. Texts are
 * zero-terminated UTF-8 (bytes that are not count as U+FFFD) of any length, cut to the model's tokens_max. Any
 * count: work memory grows with the largest call up to a fixed number of tokens and is reused.
 * Errors: LLMC_ERR_MEMORY, LLMC_ERR_ARGUMENT, LLMC_ERR_IO (reading rows of the word embedding), LLMC_ERR_FORMAT (rows
 * that break the format's rules, in a file made to do so). After an error, out is undefined. */
LLMC_PUBLIC llmc_status llmc_predict(struct llmc_predictor *predictor, const char *const *texts,
                                     const char *const *pairs, size_t count, float *out);

/* The same before the softmax. */
LLMC_PUBLIC llmc_status llmc_predict_logits(struct llmc_predictor *predictor, const char *const *texts,
                                            const char *const *pairs, size_t count, float *out);

#ifdef __cplusplus
}
#endif

#endif
