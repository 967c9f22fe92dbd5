/*
 * Texts in, probabilities out. A call is cut into blocks of texts, which are
 * encoded in parallel; a block into groups of tokens; and a group into chunks,
 * one forward pass each. Where a group has sequences for all threads, each thread runs
 * chunks of its own; where it has not (a single text), all threads share one pass.
 */
#include "base/clock.h"
#include "base/failure.h"
#include "base/memory.h"
#include "base/threads.h"
#include "runtime/forward.h"
#include "include/llmc_runtime.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Tokens of a group: bounds the work memory. Tokens of a chunk: few enough that
 * activations stay in the second-level cache, enough that weights are read rarely.
 * Token places of a block: bounds the memory of encoding. */
enum { GROUP_TOKENS = 2048, CHUNK_TOKENS = 192, BLOCK_PLACES = 1 << 16, BLOCK_TEXTS = 256 };

struct llmc_predictor {
    const struct llmc_model *model;
    int threads;
    struct llmc_rt_profile *profiles; /* [threads], the caller's; NULL: none */
    int32_t block_texts;
    int32_t *places;         /* [block_texts, tokens_max] */
    uint8_t *place_types;    /* [block_texts, tokens_max] */
    int32_t *lengths;        /* [block_texts] */
    int32_t *ids;            /* [group] packed */
    uint8_t *types;          /* [group] */
    int32_t *offsets;        /* [2 * block_texts + 1] one run per chunk, each from 0 */
    struct chunk *chunks;    /* [block_texts] */
    struct llmc_rt_work *works;       /* [threads] */
    struct llmc_rt_scratch *scratches; /* [threads] */
};

/* Sequences of a group that pass through the encoder together. */
struct chunk {
    struct llmc_rt_sequences sequences;
    int32_t first; /* in the block */
    int32_t tokens;
};

llmc_status llmc_predictor_create(struct llmc_predictor **out, const struct llmc_model *model, int threads)
{
    llmc_status status = LLMC_OK;
    struct llmc_predictor *predictor = NULL;
    *out = NULL;
    if (threads < 0 || threads > LLMC_THREADS_MAX)
        return llmc_error(LLMC_ERR_ARGUMENT, "threads is %d; allowed values are 0 (all processors) to %d", threads,
                          LLMC_THREADS_MAX);
    LLMC_TRY(llmc_alloc(&predictor, 1, sizeof *predictor));
    predictor->model = model;
    predictor->threads = threads ? threads : llmc_threads_all();
    int32_t texts = BLOCK_PLACES / model->tokens_max;
    predictor->block_texts = texts < 1 ? 1 : texts > BLOCK_TEXTS ? BLOCK_TEXTS : texts;
    size_t block = (size_t)predictor->block_texts, tokens_max = (size_t)model->tokens_max;
    size_t group = GROUP_TOKENS > tokens_max ? GROUP_TOKENS : tokens_max;
    LLMC_TRY(llmc_alloc(&predictor->places, block * tokens_max, sizeof(int32_t)));
    LLMC_TRY(llmc_alloc(&predictor->place_types, block * tokens_max, 1));
    LLMC_TRY(llmc_alloc(&predictor->lengths, block, sizeof(int32_t)));
    LLMC_TRY(llmc_alloc(&predictor->ids, group, sizeof(int32_t)));
    LLMC_TRY(llmc_alloc(&predictor->types, group, 1));
    LLMC_TRY(llmc_alloc(&predictor->offsets, 2 * block + 1, sizeof(int32_t)));
    LLMC_TRY(llmc_alloc(&predictor->chunks, block, sizeof *predictor->chunks));
    LLMC_TRY(llmc_alloc(&predictor->works, (size_t)predictor->threads, sizeof *predictor->works));
    LLMC_TRY(llmc_alloc(&predictor->scratches, (size_t)predictor->threads, sizeof *predictor->scratches));
    *out = predictor;
    predictor = NULL;
exit:
    llmc_predictor_free(predictor);
    return status;
}

