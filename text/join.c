#include "text/join.h"

#include "base/memory.h"
#include "text/encode.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(LLMC_JOINED_NBYTES == LLMC_WORD_CHARACTERS_MAX * LLMC_UTF8_NBYTES_MAX, "the longest word");

/* The bytes of a piece, without the "##" of one that goes on with a word. */
static const char *piece_of(const struct llmc_tokenizer *tokenizer, int32_t id, size_t *nbytes, bool *continues)
{
    const struct llmc_vocabulary *vocabulary = &tokenizer->vocabulary;
    const char *piece = vocabulary->bytes + vocabulary->offsets[id];
    *nbytes = vocabulary->offsets[id + 1] - vocabulary->offsets[id] - 1;
    *continues = *nbytes > 2 && piece[0] == '#' && piece[1] == '#';
    *nbytes -= *continues ? 2 : 0;
    return *continues ? piece + 2 : piece;
}

static enum llmc_special special_of(const struct llmc_tokenizer *tokenizer, int32_t id)
{
    enum llmc_special special = 0;
    while (special < LLMC_SPECIALS && tokenizer->special[special] != id)
        special++;
    return special;
}

void llmc_joined_next(struct llmc_joined *out, const struct llmc_tokenizer *tokenizer, const int32_t *ids, int32_t count,
                      int32_t at)
{
    size_t nbytes;
    bool continues;
    out->begin = at;
    out->nbytes = 0;
    out->special = special_of(tokenizer, ids[at]) < LLMC_SPECIALS;
    for (; at < count; at++) {
        const char *piece = piece_of(tokenizer, ids[at], &nbytes, &continues);
        if (at == out->begin)
            out->first = !continues;
        else if (out->special || !continues)
            break;
        if (out->nbytes + nbytes <= LLMC_JOINED_NBYTES)
            memcpy(out->bytes + out->nbytes, piece, nbytes);
        out->nbytes += nbytes;
    }
    out->end = at;
    out->special = out->special || out->nbytes > LLMC_JOINED_NBYTES;
}

struct joining {
    const struct llmc_text_source *texts;
    const struct llmc_tokenizer *from, *to;
    int32_t tokens_max;
    int32_t *same;    /* [pieces of from] the id of the piece in `to`, -1: it has none */
    int32_t *ids;     /* [tokens_max] */
    int32_t *second;  /* [tokens_max] */
    uint8_t *types;   /* [tokens_max] */
    struct llmc_batch batch; /* of the text in the ids of `from` */
};

/* A word by the pieces of `to`. Where it has the first pieces of the word, they are the longest there too. */
static void split_word(const struct joining *j, const struct llmc_joined *word, const int32_t *ids,
                       struct llmc_ids *out)
{
    size_t before = out->count, done = 0, nbytes;
    bool continues;
    int32_t at = word->begin;
    if (word->special) {
        enum llmc_special special = special_of(j->from, ids[at]);
        int32_t id = j->to->special[special < LLMC_SPECIALS ? special : LLMC_UNK];
        llmc_ids_push(out, id >= 0 ? id : j->to->special[LLMC_UNK]);
        return;
    }
    for (; at < word->end && j->same[ids[at]] >= 0; at++) {
        llmc_ids_push(out, j->same[ids[at]]);
        piece_of(j->from, ids[at], &nbytes, &continues);
        done += nbytes;
    }
    if (at == word->end || llmc_wordpiece_split(&j->to->vocabulary, NULL, word->first && at == word->begin,
                                                word->bytes + done, word->nbytes - done, out))
        return;
    out->count = before;
    llmc_ids_push(out, j->to->special[LLMC_UNK]);
}

static void split_words(const struct joining *j, const int32_t *ids, int32_t count, struct llmc_ids *out)
{
    struct llmc_joined word;
    for (int32_t at = 0; at < count; at = word.end) {
        llmc_joined_next(&word, j->from, ids, count, at);
        split_word(j, &word, ids, out);
    }
}

static llmc_status add(void *context, int64_t row, struct llmc_batch *batch)
{
    llmc_status status = LLMC_OK;
    struct joining *j = context;
    const int32_t *ids;
    int32_t count, border = 0;
    LLMC_TRY(llmc_batch_gather(&j->batch, j->texts, &row, 1));
    ids = j->batch.ids;
    count = j->batch.tokens;
    while (border < count && j->batch.types[border] == 0)
        border++;
    bool pair = border < count;
    struct llmc_ids first = {.ids = j->ids + 1, .capacity = (size_t)j->tokens_max - (pair ? 3 : 2)};
    struct llmc_ids second = {.ids = j->second, .capacity = first.capacity};
    split_words(j, ids + 1, border - 2, &first);
    if (pair)
        split_words(j, ids + border, count - border - 1, &second);
    count = llmc_encode_frame(j->to, &first, pair ? &second : NULL, j->tokens_max, j->ids, j->types);
    status = llmc_batch_add(batch, row, j->batch.label[0], j->ids, j->types, count);
exit:
    return status;
}

static void close_joining(void *context)
{
    struct joining *j = context;
    free(j->same);
    free(j->ids);
    free(j->second);
    free(j->types);
    llmc_batch_release(&j->batch);
    free(j);
}

static void find_pieces(const struct joining *j)
{
    const struct llmc_vocabulary *vocabulary = &j->from->vocabulary;
    for (int32_t id = 0; id < vocabulary->count; id++) {
        const char *piece = vocabulary->bytes + vocabulary->offsets[id];
        uint64_t hash = LLMC_HASH_WORD;
        size_t nbytes = vocabulary->offsets[id + 1] - vocabulary->offsets[id] - 1;
        for (size_t i = 0; i < nbytes; i++)
            hash = llmc_hash_byte(hash, piece[i]);
        j->same[id] = llmc_vocabulary_find(&j->to->vocabulary, hash, piece, nbytes);
    }
}

llmc_status llmc_joined_source(struct llmc_text_source *out, const struct llmc_text_source *texts,
                               const struct llmc_tokenizer *from, const struct llmc_tokenizer *to, int32_t tokens_max)
{
    llmc_status status = LLMC_OK;
    struct joining *j = NULL;
    *out = (struct llmc_text_source){0};
    LLMC_TRY(llmc_alloc(&j, 1, sizeof *j));
    j->texts = texts;
    j->from = from;
    j->to = to;
    j->tokens_max = tokens_max;
    LLMC_TRY(llmc_alloc(&j->same, (size_t)from->vocabulary.count, sizeof *j->same));
    LLMC_TRY(llmc_alloc(&j->ids, (size_t)tokens_max, sizeof *j->ids));
    LLMC_TRY(llmc_alloc(&j->second, (size_t)tokens_max, sizeof *j->second));
    LLMC_TRY(llmc_alloc(&j->types, (size_t)tokens_max, sizeof *j->types));
    find_pieces(j);
    *out = (struct llmc_text_source){
        .count = texts->count, .tokens_max = tokens_max, .context = j, .add = add, .close = close_joining};
    j = NULL;
exit:
    if (j)
        close_joining(j);
    return status;
}
