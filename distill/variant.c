#include "distill/variant.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

/* A word: its pieces, in the texts or in the neighbours. */
struct word {
    const int32_t *ids;
    int32_t count;
};

/* Random numbers one after the other, of one side of one variant. */
struct stream {
    uint64_t key, index;
};

/* A side under way. */
struct side {
    struct word *words;
    int32_t count, tokens;
};

static double next_uniform(struct stream *stream)
{
    return llmc_random_uniform(stream->key, stream->index++);
}

/* 0 .. count - 1 */
static int32_t next_below(struct stream *stream, int32_t count)
{
    return (int32_t)(llmc_random_u64(stream->key, stream->index++) % (uint64_t)count);
}

/* Where the two sides of a text stand: [CLS] a [SEP], or [CLS] a [SEP] b [SEP] with types 1 from b on. */
static void find_side(const struct llmc_dataset *texts, int64_t text, int32_t which, const int32_t **ids, int32_t *count)
{
    int64_t begin = texts->offsets[text], end = texts->offsets[text + 1], second = begin;
    while (second < end && texts->types[second] == 0)
        second++;
    *ids = texts->ids + (which ? second : begin + 1);
    *count = (int32_t)((which ? end : second) - 1 - (*ids - texts->ids));
}

/* Appends words first .. end - 1 of a side of a text; `end` -1: to the last. Returns how many words the side has. */
static int32_t take_words(const struct llmc_variants *v, int64_t text, int32_t which, int32_t first, int32_t end,
                          struct side *side)
{
    const int32_t *ids;
    int32_t count, number = 0;
    find_side(v->texts, text, which, &ids, &count);
    for (int32_t at = 0; at < count; number++) {
        int32_t length = llmc_word_end(v->words, ids + at, count - at);
        if (number >= first && (end < 0 || number < end)) {
            side->words[side->count++] = (struct word){ids + at, length};
            side->tokens += length;
        }
        at += length;
    }
    return number;
}

/* The words that a variant begins with; *changed: they are not all of the text. */
static void choose_words(const struct llmc_variants *v, int64_t text, int32_t which, struct stream *stream,
                         struct side *side, bool *changed)
{
    struct side none = {side->words, 0, 0};
    int32_t count = take_words(v, text, which, 0, 0, &none);
    double chance = next_uniform(stream);
    *changed = false;
    if (count == 0)
        return;
    if (chance <= v->settings.joined) {
        int64_t other = (int64_t)(llmc_random_u64(stream->key, stream->index++) % v->texts->count);
        int32_t others = take_words(v, other, which, 0, 0, &none);
        take_words(v, text, which, 0, 1 + next_below(stream, count), side);
        if (others > 0)
            take_words(v, other, which, next_below(stream, others), -1, side);
        *changed = true;
    } else if (chance <= v->settings.joined + v->settings.ngram) {
        int32_t length = 1 + next_below(stream, count), first = next_below(stream, count - length + 1);
        take_words(v, text, which, first, first + length, side);
        *changed = length < count;
    } else {
        take_words(v, text, which, 0, -1, side);
    }
}

/* Puts one of its neighbours in a word's place; false: it has none. */
static bool replace(const struct llmc_variants *v, struct word *word, struct stream *stream)
{
    int32_t place = word->count == 1 ? v->place[word->ids[0]] : -1;
    const int32_t *list = v->neighbours + (int64_t)place * LLMC_NEIGHBOURS;
    int32_t found = 0;
    while (place >= 0 && found < LLMC_NEIGHBOURS && list[found] >= 0)
        found++;
    if (found == 0)
        return false;
    *word = (struct word){list + next_below(stream, found), 1};
    return true;
}

static bool mask(const struct llmc_variants *v, struct side *side, struct word *word)
{
    if (v->words->mask < 0)
        return false;
    side->tokens -= word->count - 1;
    *word = (struct word){&v->words->mask, 1};
    return true;
}

