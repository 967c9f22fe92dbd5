/*
 * The stage augment: `variants` of each training text on average (distill/variant.h) join the texts that the teacher
 * answers and a student learns from, behind those that are there. They are made by their position whenever they are asked
 * for, and are nowhere but in the batch under way, so that there may be any number of them.
 *
 * What the stage makes is small: the neighbours of the words that occur, in augment.h5: after the seal of
 * formats/hdf5/envelope.h (magic "LLMA\r\n\x1a\n", version 1)
 *     /words        I32 [words] ids of the words that may be replaced, ascending
 *     /neighbours   I32 [words, 15] ids of their nearest words in the teacher's word embedding; -1 behind the last
 */
#include "base/file.h"
#include "base/memory.h"
#include "distill/neighbours.h"
#include "distill/stage.h"
#include "distill/variant.h"
#include "formats/hdf5/envelope.h"
#include "formats/hdf5/file.h"

#include <stdlib.h>
#include <string.h>

static const struct llmc_envelope seal = {"LLMA", 1, "table of neighbours", 1};

/* To be changed when the same settings make other variants: the teachers' answers to the old ones do not fit then. */
#define VARIANTS_RULE "variants by length"

struct settings {
    int32_t variants, frequent;
    struct llmc_variant_settings variant;
};

static const struct llmc_config_key keys[] = {
    LLMC_KEY("variants", struct settings, variants, INT, "10", 1, 10000,
             "of each training text on average; longer ones have more")
    LLMC_KEY("masked", struct settings, variant.masked, NUMBER, "0.1", 0, 1, "share of the words that become [MASK]")
    LLMC_KEY("replaced", struct settings, variant.replaced, NUMBER, "0.2", 0, 1,
             "share of the words that become one of their 15 nearest in the teacher's word embedding")
    LLMC_KEY("ngram", struct settings, variant.ngram, NUMBER, "0.1", 0, 1, "share of the texts of which a run of words stays")
    LLMC_KEY("joined", struct settings, variant.joined, NUMBER, "0.1", 0, 1,
             "share of the texts that go on as another text ends")
    LLMC_KEY("frequent", struct settings, frequent, INT, "100", 0, 1000000,
             "so many of the most frequent words are never replaced")
};

/* The neighbours and the texts that are made with them. */
struct augmented {
    struct llmc_words words;
    struct llmc_variants variants;
    int32_t *place;      /* [pieces] */
    int32_t *replaced;   /* [word_count] */
    int32_t *neighbours; /* [word_count, LLMC_NEIGHBOURS] */
    int64_t word_count;
    int64_t first, count; /* number of the first variant among all texts; of variants */
};

static void free_augmented(void *context)
{
    struct augmented *a = context;
    if (!a)
        return;
    llmc_words_release(&a->words);
    free(a->place);
    free(a->replaced);
    free(a->neighbours);
    free(a);
}

static llmc_status add_variant(void *context, int64_t row, struct llmc_batch *batch)
{
    const struct augmented *a = context;
    return llmc_variant_add(&a->variants, llmc_variant_text(a->variants.texts, row, a->count), a->first + row, row, batch);
}

/* Before the first stage: probabilities that exclude one another. */
static llmc_status prepare(const struct llmc_stage_work *work)
{
    const struct settings *s = work->stage->settings;
    if (s->variant.masked + s->variant.replaced > 1)
        return llmc_error(LLMC_ERR_CONFIG, "%s: %s: masked and replaced: are %g and %g; allowed are shares that sum to at "
                          "most 1", work->config->path, work->stage->name, s->variant.masked, s->variant.replaced);
    if (s->variant.ngram + s->variant.joined > 1)
        return llmc_error(LLMC_ERR_CONFIG, "%s: %s: ngram and joined: are %g and %g; allowed are shares that sum to at "
                          "most 1", work->config->path, work->stage->name, s->variant.ngram, s->variant.joined);
    return LLMC_OK;
}

struct counted {
    int64_t count;
    int32_t id;
};

static int by_count(const void *a, const void *b)
{
    const struct counted *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return x->id < y->id ? -1 : 1;
}

static int by_id(const void *a, const void *b)
{
    return *(const int32_t *)a < *(const int32_t *)b ? -1 : 1;
}

