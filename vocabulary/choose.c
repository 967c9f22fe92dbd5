#include "vocabulary/choose.h"

#include "base/memory.h"
#include "text/encode.h"

#include <stdlib.h>
#include <string.h>

struct piece {
    const char *bytes; /* without "##" */
    size_t nbytes;
    size_t line_nbytes; /* with it and the line end */
    bool continues;
};

static struct piece piece_of(const struct llmc_tokenizer *tokenizer, int32_t id)
{
    const struct llmc_vocabulary *v = &tokenizer->vocabulary;
    struct piece piece = {.bytes = v->bytes + v->offsets[id], .line_nbytes = v->offsets[id + 1] - v->offsets[id]};
    piece.nbytes = piece.line_nbytes - 1;
    piece.continues = piece.nbytes > 2 && piece.bytes[0] == '#' && piece.bytes[1] == '#';
    piece.bytes += piece.continues ? 2 : 0;
    piece.nbytes -= piece.continues ? 2 : 0;
    return piece;
}

static int32_t find(const struct llmc_tokenizer *tokenizer, const char *bytes, size_t nbytes, bool continues)
{
    uint64_t hash = continues ? LLMC_HASH_CONTINUED : LLMC_HASH_WORD;
    for (size_t i = 0; i < nbytes; i++)
        hash = llmc_hash_byte(hash, bytes[i]);
    return continues ? llmc_vocabulary_find_continued(&tokenizer->vocabulary, hash, bytes, nbytes)
                     : llmc_vocabulary_find(&tokenizer->vocabulary, hash, bytes, nbytes);
}

static bool is_special(const struct llmc_tokenizer *tokenizer, int32_t id)
{
    for (int i = 0; i < LLMC_SPECIALS; i++)
        if (tokenizer->special[i] == id)
            return true;
    return false;
}

bool llmc_pieces_is_character(const struct llmc_tokenizer *tokenizer, int32_t id)
{
    struct piece piece = piece_of(tokenizer, id);
    int32_t code;
    return piece.nbytes > 0 && (size_t)llmc_utf8_decode(piece.bytes, piece.nbytes, &code) == piece.nbytes;
}

/* Whether some text can have this piece: its characters are what the normaliser leaves them, and those of a word; one alone
 * may be punctuation, or an ideograph that stands between blanks. */
static bool is_reachable(const struct llmc_tokenizer *tokenizer, int32_t id, const struct piece *piece)
{
    struct llmc_character out[LLMC_NORMALIZED_MAX];
    bool alone = !piece->continues && llmc_pieces_is_character(tokenizer, id);
    if (piece->nbytes == 0 || find(tokenizer, piece->bytes, piece->nbytes, piece->continues) != id)
        return false;
    for (size_t at = 0; at < piece->nbytes;) {
        int32_t code;
        at += (size_t)llmc_utf8_decode(piece->bytes + at, piece->nbytes - at, &code);
        bool found = false, apart = false;
        for (int i = 0, count = llmc_normalize(&tokenizer->rules, code, out); i < count; i++) {
            apart = apart || out[i].kind == LLMC_CHARACTER_SPACE || out[i].kind == LLMC_CHARACTER_PUNCTUATION;
            found = found || (out[i].code == code && (out[i].kind == LLMC_CHARACTER_WORD ||
                                                      out[i].kind == LLMC_CHARACTER_PUNCTUATION));
        }
        if (!found || (apart && !alone))
            return false;
    }
    return true;
}

/* Whether each character is a piece of its own in its place. */
static bool falls_on_characters(const struct llmc_tokenizer *tokenizer, const struct piece *piece)
{
    for (size_t at = 0, nbytes; at < piece->nbytes; at += nbytes) {
        int32_t code;
        nbytes = (size_t)llmc_utf8_decode(piece->bytes + at, piece->nbytes - at, &code);
        if (find(tokenizer, piece->bytes + at, nbytes, piece->continues || at > 0) < 0)
            return false;
    }
    return true;
}

enum { GONE, LOOSE, FIXED };

