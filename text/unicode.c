#include "text/unicode.h"

#include <stddef.h>
#include <utf8proc.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What the other side says of a character where it disagrees with libutf8proc. */
enum difference {
    PLAIN = 1 << 0,   /* neither control, accent nor punctuation: assigned after Unicode 8 */
    STARTER = 1 << 1, /* combining class 0: assigned after Unicode 9 */
    WHOLE = 1 << 2,   /* not decomposed: assigned after Unicode 9 */
    ACCENT = 1 << 3,  /* was a nonspacing mark in Unicode 8 */
    PUNCT = 1 << 4,   /* was punctuation in Unicode 8 */
};

struct range {
    int32_t first, last;
    uint8_t differences;
};

/* Sorted by code point. */
static const struct range differing[] = {
    {0x0061D, 0x0061D, PLAIN}, {0x007FD, 0x007FD, PLAIN | STARTER}, {0x00890, 0x00891, PLAIN},
    {0x00898, 0x0089F, PLAIN | STARTER}, {0x008CA, 0x008D3, PLAIN | STARTER}, {0x008D4, 0x008E1, PLAIN},
    {0x008E2, 0x008E2, PLAIN}, {0x009FD, 0x009FD, PLAIN}, {0x009FE, 0x009FE, PLAIN | STARTER},
    {0x00A76, 0x00A76, PLAIN}, {0x00AFA, 0x00AFF, PLAIN}, {0x00B55, 0x00B55, PLAIN},
    {0x00C04, 0x00C04, PLAIN}, {0x00C3C, 0x00C3C, PLAIN | STARTER}, {0x00C77, 0x00C77, PLAIN},
    {0x00C84, 0x00C84, PLAIN}, {0x00D00, 0x00D00, PLAIN}, {0x00D3B, 0x00D3C, PLAIN | STARTER},
    {0x00D81, 0x00D81, PLAIN}, {0x00EBA, 0x00EBA, PLAIN | STARTER}, {0x00ECE, 0x00ECE, PLAIN},
    {0x0166D, 0x0166D, PUNCT}, {0x01715, 0x01715, STARTER}, {0x01734, 0x01734, ACCENT},
    {0x0180F, 0x0180F, PLAIN}, {0x01885, 0x01886, PLAIN}, {0x01ABF, 0x01ACE, PLAIN | STARTER},
    {0x01B7D, 0x01B7E, PLAIN}, {0x01DF6, 0x01DFA, PLAIN | STARTER}, {0x01DFB, 0x01DFB, PLAIN},
    {0x02E43, 0x02E4F, PLAIN}, {0x02E52, 0x02E5D, PLAIN}, {0x0A82C, 0x0A82C, PLAIN | STARTER},
    {0x0A8C5, 0x0A8C5, PLAIN}, {0x0A8FF, 0x0A8FF, PLAIN}, {0x0A9BD, 0x0A9BD, PLAIN},
    {0x10D24, 0x10D27, PLAIN | STARTER}, {0x10EAB, 0x10EAC, PLAIN | STARTER}, {0x10EAD, 0x10EAD, PLAIN},
    {0x10EFD, 0x10EFF, PLAIN | STARTER}, {0x10F46, 0x10F50, PLAIN | STARTER}, {0x10F55, 0x10F59, PLAIN},
    {0x10F82, 0x10F85, PLAIN | STARTER}, {0x10F86, 0x10F89, PLAIN}, {0x11070, 0x11070, PLAIN | STARTER},
    {0x11073, 0x11074, PLAIN}, {0x110C2, 0x110C2, PLAIN}, {0x110CD, 0x110CD, PLAIN},
    {0x111C9, 0x111C9, PLAIN | PUNCT}, {0x111CF, 0x111CF, PLAIN}, {0x1123E, 0x1123E, PLAIN},
    {0x11241, 0x11241, PLAIN}, {0x1133B, 0x1133B, PLAIN | STARTER}, {0x11438, 0x1143F, PLAIN},
    {0x11442, 0x11444, PLAIN}, {0x11446, 0x11446, PLAIN}, {0x1144B, 0x1144F, PLAIN},
    {0x1145A, 0x1145B, PLAIN}, {0x1145D, 0x1145D, PLAIN}, {0x1145E, 0x1145E, PLAIN | STARTER},
    {0x11660, 0x1166C, PLAIN}, {0x116B9, 0x116B9, PLAIN}, {0x1182F, 0x11837, PLAIN},
    {0x11839, 0x1183A, PLAIN | STARTER}, {0x1183B, 0x1183B, PLAIN}, {0x11938, 0x11938, WHOLE},
    {0x1193B, 0x1193C, PLAIN}, {0x1193D, 0x1193D, STARTER}, {0x1193E, 0x1193E, PLAIN | STARTER},
    {0x11943, 0x11943, PLAIN | STARTER}, {0x11944, 0x11946, PLAIN}, {0x119D4, 0x119D7, PLAIN},
    {0x119DA, 0x119DB, PLAIN}, {0x119E0, 0x119E0, PLAIN | STARTER}, {0x119E2, 0x119E2, PLAIN},
    {0x11A01, 0x11A0A, PLAIN}, {0x11A33, 0x11A33, PLAIN}, {0x11A34, 0x11A34, PLAIN | STARTER},
    {0x11A35, 0x11A38, PLAIN}, {0x11A3B, 0x11A3E, PLAIN}, {0x11A3F, 0x11A46, PLAIN},
    {0x11A47, 0x11A47, PLAIN | STARTER}, {0x11A51, 0x11A56, PLAIN}, {0x11A59, 0x11A5B, PLAIN},
    {0x11A8A, 0x11A96, PLAIN}, {0x11A98, 0x11A98, PLAIN}, {0x11A99, 0x11A99, PLAIN | STARTER},
    {0x11A9A, 0x11A9C, PLAIN}, {0x11A9E, 0x11AA2, PLAIN}, {0x11B00, 0x11B09, PLAIN},
    {0x11C30, 0x11C36, PLAIN}, {0x11C38, 0x11C3D, PLAIN}, {0x11C3F, 0x11C3F, PLAIN},
    {0x11C41, 0x11C45, PLAIN}, {0x11C70, 0x11C71, PLAIN}, {0x11C92, 0x11CA7, PLAIN},
    {0x11CAA, 0x11CB0, PLAIN}, {0x11CB2, 0x11CB3, PLAIN}, {0x11CB5, 0x11CB6, PLAIN},
    {0x11D31, 0x11D36, PLAIN}, {0x11D3A, 0x11D3A, PLAIN}, {0x11D3C, 0x11D3D, PLAIN},
    {0x11D3F, 0x11D41, PLAIN}, {0x11D42, 0x11D42, PLAIN | STARTER}, {0x11D43, 0x11D43, PLAIN},
    {0x11D44, 0x11D45, PLAIN | STARTER}, {0x11D47, 0x11D47, PLAIN}, {0x11D90, 0x11D91, PLAIN},
    {0x11D95, 0x11D95, PLAIN}, {0x11D97, 0x11D97, PLAIN | STARTER}, {0x11EF3, 0x11EF4, PLAIN},
    {0x11EF7, 0x11EF8, PLAIN}, {0x11F00, 0x11F01, PLAIN}, {0x11F36, 0x11F3A, PLAIN},
    {0x11F40, 0x11F40, PLAIN}, {0x11F41, 0x11F41, STARTER}, {0x11F42, 0x11F42, PLAIN | STARTER},
    {0x11F43, 0x11F4F, PLAIN}, {0x11FFF, 0x11FFF, PLAIN}, {0x12FF1, 0x12FF2, PLAIN},
    {0x13430, 0x1343F, PLAIN}, {0x13440, 0x13440, PLAIN}, {0x13447, 0x13455, PLAIN},
    {0x16E97, 0x16E9A, PLAIN}, {0x16F4F, 0x16F4F, PLAIN}, {0x16FE2, 0x16FE2, PLAIN},
    {0x16FE4, 0x16FE4, PLAIN}, {0x16FF0, 0x16FF1, STARTER}, {0x1CF00, 0x1CF2D, PLAIN},
    {0x1CF30, 0x1CF46, PLAIN}, {0x1E000, 0x1E006, PLAIN}, {0x1E008, 0x1E018, PLAIN},
    {0x1E01B, 0x1E021, PLAIN}, {0x1E023, 0x1E024, PLAIN}, {0x1E026, 0x1E02A, PLAIN},
    {0x1E08F, 0x1E08F, PLAIN | STARTER}, {0x1E130, 0x1E136, PLAIN | STARTER},
    {0x1E2AE, 0x1E2AE, PLAIN | STARTER}, {0x1E2EC, 0x1E2EF, PLAIN | STARTER},
    {0x1E4EC, 0x1E4EF, PLAIN | STARTER}, {0x1E944, 0x1E94A, PLAIN}, {0x1E95E, 0x1E95F, PLAIN},
};

