#include "text/normalizer.h"

static struct llmc_character classify(int32_t code, uint8_t order)
{
    struct llmc_character character = {.code = code, .kind = LLMC_CHARACTER_WORD, .order = order};
    if (llmc_unicode_is_space(code))
        character.kind = LLMC_CHARACTER_SPACE;
    else if (llmc_unicode_is_punctuation(code))
        character.kind = LLMC_CHARACTER_PUNCTUATION;
    return character;
}

/* Lower case where the rules say so. */
static int put(const struct llmc_tokenizer_rules *rules, int32_t code, uint8_t order, struct llmc_character *out)
{
    int32_t lower[LLMC_UNICODE_LOWER_MAX] = {code};
    int count = rules->lowercase ? llmc_unicode_lower(code, lower) : 1;
    for (int i = 0; i < count; i++)
        out[i] = classify(lower[i], order);
    return count;
}

static int put_without_accents(const struct llmc_tokenizer_rules *rules, int32_t code, struct llmc_character *out)
{
    int32_t parts[LLMC_UNICODE_DECOMPOSED_MAX];
    int parts_count = llmc_unicode_decompose(code, parts);
    int count = 0;
    for (int i = 0; i < parts_count; i++) {
        uint8_t order = (uint8_t)llmc_unicode_order(parts[i]);
        if (!llmc_unicode_is_accent(parts[i]))
            count += put(rules, parts[i], order, out + count);
        else if (order == 0)
            out[count++] = (struct llmc_character){.kind = LLMC_CHARACTER_NONE};
    }
    return count;
}

int llmc_normalize(const struct llmc_tokenizer_rules *rules, int32_t code,
                   struct llmc_character out[LLMC_NORMALIZED_MAX])
{
    static const struct llmc_character space = {.code = ' ', .kind = LLMC_CHARACTER_SPACE};
    int count = 0;
    if (rules->clean) {
        bool line_or_tab = code == '\t' || code == '\n' || code == '\r';
        if (code == 0 || code == 0xFFFD || (llmc_unicode_is_control(code) && !line_or_tab))
            return 0;
        if (llmc_unicode_is_space(code))
            code = ' ';
    }
    bool apart = rules->split_chinese && llmc_unicode_is_ideograph(code);
    if (apart)
        out[count++] = space;
    if (rules->strip_accents)
        count += put_without_accents(rules, code, out + count);
    else
        count += put(rules, code, 0, out + count);
    if (apart)
        out[count++] = space;
    return count;
}