/* out [*count] = the words of the training texts that may be replaced, ascending. */
static llmc_status choose_words(const struct llmc_words *words, const struct llmc_dataset *texts, int32_t frequent,
                                int32_t *out, int32_t *count)
{
    llmc_status status = LLMC_OK;
    int64_t *counts = NULL;
    struct counted *sorted = NULL;
    int32_t found = 0;
    *count = 0;
    LLMC_TRY(llmc_alloc(&counts, (size_t)words->pieces, sizeof *counts));
    LLMC_TRY(llmc_alloc(&sorted, (size_t)words->pieces, sizeof *sorted));
    llmc_words_count(words, texts, counts);
    for (int32_t id = 0; id < words->pieces; id++)
        if (counts[id] > 0)
            sorted[found++] = (struct counted){counts[id], id};
    qsort(sorted, (size_t)found, sizeof *sorted, by_count);
    for (int32_t i = frequent; i < found; i++)
        out[(*count)++] = sorted[i].id;
    qsort(out, (size_t)*count, sizeof *out, by_id);
exit:
    free(counts);
    free(sorted);
    return status;
}

static llmc_status write_table(const char *path, const int32_t *words, const int32_t *neighbours, int64_t count)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *file = NULL;
    char *temporary = NULL;
    const int64_t shape[2] = {count, LLMC_NEIGHBOURS};
    LLMC_TRY(llmc_file_begin(path, &temporary));
    LLMC_TRY(llmc_h5_create(&file, temporary, LLMC_ENVELOPE_NBYTES));
    LLMC_TRY(llmc_h5_write(file, "words", LLMC_I32, 1, shape, words, 1));
    LLMC_TRY(llmc_h5_write(file, "neighbours", LLMC_I32, 2, shape, neighbours, 1));
    LLMC_TRY(llmc_h5_close(&file));
    LLMC_TRY(llmc_envelope_seal(temporary, &seal));
    LLMC_TRY(llmc_file_commit(&temporary, path));
exit:
    llmc_h5_abandon(&file);
    llmc_file_abandon(&temporary);
    return status;
}

static llmc_status run(struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    const struct settings *settings = work->stage->settings;
    struct llmc_state teacher = {0};
    struct llmc_words words = {0};
    int32_t *replaced = NULL, *candidates = NULL, *neighbours = NULL, count, candidate_count = 0;
    LLMC_TRY(llmc_words_init(&words, work->data->tokenizer));
    LLMC_TRY(llmc_alloc(&replaced, (size_t)words.pieces, sizeof *replaced));
    LLMC_TRY(llmc_alloc(&candidates, (size_t)words.pieces, sizeof *candidates));
    LLMC_TRY(choose_words(&words, &work->data->train, settings->frequent, replaced, &count));
    for (int32_t id = 0; id < words.pieces; id++)
        if (words.whole[id])
            candidates[candidate_count++] = id;
    LLMC_TRY(llmc_alloc(&neighbours, (size_t)count * LLMC_NEIGHBOURS, sizeof *neighbours));
    LLMC_TRY(llmc_stage_load_teacher(work, LLMC_F32, &teacher));
    const struct llmc_neighbour_search search = {
        .table = llmc_parameter_values(&teacher.model.parameters, 0), /* the word embedding comes first */
        .hidden = (int32_t)teacher.model.parameters.table[0].cols, .words = replaced, .count = count,
        .candidates = candidates, .candidate_count = candidate_count, .wanted = LLMC_NEIGHBOURS};
    LLMC_TRY(llmc_neighbours_find(&search, &work->ops->gemm, neighbours));
    LLMC_TRY(write_table(work->product_path, replaced, neighbours, count));
    llmc_stage_message(work, "%d of the training texts' words have neighbours", count);
exit:
    llmc_state_release(&teacher);
    llmc_words_release(&words);
    free(replaced);
    free(candidates);
    free(neighbours);
    return status;
}