struct choosing {
    const struct llmc_tokenizer *tokenizer;
    const struct llmc_pieces_words *words;
    const struct llmc_pieces_budget *budget;
    int32_t total;
    uint8_t *state;  /* [total] GONE, LOOSE, FIXED */
    bool *kept;      /* [total] not GONE */
    int64_t *counts; /* [total] */
    int64_t tokens;
    int32_t *order;  /* [total] of the loose ones, those to go first in front */
    int32_t loose;
};

static llmc_status begin(struct choosing *c)
{
    llmc_status status = LLMC_OK;
    c->total = llmc_tokenizer_size(c->tokenizer);
    LLMC_TRY(llmc_alloc(&c->state, (size_t)c->total, sizeof *c->state));
    LLMC_TRY(llmc_alloc(&c->kept, (size_t)c->total, sizeof *c->kept));
    LLMC_TRY(llmc_alloc(&c->counts, (size_t)c->total, sizeof *c->counts));
    LLMC_TRY(llmc_alloc(&c->order, (size_t)c->total, sizeof *c->order));
    for (int32_t id = 0; id < c->total; id++) {
        struct piece piece = piece_of(c->tokenizer, id);
        bool special = is_special(c->tokenizer, id);
        if (!special && !is_reachable(c->tokenizer, id, &piece))
            c->state[id] = GONE;
        else
            c->state[id] = special || llmc_pieces_is_character(c->tokenizer, id) ||
                                   !falls_on_characters(c->tokenizer, &piece)
                               ? FIXED
                               : LOOSE;
        c->kept[id] = c->state[id] != GONE;
    }
exit:
    return status;
}

static void release(struct choosing *c)
{
    free(c->state);
    free(c->kept);
    free(c->counts);
    free(c->order);
}

static llmc_status count_pieces(struct choosing *c)
{
    int32_t ids[LLMC_WORD_CHARACTERS_MAX * LLMC_UTF8_NBYTES_MAX];
    memset(c->counts, 0, (size_t)c->total * sizeof *c->counts);
    c->tokens = 0;
    for (int64_t w = 0; w < c->words->count; w++) {
        const struct llmc_pieces_word *word = &c->words->words[w];
        struct llmc_ids out = {.ids = ids, .capacity = sizeof ids / sizeof *ids};
        bool covered = llmc_wordpiece_split(&c->tokenizer->vocabulary, c->kept, word->first,
                                            c->words->bytes + word->begin, word->nbytes, &out);
        c->tokens += word->count * (covered ? (int64_t)out.count : 1);
        for (size_t i = 0; covered && i < out.count; i++)
            c->counts[ids[i]] += word->count;
    }
    return LLMC_OK;
}

static int64_t cost_of(const struct choosing *c, int32_t id)
{
    return c->budget->bytes ? c->budget->row_nbytes + (int64_t)piece_of(c->tokenizer, id).line_nbytes : 1;
}

/* Rarest first; of those used equally often the later ones in the vocabulary, whose rows the teacher saw less. */
static int compare(const void *a, const void *b, void *context)
{
    const int64_t *counts = context;
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return counts[x] != counts[y] ? (counts[x] < counts[y] ? -1 : 1) : (x > y ? -1 : 1);
}

static void sort_loose(struct choosing *c)
{
    c->loose = 0;
    for (int32_t id = 0; id < c->total; id++)
        if (c->state[id] == LOOSE)
            c->order[c->loose++] = id;
    qsort_r(c->order, (size_t)c->loose, sizeof *c->order, compare, c->counts);
}

static void drop(struct choosing *c, int32_t id)
{
    c->state[id] = GONE;
    c->kept[id] = false;
}

static int64_t cost_of_kept(const struct choosing *c, bool fixed)
{
    int64_t cost = 0;
    for (int32_t id = 0; id < c->total; id++)
        cost += (fixed ? c->state[id] == FIXED : c->kept[id]) ? cost_of(c, id) : 0;
    return cost;
}

