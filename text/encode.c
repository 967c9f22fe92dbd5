#include "text/encode.h"

#include "text/utf8.h"

#include <string.h>

const char *const llmc_special_names[LLMC_SPECIALS] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

struct encoder {
    const struct llmc_tokenizer *tokenizer;
    struct llmc_word word;
    struct llmc_ids *out;
    /* Marks that wait for the end of their run, sorted by order. They belong to
     * the current word: more of them than a word may have characters make it
     * unknown, in whatever order, so that many need not be stored. */
    size_t marks_count;
    struct llmc_character marks[LLMC_WORD_CHARACTERS_MAX];
};

static void add_mark(struct encoder *encoder, struct llmc_character mark)
{
    size_t at = encoder->marks_count++;
    if (at >= LLMC_WORD_CHARACTERS_MAX)
        return;
    for (; at > 0 && encoder->marks[at - 1].order > mark.order; at--)
        encoder->marks[at] = encoder->marks[at - 1];
    encoder->marks[at] = mark;
}

static void end_marks(struct encoder *encoder)
{
    for (size_t i = 0; i < encoder->marks_count; i++)
        llmc_word_append(&encoder->word, encoder->marks[i < LLMC_WORD_CHARACTERS_MAX ? i : 0].code);
    encoder->marks_count = 0;
}

static void end_word(struct encoder *encoder)
{
    if (encoder->word.characters == 0)
        return;
    const struct llmc_tokenizer *tokenizer = encoder->tokenizer;
    llmc_wordpiece(&tokenizer->vocabulary, &encoder->word, tokenizer->special[LLMC_UNK], encoder->out);
    llmc_word_clear(&encoder->word);
}

static void add_character(struct encoder *encoder, struct llmc_character character)
{
    if (character.order != 0) {
        add_mark(encoder, character);
        return;
    }
    end_marks(encoder);
    switch (character.kind) {
    case LLMC_CHARACTER_WORD:
        llmc_word_append(&encoder->word, character.code);
        break;
    case LLMC_CHARACTER_PUNCTUATION:
        end_word(encoder);
        llmc_word_append(&encoder->word, character.code);
        end_word(encoder);
        break;
    case LLMC_CHARACTER_SPACE:
        end_word(encoder);
        break;
    default:
        break;
    }
}

/* The special token written at `text`, or LLMC_SPECIALS. */
static enum llmc_special find_special(const struct llmc_tokenizer *tokenizer, const char *text, size_t nbytes)
{
    enum llmc_special special = 0;
    for (; special < LLMC_SPECIALS; special++) {
        size_t length = strlen(llmc_special_names[special]);
        if (nbytes >= length && memcmp(text, llmc_special_names[special], length) == 0 &&
            tokenizer->special[special] >= 0)
            break;
    }
    return special;
}

/* Handles the ASCII characters from `text` on and returns their bytes. Stops
 * before anything else, and when the capacity is filled. */
static size_t encode_ascii(struct encoder *encoder, const char *text, size_t nbytes, bool whole)
{
    const struct llmc_tokenizer *tokenizer = encoder->tokenizer;
    size_t at = 0;
    while (at < nbytes && (uint8_t)text[at] < 0x80) {
        struct llmc_character character = tokenizer->ascii[(uint8_t)text[at]];
        if (character.kind == LLMC_CHARACTER_WORD && encoder->marks_count == 0) {
            llmc_word_append_ascii(&encoder->word, (char)character.code);
            at++;
            continue;
        }
        if (character.kind == LLMC_CHARACTER_NONE) { /* cleaned away: not even a border between marks */
            at++;
            continue;
        }
        enum llmc_special special =
            text[at] == '[' ? find_special(tokenizer, text + at, nbytes - at) : LLMC_SPECIALS;
        if (special < LLMC_SPECIALS) {
            end_marks(encoder);
            end_word(encoder);
            llmc_ids_push(encoder->out, tokenizer->special[special]);
            at += strlen(llmc_special_names[special]);
        } else {
            add_character(encoder, character);
            at++;
        }
        if (!whole && encoder->out->count >= encoder->out->capacity)
            break;
    }
    return at;
}

void llmc_encode_text(const struct llmc_tokenizer *tokenizer, const char *text, size_t nbytes, bool whole,
                      struct llmc_ids *out)
{
    struct encoder encoder;
    encoder.tokenizer = tokenizer;
    encoder.out = out;
    encoder.marks_count = 0;
    llmc_word_clear(&encoder.word);

    for (size_t at = 0; at < nbytes && (whole || out->count < out->capacity);) {
        if ((uint8_t)text[at] < 0x80) {
            at += encode_ascii(&encoder, text + at, nbytes - at, whole);
            continue;
        }
        struct llmc_character characters[LLMC_NORMALIZED_MAX];
        int32_t code;
        at += (size_t)llmc_utf8_decode(text + at, nbytes - at, &code);
        int count = llmc_normalize(&tokenizer->rules, code < 0 ? 0xFFFD : code, characters);
        for (int i = 0; i < count; i++)
            add_character(&encoder, characters[i]);
    }
    end_marks(&encoder);
    end_word(&encoder);
}
