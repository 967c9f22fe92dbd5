#include "text/tokenizer.h"

#include "base/memory.h"
#include "text/encode.h"

#include <stdlib.h>
#include <string.h>

/* No text makes more ids: an ASCII character makes one, any other takes at least
 * two bytes (or is one bad byte) and becomes at most eight characters. */
#define IDS_PER_BYTE_MAX 4
_Static_assert(LLMC_UNICODE_DECOMPOSED_MAX * LLMC_UNICODE_LOWER_MAX <= 2 * IDS_PER_BYTE_MAX,
               "room for the ids of a pair");

static void fill_ascii(struct llmc_tokenizer *tokenizer)
{
    for (int32_t code = 0; code < 128; code++) {
        struct llmc_character characters[LLMC_NORMALIZED_MAX];
        if (llmc_normalize(&tokenizer->rules, code, characters) == 1)
            tokenizer->ascii[code] = characters[0];
        else
            tokenizer->ascii[code].kind = LLMC_CHARACTER_NONE;
    }
}

llmc_status llmc_tokenizer_create(struct llmc_tokenizer **out, const char *vocabulary, size_t nbytes,
                                  const struct llmc_tokenizer_rules *rules, const char *origin)
{
    llmc_status status = LLMC_OK;
    struct llmc_tokenizer *tokenizer = NULL;
    *out = NULL;
    LLMC_TRY(llmc_alloc(&tokenizer, 1, sizeof *tokenizer));
    LLMC_TRY(llmc_vocabulary_init(&tokenizer->vocabulary, vocabulary, nbytes, origin));
    for (int i = 0; i < LLMC_SPECIALS; i++) {
        tokenizer->special[i] = llmc_vocabulary_find_text(&tokenizer->vocabulary, llmc_special_names[i]);
        if (tokenizer->special[i] < 0 && i != LLMC_MASK)
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: the vocabulary has no %s", origin, llmc_special_names[i]);
    }
    tokenizer->rules = *rules;
    fill_ascii(tokenizer);
    *out = tokenizer;
    tokenizer = NULL;
exit:
    llmc_tokenizer_free(tokenizer);
    return status;
}

void llmc_tokenizer_free(struct llmc_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    llmc_vocabulary_release(&tokenizer->vocabulary);
    free(tokenizer);
}

const char *llmc_tokenizer_vocabulary(const struct llmc_tokenizer *tokenizer, size_t *nbytes_ret)
{
    *nbytes_ret = tokenizer->vocabulary.nbytes;
    return tokenizer->vocabulary.bytes;
}

struct llmc_tokenizer_rules llmc_tokenizer_get_rules(const struct llmc_tokenizer *tokenizer)
{
    return tokenizer->rules;
}

int32_t llmc_tokenizer_size(const struct llmc_tokenizer *tokenizer)
{
    return tokenizer->vocabulary.count;
}

/* How many ids of each text stay when both must fit into `room`. As in Hugging
 * Face's "longest_first": only the longer loses as long as it stays the longer,
 * then both get half, the odd one to the text that was longer. */
static void share_room(size_t *first, size_t *second, size_t room)
{
    if (*first + *second <= room)
        return;
    bool swapped = *first > *second;
    size_t shorter = swapped ? *second : *first;
    size_t longer = shorter > room ? shorter : room - shorter;
    if (longer < shorter)
        longer = shorter;
    if (shorter + longer > room) {
        shorter = room / 2;
        longer = room - shorter;
    }
    *first = swapped ? longer : shorter;
    *second = swapped ? shorter : longer;
}

/* Writes [SEP] behind `count` ids; returns the new count. */
static size_t put_separator(const struct llmc_tokenizer *tokenizer, int32_t *ids, size_t count)
{
    ids[count] = tokenizer->special[LLMC_SEP];
    return count + 1;
}

int32_t llmc_encode_frame(const struct llmc_tokenizer *tokenizer, const struct llmc_ids *first,
                          const struct llmc_ids *second, int32_t tokens_max, int32_t *ids, uint8_t *types)
{
    size_t room = (size_t)tokens_max - (second ? 3 : 2);
    size_t first_count = first->count, second_count = second ? second->count : 0;
    if (second)
        share_room(&first_count, &second_count, room);
    else
        first_count = first_count < room ? first_count : room;
    ids[0] = tokenizer->special[LLMC_CLS];
    size_t border = put_separator(tokenizer, ids, first_count + 1);
    size_t count = border;
    if (second) {
        memcpy(ids + count, second->ids, second_count * sizeof *ids);
        count = put_separator(tokenizer, ids, count + second_count);
    }
    if (types) {
        memset(types, 0, border);
        memset(types + border, 1, count - border);
    }
    return (int32_t)count;
}

llmc_status llmc_tokenizer_encode(const struct llmc_tokenizer *tokenizer, const char *text, size_t text_nbytes,
                                  const char *pair, size_t pair_nbytes, int32_t tokens_max, int32_t *ids,
                                  uint8_t *types, int32_t *count_ret)
{
    llmc_status status = LLMC_OK;
    int32_t tokens_min = pair ? 4 : 3;
    struct llmc_ids first = {0}, second = {0};
    if (tokens_max < tokens_min)
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "at most %d tokens a text: must be at least %d", tokens_max, tokens_min);

    size_t room = (size_t)tokens_max - (pair ? 3 : 2);
    first.ids = ids + 1;
    first.capacity = room;
    llmc_encode_text(tokenizer, text, text_nbytes, pair != NULL, &first);
    if (pair) {
        second.capacity = pair_nbytes < room / IDS_PER_BYTE_MAX ? pair_nbytes * IDS_PER_BYTE_MAX : room;
        LLMC_TRY(llmc_alloc(&second.ids, second.capacity, sizeof *second.ids));
        llmc_encode_text(tokenizer, pair, pair_nbytes, true, &second);
    }
    *count_ret = llmc_encode_frame(tokenizer, &first, pair ? &second : NULL, tokens_max, ids, types);
exit:
    free(second.ids);
    return status;
}
