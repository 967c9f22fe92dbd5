#include "text/vocabulary.h"

#include "base/memory.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>

#define NBYTES_MAX ((size_t)1 << 30) /* offsets are 32 bits wide */

static const char continued[] = {'#', '#'};

static uint32_t fold(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
}

/* The slot that holds the piece PREFIX + BYTES, or the empty one where it belongs. */
static struct llmc_vocabulary_slot *find_slot(const struct llmc_vocabulary *vocabulary, uint32_t hash,
                                              size_t prefix_nbytes, const char *bytes, size_t nbytes)
{
    for (uint32_t at = hash;; at++) {
        struct llmc_vocabulary_slot *slot = &vocabulary->slots[at & vocabulary->slot_mask];
        if (slot->id < 0)
            return slot;
        if (slot->hash != hash)
            continue;
        uint32_t start = vocabulary->offsets[slot->id];
        size_t piece_nbytes = vocabulary->offsets[slot->id + 1] - start - 1;
        const char *piece = vocabulary->bytes + start;
        if (piece_nbytes == prefix_nbytes + nbytes && memcmp(piece, continued, prefix_nbytes) == 0 &&
            memcmp(piece + prefix_nbytes, bytes, nbytes) == 0)
            return slot;
    }
}

int32_t llmc_vocabulary_find(const struct llmc_vocabulary *vocabulary, uint64_t hash, const char *bytes, size_t nbytes)
{
    return find_slot(vocabulary, fold(hash), 0, bytes, nbytes)->id;
}

int32_t llmc_vocabulary_find_continued(const struct llmc_vocabulary *vocabulary, uint64_t hash, const char *bytes,
                                       size_t nbytes)
{
    return find_slot(vocabulary, fold(hash), sizeof continued, bytes, nbytes)->id;
}

static uint64_t hash_bytes(const char *bytes, size_t nbytes)
{
    uint64_t hash = LLMC_HASH_WORD;
    for (size_t i = 0; i < nbytes; i++)
        hash = llmc_hash_byte(hash, bytes[i]);
    return hash;
}

int32_t llmc_vocabulary_find_text(const struct llmc_vocabulary *vocabulary, const char *piece)
{
    size_t nbytes = strlen(piece);
    return llmc_vocabulary_find(vocabulary, hash_bytes(piece, nbytes), piece, nbytes);
}

static llmc_status check_bytes(const char *bytes, size_t nbytes, const char *origin)
{
    if (nbytes == 0)
        return llmc_error(LLMC_ERR_FORMAT, "%s: the vocabulary is empty", origin);
    if (nbytes > NBYTES_MAX)
        return llmc_error(LLMC_ERR_FORMAT, "%s: a vocabulary of %zu bytes; at most %zu are possible", origin, nbytes,
                          NBYTES_MAX);
    if (bytes[nbytes - 1] != '\n')
        return llmc_error(LLMC_ERR_FORMAT, "%s: the last word piece does not end with a line end", origin);
    size_t valid = llmc_utf8_valid(bytes, nbytes);
    if (valid < nbytes)
        return llmc_error(LLMC_ERR_FORMAT, "%s: byte %zu of the vocabulary is not UTF-8", origin, valid);
    return LLMC_OK;
}

llmc_status llmc_vocabulary_init(struct llmc_vocabulary *out, const char *bytes, size_t nbytes, const char *origin)
{
    llmc_status status = LLMC_OK;
    uint32_t slots = 2;
    memset(out, 0, sizeof *out);
    LLMC_TRY(check_bytes(bytes, nbytes, origin));
    for (size_t i = 0; i < nbytes; i++)
        out->count += bytes[i] == '\n';
    while (slots < 2 * (uint32_t)out->count)
        slots *= 2;
    out->slot_mask = slots - 1;
    out->nbytes = nbytes;
    LLMC_TRY(llmc_alloc(&out->bytes, nbytes, 1));
    LLMC_TRY(llmc_alloc(&out->offsets, (size_t)out->count + 1, sizeof *out->offsets));
    LLMC_TRY(llmc_alloc(&out->slots, slots, sizeof *out->slots));
    memcpy(out->bytes, bytes, nbytes);
    for (uint32_t i = 0; i < slots; i++)
        out->slots[i].id = -1;

    for (int32_t id = 0; id < out->count; id++) {
        const char *piece = out->bytes + out->offsets[id];
        const char *end = memchr(piece, '\n', nbytes - out->offsets[id]);
        uint32_t piece_nbytes = (uint32_t)(end - piece);
        out->offsets[id + 1] = out->offsets[id] + piece_nbytes + 1;
        if (piece_nbytes > out->piece_nbytes_max)
            out->piece_nbytes_max = piece_nbytes;
        uint32_t hash = fold(hash_bytes(piece, piece_nbytes));
        *find_slot(out, hash, 0, piece, piece_nbytes) = (struct llmc_vocabulary_slot){.hash = hash, .id = id};
    }
exit:
    if (status != LLMC_OK)
        llmc_vocabulary_release(out);
    return status;
}

void llmc_vocabulary_release(struct llmc_vocabulary *vocabulary)
{
    free(vocabulary->bytes);
    free(vocabulary->offsets);
    free(vocabulary->slots);
    memset(vocabulary, 0, sizeof *vocabulary);
}
