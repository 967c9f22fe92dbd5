#include "text/wordpiece.h"

void llmc_word_append(struct llmc_word *word, int32_t code)
{
    char bytes[LLMC_UTF8_NBYTES_MAX];
    if (word->characters++ >= LLMC_WORD_CHARACTERS_MAX)
        return;
    int length = llmc_utf8_encode(code, bytes);
    for (int i = 0; i < length; i++) {
        word->bytes[word->nbytes++] = bytes[i];
        word->hash = llmc_hash_byte(word->hash, bytes[i]);
    }
}

/* The longest piece at the beginning of `bytes`: returns its bytes, 0 if there is none. */
static size_t longest_piece(const struct llmc_vocabulary *vocabulary, const bool *kept, bool first, const char *bytes,
                            size_t nbytes, int32_t *id)
{
    uint64_t hashes[LLMC_WORD_CHARACTERS_MAX * LLMC_UTF8_NBYTES_MAX]; /* [i]: of the first i + 1 bytes */
    uint64_t hash = first ? LLMC_HASH_WORD : LLMC_HASH_CONTINUED;
    size_t limit = nbytes < vocabulary->piece_nbytes_max ? nbytes : vocabulary->piece_nbytes_max;
    for (size_t i = 0; i < limit; i++)
        hashes[i] = hash = llmc_hash_byte(hash, bytes[i]);
    for (size_t length = limit; length > 0; length--) {
        if (length < nbytes && ((uint8_t)bytes[length] & 0xC0) == 0x80)
            continue; /* inside a character */
        *id = first ? llmc_vocabulary_find(vocabulary, hashes[length - 1], bytes, length)
                    : llmc_vocabulary_find_continued(vocabulary, hashes[length - 1], bytes, length);
        if (*id >= 0 && (!kept || kept[*id]))
            return length;
    }
    return 0;
}

bool llmc_wordpiece_split(const struct llmc_vocabulary *vocabulary, const bool *kept, bool first, const char *bytes,
                          size_t nbytes, struct llmc_ids *out)
{
    int32_t id;
    for (size_t at = 0; at < nbytes;) {
        size_t length = longest_piece(vocabulary, kept, first && at == 0, bytes + at, nbytes - at, &id);
        if (length == 0)
            return false;
        llmc_ids_push(out, id);
        at += length;
    }
    return true;
}

void llmc_wordpiece(const struct llmc_vocabulary *vocabulary, const struct llmc_word *word, int32_t unknown,
                    struct llmc_ids *out)
{
    size_t count_before = out->count;
    if (word->characters > LLMC_WORD_CHARACTERS_MAX) {
        llmc_ids_push(out, unknown);
        return;
    }
    /* Most words are one piece, and their hash is there already. */
    int32_t id = llmc_vocabulary_find(vocabulary, word->hash, word->bytes, word->nbytes);
    if (id >= 0) {
        llmc_ids_push(out, id);
        return;
    }
    if (llmc_wordpiece_split(vocabulary, NULL, true, word->bytes, word->nbytes, out))
        return;
    out->count = count_before;
    llmc_ids_push(out, unknown);
}