/* Lower case: `first`, `first + step` ... `last` map to themselves plus `delta`. */
struct shift {
    int32_t first, last, step, delta;
};

/* Pairs that came with Unicode 16 and 17. */
static const struct shift lower_shifts[] = {
    {0x1C89, 0x1C89, 1, 1},     {0xA7CB, 0xA7CB, 1, 0x264 - 0xA7CB}, {0xA7CC, 0xA7CE, 2, 1},
    {0xA7D2, 0xA7D4, 2, 1},     {0xA7DA, 0xA7DA, 1, 1},              {0xA7DC, 0xA7DC, 1, 0x19B - 0xA7DC},
    {0x10D50, 0x10D65, 1, 0x20}, {0x16EA0, 0x16EB8, 1, 0x1B},
};

static uint8_t differences_of(int32_t code)
{
    size_t low = 0, high = COUNT(differing);
    if (code < differing[0].first)
        return 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code > differing[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < COUNT(differing) && code >= differing[low].first ? differing[low].differences : 0;
}

bool llmc_unicode_is_space(int32_t code)
{
    if (code < 0x80)
        return code == ' ' || (code >= '\t' && code <= '\r');
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return true;
    default:
        return code == 0x85;
    }
}

bool llmc_unicode_is_control(int32_t code)
{
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
        return !(differences_of(code) & PLAIN);
    default:
        return false;
    }
}