static llmc_status read_table(const char *path, struct augmented *a)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *file = NULL;
    enum llmc_number number;
    int rank;
    int64_t shape[LLMC_H5_RANK_MAX];
    LLMC_TRY(llmc_envelope_verify_file(path, &seal));
    LLMC_TRY(llmc_h5_open(&file, path));
    LLMC_TRY(llmc_h5_describe(file, "words", &number, &rank, shape));
    a->word_count = shape[0];
    shape[1] = LLMC_NEIGHBOURS;
    if (rank != 1 || a->word_count > a->words.pieces)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: words: of another vocabulary", path);
    LLMC_TRY(llmc_alloc(&a->replaced, (size_t)a->word_count, sizeof *a->replaced));
    LLMC_TRY(llmc_alloc(&a->neighbours, (size_t)a->word_count * LLMC_NEIGHBOURS, sizeof *a->neighbours));
    LLMC_TRY(llmc_alloc(&a->place, (size_t)a->words.pieces, sizeof *a->place));
    LLMC_TRY(llmc_h5_read(file, "words", LLMC_I32, 1, shape, a->replaced));
    LLMC_TRY(llmc_h5_read(file, "neighbours", LLMC_I32, 2, shape, a->neighbours));
    memset(a->place, -1, (size_t)a->words.pieces * sizeof *a->place);
    for (int64_t i = 0; i < a->word_count; i++) {
        if (a->replaced[i] < 0 || a->replaced[i] >= a->words.pieces)
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: words: %d is not in the vocabulary", path, a->replaced[i]);
        a->place[a->replaced[i]] = (int32_t)i;
        for (int j = 0; j < LLMC_NEIGHBOURS; j++)
            if (a->neighbours[i * LLMC_NEIGHBOURS + j] >= a->words.pieces)
                LLMC_FAIL(LLMC_ERR_FORMAT, "%s: neighbours: %d is not in the vocabulary", path,
                          a->neighbours[i * LLMC_NEIGHBOURS + j]);
    }
exit:
    llmc_h5_abandon(&file);
    return status;
}

/* The hash of the texts goes on with all that the variants follow from beside the training texts. */
static llmc_status hash_variants(const struct llmc_stage_work *work, const struct augmented *a,
                                 char texts[LLMC_HASH_TEXT_NBYTES])
{
    struct llmc_hash hash;
    const struct settings *s = work->stage->settings;
    const double shares[4] = {s->variant.masked, s->variant.replaced, s->variant.ngram, s->variant.joined};
    const int64_t numbers[3] = {s->variants, work->config->data.tokens_max, (int64_t)work->config->seed};
    llmc_status status = llmc_hash_init(&hash);
    if (status != LLMC_OK)
        return status;
    llmc_hash_text(&hash, texts);
    llmc_hash_text(&hash, VARIANTS_RULE);
    llmc_hash_update(&hash, shares, sizeof shares);
    llmc_hash_update(&hash, numbers, sizeof numbers);
    llmc_hash_update(&hash, a->replaced, (size_t)a->word_count * sizeof *a->replaced);
    llmc_hash_update(&hash, a->neighbours, (size_t)a->word_count * LLMC_NEIGHBOURS * sizeof *a->neighbours);
    llmc_hash_finish(&hash, texts);
    return LLMC_OK;
}

/* Puts the variants behind the texts of the chain. */
static llmc_status adopt(struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    const struct settings *settings = work->stage->settings;
    const struct llmc_dataset *train = &work->data->train;
    struct llmc_chain *chain = work->chain;
    struct augmented *a = NULL;
    LLMC_TRY(llmc_alloc(&a, 1, sizeof *a));
    LLMC_TRY(llmc_words_init(&a->words, work->data->tokenizer));
    LLMC_TRY(read_table(work->product_path, a));
    LLMC_TRY(hash_variants(work, a, chain->more_texts));
    a->first = chain->texts.count;
    a->count = (int64_t)train->count * settings->variants;
    a->variants = (struct llmc_variants){
        .settings = settings->variant, .seed = work->config->seed, .texts = train,
        .tokens_max = work->config->data.tokens_max, .words = &a->words, .place = a->place, .neighbours = a->neighbours};
    const struct llmc_text_source variants = {
        .count = a->count, .tokens_max = work->config->data.tokens_max, .context = a,
        .add = add_variant, .close = free_augmented};
    a = NULL;
    LLMC_TRY(llmc_text_source_join(&chain->texts, chain->texts, variants));
exit:
    free_augmented(a);
    return status;
}

const struct llmc_stage_type llmc_augment_stage = {
    .kind = {.name = "augment", .does = "adds variants of the training texts to those that the teacher answers",
             .keys = keys, .key_count = sizeof keys / sizeof keys[0], .settings_nbytes = sizeof(struct settings),
             .ends = LLMC_THING_LOGITS, .refuses = LLMC_THING_STUDENT},
    .product = "augment.h5",
    .prepare = prepare,
    .run = run,
    .adopt = adopt,
};