void llmc_predictor_free(struct llmc_predictor *predictor)
{
    if (!predictor)
        return;
    for (int i = 0; i < predictor->threads; i++) {
        if (predictor->works)
            llmc_rt_work_release(&predictor->works[i]);
        if (predictor->scratches)
            llmc_rt_scratch_release(&predictor->scratches[i]);
    }
    free(predictor->places);
    free(predictor->place_types);
    free(predictor->lengths);
    free(predictor->ids);
    free(predictor->types);
    free(predictor->offsets);
    free(predictor->chunks);
    free(predictor->works);
    free(predictor->scratches);
    free(predictor);
}

int llmc_predictor_threads(const struct llmc_predictor *predictor)
{
    return predictor->threads;
}

void llmc_rt_predictor_profile(struct llmc_predictor *predictor, struct llmc_rt_profile *profiles)
{
    predictor->profiles = profiles;
}

static struct llmc_rt_profile *profile_of(const struct llmc_predictor *predictor, int thread)
{
    return predictor->profiles ? &predictor->profiles[thread] : NULL;
}

/* Text i to token ids at places[i * tokens_max], whose rows of the embedding are then ready. */
static llmc_status encode_text(struct llmc_predictor *predictor, const char *const *texts, const char *const *pairs,
                               int32_t i)
{
    const struct llmc_model *model = predictor->model;
    const char *pair = pairs ? pairs[i] : NULL;
    size_t at = (size_t)i * (size_t)model->tokens_max;
    struct llmc_rt_profile *profile = profile_of(predictor, omp_get_thread_num());
    double since = profile ? llmc_clock() : 0.0;
    llmc_status status = llmc_tokenizer_encode(model->tokenizer, texts[i], strlen(texts[i]), pair,
                                               pair ? strlen(pair) : 0, model->tokens_max, predictor->places + at,
                                               predictor->place_types + at, &predictor->lengths[i]);
    if (status == LLMC_OK)
        status = llmc_rt_table_fetch(&model->words, predictor->places + at, predictor->lengths[i]);
    if (profile)
        profile->seconds[LLMC_PART_TOKENS] += llmc_clock() - since;
    return status;
}

static llmc_status encode(struct llmc_predictor *predictor, const char *const *texts, const char *const *pairs,
                          int32_t count)
{
    struct llmc_failure failure = {0};
#pragma omp parallel for num_threads(predictor->threads) schedule(dynamic, 4) if (count > 4)
    for (int32_t i = 0; i < count; i++)
        llmc_failure_note(&failure, i, encode_text(predictor, texts, pairs, i));
    return llmc_failure_report(&failure);
}

/* Packs the sequences first..last-1 of the block and cuts them into chunks of
 * about equal numbers of tokens, a multiple of the threads. Returns the number of chunks. */
static int32_t make_chunks(struct llmc_predictor *predictor, int32_t first, int32_t last, int32_t tokens)
{
    size_t tokens_max = (size_t)predictor->model->tokens_max;
    int32_t rounds = (tokens + predictor->threads * CHUNK_TOKENS - 1) / (predictor->threads * CHUNK_TOKENS);
    int64_t wanted = (int64_t)rounds * predictor->threads;
    int32_t count = 0, at = 0;
    int32_t *offsets = predictor->offsets;
    struct chunk *chunk = NULL;
    for (int32_t i = first; i < last; i++) {
        int32_t length = predictor->lengths[i];
        /* A sequence belongs to the part of the group in which its middle lies. */
        if (!chunk || (at + (int64_t)length / 2) * wanted / tokens > (int64_t)count - 1) {
            if (chunk)
                offsets++;
            chunk = &predictor->chunks[count++];
            *chunk = (struct chunk){.first = i,
                                    .sequences = {.offsets = offsets, .ids = predictor->ids + at,
                                                  .types = predictor->types + at}};
            *offsets = 0;
        }
        memcpy(predictor->ids + at, predictor->places + (size_t)i * tokens_max, (size_t)length * sizeof(int32_t));
        memcpy(predictor->types + at, predictor->place_types + (size_t)i * tokens_max, (size_t)length);
        at += length;
        chunk->tokens += length;
        chunk->sequences.count++;
        *++offsets = chunk->tokens;
    }
    return count;
}

