#include "text/words.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static bool is_whole(const char *piece, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++) {
        char lower = (char)(piece[i] | 0x20);
        if ((unsigned char)piece[i] < 0x80 && (lower < 'a' || lower > 'z'))
            return false;
    }
    return nbytes >= 2;
}

llmc_status llmc_words_init(struct llmc_words *words, const struct llmc_tokenizer *tokenizer)
{
    llmc_status status = LLMC_OK;
    size_t nbytes;
    const char *at = llmc_tokenizer_vocabulary(tokenizer, &nbytes), *end = at + nbytes;
    *words = (struct llmc_words){.pieces = llmc_tokenizer_size(tokenizer), .mask = -1};
    LLMC_TRY(llmc_alloc(&words->continues, (size_t)words->pieces, 1));
    LLMC_TRY(llmc_alloc(&words->whole, (size_t)words->pieces, 1));
    for (int32_t id = 0; id < words->pieces && at < end; id++) {
        size_t length = (size_t)((const char *)memchr(at, '\n', (size_t)(end - at)) - at);
        words->continues[id] = length > 2 && at[0] == '#' && at[1] == '#';
        words->whole[id] = is_whole(at, length);
        if (length == 6 && memcmp(at, "[MASK]", 6) == 0)
            words->mask = id;
        at += length + 1;
    }
exit:
    if (status != LLMC_OK)
        llmc_words_release(words);
    return status;
}

void llmc_words_release(struct llmc_words *words)
{
    free(words->continues);
    free(words->whole);
    *words = (struct llmc_words){0};
}

int32_t llmc_word_end(const struct llmc_words *words, const int32_t *ids, int32_t count)
{
    int32_t end = 1;
    while (end < count && words->continues[ids[end]])
        end++;
    return end;
}

void llmc_words_count(const struct llmc_words *words, const struct llmc_dataset *texts, int64_t *counts)
{
    memset(counts, 0, (size_t)words->pieces * sizeof *counts);
    for (size_t text = 0; text < texts->count; text++) {
        int64_t end = texts->offsets[text + 1];
        for (int64_t at = texts->offsets[text]; at < end;) {
            int32_t length = llmc_word_end(words, texts->ids + at, (int32_t)(end - at));
            counts[texts->ids[at]] += length == 1 && words->whole[texts->ids[at]];
            at += length;
        }
    }
}
