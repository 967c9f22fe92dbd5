#include "vocabulary/words.h"

#include "base/memory.h"
#include "text/encode.h"
#include "text/join.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_word(const char *bytes, size_t nbytes, bool first)
{
    uint64_t hash = first ? LLMC_HASH_WORD : LLMC_HASH_CONTINUED;
    for (size_t i = 0; i < nbytes; i++)
        hash = llmc_hash_byte(hash, bytes[i]);
    return (uint32_t)(hash ^ hash >> 32);
}

static bool is_word(const struct llmc_pieces_words *words, const struct llmc_pieces_word *word, const char *bytes,
                    size_t nbytes, bool first)
{
    return word->nbytes == nbytes && word->first == first && memcmp(words->bytes + word->begin, bytes, nbytes) == 0;
}

/* The slot of a word, or the empty one where it belongs. */
static uint32_t *find(const struct llmc_pieces_words *words, const char *bytes, size_t nbytes, bool first)
{
    uint32_t at = hash_word(bytes, nbytes, first);
    for (;; at++) {
        uint32_t *slot = &words->slots[at & (words->slot_count - 1)];
        if (*slot == 0 || is_word(words, &words->words[*slot - 1], bytes, nbytes, first))
            return slot;
    }
}

/* Room for one word more. */
static llmc_status grow(struct llmc_pieces_words *words, size_t nbytes)
{
    llmc_status status = LLMC_OK;
    if (words->nbytes + nbytes > UINT32_MAX)
        LLMC_FAIL(LLMC_ERR_DATA, "the texts have more than 4 GiB of different words");
    if (words->nbytes + nbytes > words->bytes_capacity) {
        size_t capacity = 2 * words->bytes_capacity + nbytes + 4096;
        char *bytes = realloc(words->bytes, capacity);
        if (!bytes)
            LLMC_FAIL(LLMC_ERR_MEMORY, "cannot allocate %zu bytes for words", capacity);
        words->bytes = bytes;
        words->bytes_capacity = capacity;
    }
    if (words->count == words->capacity) {
        int64_t capacity = words->capacity ? 2 * words->capacity : 1024;
        struct llmc_pieces_word *grown = realloc(words->words, (size_t)capacity * sizeof *grown);
        if (!grown)
            LLMC_FAIL(LLMC_ERR_MEMORY, "cannot allocate memory for %lld words", (long long)capacity);
        words->words = grown;
        words->capacity = capacity;
        free(words->slots);
        words->slot_count = (uint32_t)(2 * capacity);
        LLMC_TRY(llmc_alloc(&words->slots, words->slot_count, sizeof *words->slots));
        for (int64_t i = 0; i < words->count; i++) {
            const struct llmc_pieces_word *word = &words->words[i];
            *find(words, words->bytes + word->begin, word->nbytes, word->first) = (uint32_t)i + 1;
        }
    }
exit:
    return status;
}

static llmc_status add_word(struct llmc_pieces_words *words, const struct llmc_joined *joined)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(grow(words, joined->nbytes));
    uint32_t *slot = find(words, joined->bytes, joined->nbytes, joined->first);
    if (*slot == 0) {
        words->words[words->count] = (struct llmc_pieces_word){
            .begin = (uint32_t)words->nbytes, .nbytes = (uint16_t)joined->nbytes, .first = joined->first};
        memcpy(words->bytes + words->nbytes, joined->bytes, joined->nbytes);
        words->nbytes += joined->nbytes;
        *slot = (uint32_t)++words->count;
    }
    words->words[*slot - 1].count++;
exit:
    return status;
}

llmc_status llmc_pieces_count_words(struct llmc_pieces_words *words, const struct llmc_text_source *texts,
                                    const struct llmc_tokenizer *tokenizer, const volatile sig_atomic_t *stop)
{
    llmc_status status = LLMC_OK;
    struct llmc_batch batch = {0};
    struct llmc_joined joined;
    for (int64_t row = 0; row < texts->count; row++) {
        if (stop && *stop)
            LLMC_FAIL(LLMC_ERR_INTERRUPTED, "stopped while counting words");
        LLMC_TRY(llmc_batch_gather(&batch, texts, &row, 1));
        words->tokens += batch.tokens;
        for (int32_t at = 0; at < batch.tokens; at = joined.end) {
            llmc_joined_next(&joined, tokenizer, batch.ids, batch.tokens, at);
            words->unknown += batch.ids[at] == tokenizer->special[LLMC_UNK];
            if (joined.special)
                continue;
            words->pieces += joined.end - joined.begin;
            LLMC_TRY(add_word(words, &joined));
        }
    }
exit:
    llmc_batch_release(&batch);
    if (status != LLMC_OK)
        llmc_pieces_words_release(words);
    return status;
}

void llmc_pieces_words_release(struct llmc_pieces_words *words)
{
    free(words->words);
    free(words->bytes);
    free(words->slots);
    *words = (struct llmc_pieces_words){0};
}