/* Half of what is too much goes at a time, then all: the counts of the last round are nearly those of the end. */
static llmc_status fit(struct choosing *c, int64_t most)
{
    int64_t cost, least = cost_of_kept(c, true);
    if (least > most)
        return llmc_error(LLMC_ERR_CONFIG,
                          "%s is %lld; allowed are %lld and more: the special tokens and the characters of the tokenizer stay",
                          c->budget->bytes ? "bytes" : "pieces", (long long)most, (long long)least);
    while ((cost = cost_of_kept(c, false)) > most) {
        enum { LAST = 16 }; /* pieces: too few to count again for half of them */
        count_pieces(c);
        sort_loose(c);
        int64_t excess = cost - most, least_gone = excess > LAST * cost_of(c, c->order[0]) ? excess / 2 : excess;
        for (int32_t i = 0; i < c->loose && cost - most > excess - least_gone; i++) {
            cost -= cost_of(c, c->order[i]);
            drop(c, c->order[i]);
        }
    }
    return LLMC_OK;
}

/* All rarer ones, the rarest first. */
static llmc_status drop_rare(struct choosing *c, int64_t count_min)
{
    int32_t gone;
    for (int64_t limit = 1;; limit = limit < count_min / 2 ? 2 * limit : count_min) {
        do {
            count_pieces(c);
            sort_loose(c);
            for (gone = 0; gone < c->loose && c->counts[c->order[gone]] < limit; gone++)
                drop(c, c->order[gone]);
        } while (gone > 0);
        if (limit >= count_min)
            return LLMC_OK;
    }
}

llmc_status llmc_pieces_choose(struct llmc_pieces_choice *out, const struct llmc_tokenizer *tokenizer,
                               const struct llmc_pieces_words *words, const struct llmc_pieces_budget *budget)
{
    llmc_status status = LLMC_OK;
    struct choosing c = {.tokenizer = tokenizer, .words = words, .budget = budget};
    *out = (struct llmc_pieces_choice){0};
    LLMC_TRY(begin(&c));
    LLMC_TRY(budget->count_min ? drop_rare(&c, budget->count_min) : fit(&c, budget->bytes ? budget->bytes : budget->pieces));
    count_pieces(&c);
    LLMC_TRY(llmc_alloc(&out->kept, (size_t)c.total, sizeof *out->kept));
    LLMC_TRY(llmc_alloc(&out->counts, (size_t)c.total, sizeof *out->counts));
    for (int32_t id = 0; id < c.total; id++) {
        if (!c.kept[id])
            continue;
        out->kept[out->count] = id;
        out->counts[out->count++] = c.counts[id];
    }
    out->tokens = c.tokens;
exit:
    release(&c);
    if (status != LLMC_OK)
        llmc_pieces_choice_release(out);
    return status;
}

llmc_status llmc_pieces_least(const struct llmc_tokenizer *tokenizer, int64_t row_nbytes, int64_t *pieces, int64_t *bytes)
{
    llmc_status status = LLMC_OK;
    const struct llmc_pieces_budget by_pieces = {.pieces = 1}, by_bytes = {.bytes = 1, .row_nbytes = row_nbytes};
    struct choosing c = {.tokenizer = tokenizer, .budget = &by_pieces};
    LLMC_TRY(begin(&c));
    *pieces = cost_of_kept(&c, true);
    c.budget = &by_bytes;
    *bytes = cost_of_kept(&c, true);
exit:
    release(&c);
    return status;
}

void llmc_pieces_choice_release(struct llmc_pieces_choice *choice)
{
    free(choice->kept);
    free(choice->counts);
    *choice = (struct llmc_pieces_choice){0};
}

llmc_status llmc_pieces_tokenizer(struct llmc_tokenizer **out, const struct llmc_tokenizer *tokenizer,
                                  const struct llmc_pieces_choice *choice)
{
    llmc_status status = LLMC_OK;
    const struct llmc_vocabulary *v = &tokenizer->vocabulary;
    char *bytes = NULL;
    size_t nbytes = 0;
    *out = NULL;
    LLMC_TRY(llmc_alloc(&bytes, v->nbytes, 1));
    for (int32_t i = 0; i < choice->count; i++) {
        int32_t id = choice->kept[i];
        memcpy(bytes + nbytes, v->bytes + v->offsets[id], v->offsets[id + 1] - v->offsets[id]);
        nbytes += v->offsets[id + 1] - v->offsets[id];
    }
    LLMC_TRY(llmc_tokenizer_create(out, bytes, nbytes, &tokenizer->rules, "the kept word pieces"));
exit:
    free(bytes);
    return status;
}