static void change_words(const struct llmc_variants *v, struct stream *stream, struct side *side, bool changed)
{
    const struct llmc_variant_settings *s = &v->settings;
    for (int32_t i = 0; i < side->count; i++) {
        double chance = next_uniform(stream);
        if (chance <= s->masked)
            changed = mask(v, side, &side->words[i]) || changed;
        else if (chance <= s->masked + s->replaced)
            changed = replace(v, &side->words[i], stream) || changed;
    }
    if (changed || side->count == 0 || s->masked + s->replaced == 0)
        return;
    struct word *word = &side->words[next_below(stream, side->count)];
    if (!(s->replaced > 0 && replace(v, word, stream)) && s->masked > 0 && side->count > 1)
        mask(v, side, word);
}

/* Drops last words of the longer side until both fit, as the tokenizer cuts by tokens. */
static void cut(struct side sides[2], int32_t room)
{
    while (sides[0].tokens + sides[1].tokens > room) {
        struct side *longer = &sides[sides[1].tokens > sides[0].tokens];
        longer->tokens -= longer->words[--longer->count].count;
    }
}

static int32_t put(const struct side *side, int32_t separator, uint8_t type, int32_t at, int32_t *ids, uint8_t *types)
{
    int32_t begin = at;
    for (int32_t i = 0; i < side->count; i++) {
        memcpy(ids + at, side->words[i].ids, (size_t)side->words[i].count * sizeof *ids);
        at += side->words[i].count;
    }
    ids[at++] = separator;
    memset(types + begin, type, (size_t)(at - begin));
    return at;
}

int64_t llmc_variant_text(const struct llmc_dataset *texts, int64_t row, int64_t count)
{
    int64_t tokens = texts->offsets[texts->count], first = 0, last = (int64_t)texts->count - 1;
    int64_t token = (int64_t)((double)row * ((double)tokens / (double)count));
    while (first < last) {
        int64_t middle = first + (last - first) / 2;
        if (texts->offsets[middle + 1] > token)
            last = middle;
        else
            first = middle + 1;
    }
    return first;
}

llmc_status llmc_variant_add(const struct llmc_variants *v, int64_t text, int64_t position, int64_t row,
                             struct llmc_batch *batch)
{
    llmc_status status = LLMC_OK;
    int64_t end = v->texts->offsets[text + 1];
    int32_t separator = v->texts->ids[end - 1], count = 1, sides_count = 1 + v->texts->types[end - 1];
    struct side sides[2] = {0};
    struct word *words = NULL;
    int32_t *ids = NULL;
    uint8_t *types = NULL;
    /* Joined, a side is as long as two texts at most. */
    size_t room = 2 * (size_t)v->texts->tokens_max;
    LLMC_TRY(llmc_alloc_unset(&words, 2 * room, sizeof *words));
    LLMC_TRY(llmc_alloc_unset(&ids, (size_t)v->tokens_max, sizeof *ids));
    LLMC_TRY(llmc_alloc_unset(&types, (size_t)v->tokens_max, sizeof *types));
    for (int32_t i = 0; i < sides_count; i++) {
        struct stream stream = {llmc_random_key(llmc_random_key(v->seed, LLMC_STREAM_VARIANTS, (uint64_t)position),
                                                (uint64_t)i, 0), 0};
        bool changed;
        sides[i].words = words + (size_t)i * room;
        choose_words(v, text, i, &stream, &sides[i], &changed);
        change_words(v, &stream, &sides[i], changed);
    }
    cut(sides, v->tokens_max - 1 - sides_count);
    ids[0] = v->texts->ids[v->texts->offsets[text]];
    types[0] = 0;
    for (int32_t i = 0; i < sides_count; i++)
        count = put(&sides[i], separator, (uint8_t)i, count, ids, types);
    LLMC_TRY(llmc_batch_add(batch, row, -1, ids, types, count));
exit:
    free(words);
    free(ids);
    free(types);
    return status;
}
