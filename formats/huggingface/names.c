#include "formats/huggingface/names.h"

#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Left by wrappers, which may enclose the model or any part of it. */
static const char *const anywhere[] = {"module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."};
static const char *const before[] = {"model.", "bert."};
static const char *const encoder_parts[] = {"embeddings.", "encoder.", "pooler."};
static const char *const norm_ends[][2] = {{"LayerNorm.gamma", "LayerNorm.weight"}, {"LayerNorm.beta", "LayerNorm.bias"}};

/* The bytes of the start that `text` has, or 0. */
static size_t find_start(const char *text, const char *const *starts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(text, starts[i], strlen(starts[i])) == 0)
            return strlen(starts[i]);
    return 0;
}

/* Takes the wrappers' parts out of `name`. */
static void drop_wrappers(char *name)
{
    bool at_part = true;
    size_t length;
    for (char *at = name; *at; at++) {
        while (at_part && (length = find_start(at, anywhere, COUNT_OF(anywhere))))
            memmove(at, at + length, strlen(at + length) + 1);
        at_part = *at == '.';
        if (!*at)
            break;
    }
}

llmc_status llmc_hf_name(char **out, const char *stored)
{
    llmc_status status = LLMC_OK;
    char *name = NULL;
    const char *rest;
    size_t length;
    LLMC_TRY(llmc_strdup(&name, stored));
    drop_wrappers(name);
    for (rest = name; (length = find_start(rest, before, COUNT_OF(before)));)
        rest += length;
    const char *end = "";
    length = strlen(rest);
    for (size_t i = 0; i < COUNT_OF(norm_ends); i++) {
        size_t nbytes = strlen(norm_ends[i][0]);
        if (length >= nbytes && strcmp(rest + length - nbytes, norm_ends[i][0]) == 0) {
            end = norm_ends[i][1];
            length -= nbytes;
            break;
        }
    }
    LLMC_TRY(llmc_format(out, "%s%.*s%s", find_start(rest, encoder_parts, COUNT_OF(encoder_parts)) ? "bert." : "",
                         (int)length, rest, end));
exit:
    free(name);
    return status;
}
