#include "bench/infer_work.h"

#include "architecture/task.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "include/llmc_runtime.h"

#include <stdlib.h>
#include <string.h>

enum { MADE_TEXTS = 512, MADE_WORDS_MIN = 3, MADE_WORDS_MAX = 47, WARM_UP_TEXTS = 32 };

struct words {
    const char **starts; /* in the vocabulary, each ended by '\n' */
    size_t count, longest;
};

static size_t length_of(const char *word)
{
    return strcspn(word, "\n");
}

/* The pieces of a vocabulary that begin a word; the caller frees the starts. */
static llmc_status find_words(struct words *out, const struct llmc_tokenizer *tokenizer)
{
    size_t nbytes;
    const char *vocabulary = llmc_tokenizer_vocabulary(tokenizer, &nbytes);
    llmc_status status = llmc_alloc(&out->starts, (size_t)llmc_tokenizer_size(tokenizer), sizeof *out->starts);
    if (status != LLMC_OK)
        return status;
    for (const char *piece = vocabulary; piece < vocabulary + nbytes; piece += length_of(piece) + 1) {
        if (*piece == '[' || *piece == '\n' || strncmp(piece, "##", 2) == 0)
            continue;
        out->starts[out->count++] = piece;
        out->longest = length_of(piece) > out->longest ? length_of(piece) : out->longest;
    }
    return out->count ? LLMC_OK : llmc_error(LLMC_ERR_DATA, "the vocabulary has no words to make texts of");
}

static llmc_status make_texts(struct llmc_infer_work *work)
{
    llmc_status status = LLMC_OK;
    struct words words = {0};
    uint64_t key = llmc_random_key(1, 0x74657874, 0), drawn = 0;
    LLMC_TRY(find_words(&words, work->model->tokenizer));
    LLMC_TRY(llmc_alloc(&work->made, MADE_TEXTS * MADE_WORDS_MAX, words.longest + 1));
    LLMC_TRY(llmc_alloc(&work->texts, MADE_TEXTS, sizeof *work->texts));
    char *at = work->made;
    for (work->count = 0; work->count < MADE_TEXTS; work->count++) {
        uint64_t count = MADE_WORDS_MIN + llmc_random_u64(key, drawn++) % (MADE_WORDS_MAX - MADE_WORDS_MIN + 1);
        work->texts[work->count] = at;
        for (uint64_t i = 0; i < count; i++) {
            const char *word = words.starts[llmc_random_u64(key, drawn++) % words.count];
            memcpy(at, word, length_of(word));
            at += length_of(word);
            *at++ = i + 1 < count ? ' ' : '\0';
        }
    }
exit:
    free(words.starts);
    return status;
}

static llmc_status read_texts(struct llmc_infer_work *work, const char *path, const char *column)
{
    llmc_status status = LLMC_OK;
    struct llmc_labels labels = {0};
    LLMC_TRY(llmc_rows_read(&work->rows, path, &(struct llmc_columns){.text = column}, &labels));
    LLMC_TRY(llmc_alloc(&work->texts, work->rows.count, sizeof *work->texts));
    work->count = work->rows.count;
    for (size_t i = 0; i < work->count; i++)
        work->texts[i] = work->rows.texts[i];
exit:
    llmc_labels_release(&labels);
    return status;
}

llmc_status llmc_infer_work_init(struct llmc_infer_work *work, const char *file, const char *texts, const char *column)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_model_open(&work->model, file));
    LLMC_TRY(texts ? read_texts(work, texts, column) : make_texts(work));
    LLMC_TRY(llmc_alloc(&work->ids, (size_t)work->model->tokens_max, sizeof *work->ids));
    size_t labels = (size_t)llmc_model_label_count(work->model);
    LLMC_TRY(llmc_alloc(&work->scores, work->count * labels, sizeof *work->scores));
    for (size_t i = 0; i < work->count; i++) {
        int32_t tokens;
        LLMC_TRY(llmc_tokenize(work->model, work->texts[i], NULL, work->ids, NULL, &tokens));
        work->tokens += tokens;
    }
exit:
    return status;
}

void llmc_infer_work_release(struct llmc_infer_work *work)
{
    free(work->made);
    free(work->texts);
    free(work->ids);
    free(work->scores);
    llmc_rows_release(&work->rows);
    llmc_model_free(work->model);
    memset(work, 0, sizeof *work);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static llmc_status answer(struct llmc_infer_work *work, struct llmc_predictor *predictor, size_t first, size_t count)
{
    size_t labels = (size_t)llmc_model_label_count(work->model);
    return llmc_predict(predictor, work->texts + first, NULL, count, work->scores + first * labels);
}

static llmc_status answer_all(struct llmc_infer_work *work, struct llmc_predictor *predictor, size_t batch,
                              double *latencies)
{
    llmc_status status = LLMC_OK;
    double last = llmc_clock();
    for (size_t first = 0; first < work->count; first += batch) {
        LLMC_TRY(answer(work, predictor, first, least(work->count - first, batch)));
        if (latencies) {
            double now = llmc_clock();
            latencies[first] = now - last;
            last = now;
        }
    }
exit:
    return status;
}

/* Makes the work memory, and the threads where others ran before. */
static llmc_status warm_up(struct llmc_infer_work *work, struct llmc_predictor *predictor, int batch)
{
    return answer(work, predictor, 0, least(work->count, batch > WARM_UP_TEXTS ? (size_t)batch : WARM_UP_TEXTS));
}

llmc_status llmc_infer_predict(struct llmc_infer_work *work, struct llmc_predictor *predictor, int batch,
                               double *seconds, double *latencies)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(warm_up(work, predictor, batch));
    double start = llmc_clock();
    LLMC_TRY(answer_all(work, predictor, (size_t)batch, latencies));
    *seconds = llmc_clock() - start;
exit:
    return status;
}

int32_t llmc_infer_answer(const struct llmc_infer_work *work, size_t text)
{
    int32_t labels = llmc_model_label_count(work->model);
    return llmc_task_single_label.answer(work->scores + text * (size_t)labels, labels);
}

llmc_status llmc_infer_tokenize(struct llmc_infer_work *work, double *seconds)
{
    llmc_status status = LLMC_OK;
    int32_t tokens;
    double start = llmc_clock();
    for (size_t i = 0; i < work->count; i++)
        LLMC_TRY(llmc_tokenize(work->model, work->texts[i], NULL, work->ids, NULL, &tokens));
    *seconds = llmc_clock() - start;
exit:
    return status;
}

llmc_status llmc_infer_profile(struct llmc_infer_work *work, struct llmc_predictor *predictor, int batch,
                               double *seconds, struct llmc_rt_profile *profile)
{
    llmc_status status = LLMC_OK;
    struct llmc_rt_profile *profiles = NULL;
    int threads = llmc_predictor_threads(predictor);
    memset(profile, 0, sizeof *profile);
    LLMC_TRY(llmc_alloc(&profiles, (size_t)threads, sizeof *profiles));
    LLMC_TRY(warm_up(work, predictor, batch));
    llmc_rt_predictor_profile(predictor, profiles);
    double start = llmc_clock();
    LLMC_TRY(answer_all(work, predictor, (size_t)batch, NULL));
    *seconds = llmc_clock() - start;
    for (int i = 0; i < threads; i++) {
        for (int part = 0; part < LLMC_PARTS; part++)
            profile->seconds[part] += profiles[i].seconds[part];
        profile->integer_operations += profiles[i].integer_operations;
    }
exit:
    llmc_rt_predictor_profile(predictor, NULL);
    free(profiles);
    return status;
}
