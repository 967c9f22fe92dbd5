/*
 * A tokenizer from any vocabulary, for any text. Input: a byte of rules, a byte of the most tokens, then up to three
 * parts, each ended by two bytes 0xff: text, second text, and word pieces beside the special ones. Ids are in range,
 * and the same when encoded again.
 */
#include "tests/fuzz/fuzz.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

static const char special[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

struct part {
    const char *bytes;
    size_t nbytes;
};

static void need(int condition)
{
    if (!condition)
        abort();
}

/* A copy of exact length, so that a read behind it is seen; the rest begins behind its end mark. */
static struct part take(const char **rest, size_t *nbytes)
{
    size_t length = 0;
    while (length < *nbytes && !(length + 1 < *nbytes && memcmp(*rest + length, "\xff\xff", 2) == 0))
        length++;
    size_t used = length + 2 < *nbytes ? length + 2 : *nbytes;
    char *copy = malloc(length ? length : 1);
    need(copy != NULL);
    memcpy(copy, *rest, length);
    *rest += used;
    *nbytes -= used;
    return (struct part){copy, length};
}

static void encode(const struct llmc_tokenizer *tokenizer, struct part text, const struct part *pair,
                   int32_t tokens_max)
{
    int32_t *ids = malloc((size_t)tokens_max * sizeof *ids), *again = malloc((size_t)tokens_max * sizeof *ids);
    uint8_t *types = malloc((size_t)tokens_max);
    int32_t count, count_again;
    need(ids && again && types);
    const char *second = pair ? pair->bytes : NULL;
    size_t second_nbytes = pair ? pair->nbytes : 0;
    if (llmc_tokenizer_encode(tokenizer, text.bytes, text.nbytes, second, second_nbytes, tokens_max, ids, types,
                              &count) == LLMC_OK) {
        need(count >= (pair ? 3 : 2) && count <= tokens_max);
        for (int32_t i = 0; i < count; i++)
            need(ids[i] >= 0 && ids[i] < llmc_tokenizer_size(tokenizer) && types[i] <= (pair != NULL));
        need(llmc_tokenizer_encode(tokenizer, text.bytes, text.nbytes, second, second_nbytes, tokens_max, again, NULL,
                                   &count_again) == LLMC_OK);
        need(count == count_again && memcmp(ids, again, (size_t)count * sizeof *ids) == 0);
    }
    free(ids);
    free(again);
    free(types);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    if (nbytes < 2)
        return 0;
    struct llmc_tokenizer_rules rules = {data[0] & 1, data[0] & 2, data[0] & 4, data[0] & 8};
    int32_t tokens_max = data[1];
    const char *rest = (const char *)data + 2;
    nbytes -= 2;
    struct part text = take(&rest, &nbytes), pair = take(&rest, &nbytes), pieces = take(&rest, &nbytes);
    struct llmc_tokenizer *tokenizer;
    size_t vocabulary_nbytes = sizeof special - 1 + pieces.nbytes + 1;
    char *vocabulary = malloc(vocabulary_nbytes);
    need(vocabulary != NULL);
    memcpy(vocabulary, special, sizeof special - 1);
    memcpy(vocabulary + sizeof special - 1, pieces.bytes, pieces.nbytes);
    vocabulary[vocabulary_nbytes - 1] = '\n';
    if (llmc_tokenizer_create(&tokenizer, vocabulary, vocabulary_nbytes, &rules, "fuzz") == LLMC_OK) {
        encode(tokenizer, text, NULL, tokens_max ? tokens_max : 1);
        encode(tokenizer, text, &pair, tokens_max ? tokens_max : 1);
        llmc_tokenizer_free(tokenizer);
    }
    free(vocabulary);
    free((void *)(uintptr_t)text.bytes);
    free((void *)(uintptr_t)pair.bytes);
    free((void *)(uintptr_t)pieces.bytes);
    return 0;
}