/* Memory for the passes, reserved before threads start, where failure is simple. */
static llmc_status reserve(struct llmc_predictor *predictor, int32_t chunk_count, int32_t longest)
{
    llmc_status status = LLMC_OK;
    int32_t tokens = 0;
    for (int32_t i = 0; i < chunk_count; i++)
        tokens = predictor->chunks[i].tokens > tokens ? predictor->chunks[i].tokens : tokens;
    int works = chunk_count < predictor->threads ? chunk_count : predictor->threads;
    for (int i = 0; i < works; i++)
        LLMC_TRY(llmc_rt_work_reserve(&predictor->works[i], predictor->model, tokens));
    for (int i = 0; i < predictor->threads; i++)
        LLMC_TRY(llmc_rt_scratch_reserve(&predictor->scratches[i], predictor->model, tokens, longest));
exit:
    return status;
}

/* The sequences first..last-1 of the block; out [block, labels]. */
static llmc_status run_group(struct llmc_predictor *predictor, int32_t first, int32_t last, int32_t tokens,
                             int32_t longest, float *out)
{
    const struct llmc_model *model = predictor->model;
    size_t labels = (size_t)model->architecture.labels;
    int32_t count = make_chunks(predictor, first, last, tokens);
    llmc_status status = reserve(predictor, count, longest);
    if (status != LLMC_OK)
        return status;
    if (count >= predictor->threads) {
#pragma omp parallel for num_threads(predictor->threads) schedule(dynamic, 1)
        for (int32_t i = 0; i < count; i++) {
            int thread = omp_get_thread_num();
            struct chunk *chunk = &predictor->chunks[i];
            llmc_rt_forward(model, &chunk->sequences, &predictor->works[thread], &predictor->scratches[thread],
                            (struct llmc_rt_team){0, 1}, profile_of(predictor, thread),
                            out + (size_t)chunk->first * labels);
        }
        return LLMC_OK;
    }
#pragma omp parallel num_threads(predictor->threads)
    {
        struct llmc_rt_team team = {omp_get_thread_num(), omp_get_num_threads()};
        for (int32_t i = 0; i < count; i++) {
            struct chunk *chunk = &predictor->chunks[i];
            llmc_rt_forward(model, &chunk->sequences, &predictor->works[0], &predictor->scratches[team.rank], team,
                            profile_of(predictor, team.rank), out + (size_t)chunk->first * labels);
        }
    }
    return LLMC_OK;
}

/* Cuts an encoded block into groups of at most GROUP_TOKENS, or one longer sequence. */
static llmc_status run_block(struct llmc_predictor *predictor, int32_t count, float *out)
{
    llmc_status status = LLMC_OK;
    for (int32_t first = 0, last; first < count; first = last) {
        int32_t tokens = 0, longest = 0;
        for (last = first; last < count; last++) {
            int32_t length = predictor->lengths[last];
            if (last > first && tokens + length > GROUP_TOKENS)
                break;
            tokens += length;
            longest = length > longest ? length : longest;
        }
        LLMC_TRY(run_group(predictor, first, last, tokens, longest, out));
    }
exit:
    return status;
}

llmc_status llmc_predict_logits(struct llmc_predictor *predictor, const char *const *texts, const char *const *pairs,
                                size_t count, float *out)
{
    llmc_status status = LLMC_OK;
    const struct llmc_model *model = predictor->model;
    if (pairs && model->architecture.types < 2)
        return llmc_error(LLMC_ERR_ARGUMENT, LLMC_NO_PAIRS);
    for (size_t i = 0; i < count; i++)
        if (!texts[i])
            return llmc_error(LLMC_ERR_ARGUMENT, "text %zu is missing", i);
    while (count > 0) {
        size_t block = (size_t)predictor->block_texts;
        int32_t texts_now = (int32_t)(count < block ? count : block);
        LLMC_TRY(encode(predictor, texts, pairs, texts_now));
        LLMC_TRY(run_block(predictor, texts_now, out));
        texts += texts_now;
        pairs = pairs ? pairs + texts_now : NULL;
        count -= (size_t)texts_now;
        out += (size_t)texts_now * (size_t)model->architecture.labels;
    }
exit:
    return status;
}

llmc_status llmc_predict(struct llmc_predictor *predictor, const char *const *texts, const char *const *pairs,
                         size_t count, float *out)
{
    llmc_status status = llmc_predict_logits(predictor, texts, pairs, count, out);
    int32_t labels = predictor->model->architecture.labels;
    for (size_t i = 0; status == LLMC_OK && i < count; i++)
        predictor->model->kernels->vectors->softmax(out + i * (size_t)labels, labels);
    return status;
}