bool llmc_unicode_is_accent(int32_t code)
{
    uint8_t differences = differences_of(code);
    if (differences & (PLAIN | ACCENT))
        return differences & ACCENT;
    return utf8proc_category(code) == UTF8PROC_CATEGORY_MN;
}

bool llmc_unicode_is_punctuation(int32_t code)
{
    if (code < 0x80)
        return (code >= '!' && code <= '/') || (code >= ':' && code <= '@') || (code >= '[' && code <= '`') ||
               (code >= '{' && code <= '~');
    uint8_t differences = differences_of(code);
    if (differences & (PLAIN | PUNCT))
        return differences & PUNCT;
    utf8proc_category_t category = utf8proc_category(code);
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool llmc_unicode_is_ideograph(int32_t code)
{
    /* The gap before 0x2B920 is in the original: it leaves out the first
     * ideographs of extension E, and so must we. */
    return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
           (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x20000 && code <= 0x2A6DF) ||
           (code >= 0x2A700 && code <= 0x2B81F) || (code >= 0x2B920 && code <= 0x2CEAF) ||
           (code >= 0x2F800 && code <= 0x2FA1F);
}

int llmc_unicode_order(int32_t code)
{
    return differences_of(code) & STARTER ? 0 : utf8proc_get_property(code)->combining_class;
}

int llmc_unicode_decompose(int32_t code, int32_t out[LLMC_UNICODE_DECOMPOSED_MAX])
{
    utf8proc_ssize_t count = 0;
    if (code >= 0x80 && !(differences_of(code) & WHOLE))
        count = utf8proc_decompose_char(code, out, LLMC_UNICODE_DECOMPOSED_MAX, UTF8PROC_DECOMPOSE, NULL);
    if (count < 1 || count > LLMC_UNICODE_DECOMPOSED_MAX) {
        out[0] = code;
        return 1;
    }
    return (int)count;
}

int llmc_unicode_lower(int32_t code, int32_t out[LLMC_UNICODE_LOWER_MAX])
{
    if (code == 0x130) { /* dotted capital I: the only lower case of two characters */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    for (size_t i = 0; i < COUNT(lower_shifts) && code >= lower_shifts[0].first; i++) {
        const struct shift *shift = &lower_shifts[i];
        if (code >= shift->first && code <= shift->last && (code - shift->first) % shift->step == 0) {
            out[0] = code + shift->delta;
            return 1;
        }
    }
    out[0] = utf8proc_tolower(code);
    return 1;
}
