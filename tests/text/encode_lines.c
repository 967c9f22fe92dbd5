/*
 * encode_lines FOLDER TOKENS_MAX: encodes the texts of standard input with the
 * tokenizer of a Hugging Face folder, so that a script can compare the ids.
 *
 * A record of the input: int32 bytes of the text, the text, int32 bytes of the
 * second text or -1, the second text. A record of the output: int32 tokens,
 * int32 ids, uint8 types. Numbers in the byte order of the machine.
 */
#include "base/memory.h"
#include "base/status.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

/* *text = the next text of the input, NULL for length -1. Returns 0 at the end of the input. */
static int read_text(char **text, int32_t *nbytes)
{
    *text = NULL;
    if (fread(nbytes, sizeof *nbytes, 1, stdin) != 1)
        return 0;
    if (*nbytes < 0)
        return 1;
    /* Exactly as long as the text: the address sanitizer then sees every read behind its end. */
    *text = malloc(*nbytes ? (size_t)*nbytes : 1);
    return *text && fread(*text, 1, (size_t)*nbytes, stdin) == (size_t)*nbytes;
}

int main(int argc, char **argv)
{
    llmc_status status = LLMC_OK;
    struct llmc_tokenizer *tokenizer = NULL;
    int32_t *ids = NULL;
    uint8_t *types = NULL;
    char *text = NULL, *pair = NULL;
    int32_t text_nbytes, pair_nbytes, count;
    if (argc != 3)
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "usage: encode_lines FOLDER TOKENS_MAX");
    int32_t tokens_max = atoi(argv[2]);
    if (tokens_max < 1)
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "TOKENS_MAX must be at least 1");
    LLMC_TRY(llmc_tokenizer_load(&tokenizer, argv[1]));
    LLMC_TRY(llmc_alloc(&ids, (size_t)tokens_max, sizeof *ids));
    LLMC_TRY(llmc_alloc(&types, (size_t)tokens_max, sizeof *types));
    while (read_text(&text, &text_nbytes)) {
        if (!text || !read_text(&pair, &pair_nbytes))
            LLMC_FAIL(LLMC_ERR_IO, "the input ends inside a record");
        LLMC_TRY(llmc_tokenizer_encode(tokenizer, text, (size_t)text_nbytes, pair, pair ? (size_t)pair_nbytes : 0,
                                       tokens_max, ids, types, &count));
        fwrite(&count, sizeof count, 1, stdout);
        fwrite(ids, sizeof *ids, (size_t)count, stdout);
        fwrite(types, sizeof *types, (size_t)count, stdout);
        free(text);
        free(pair);
        text = pair = NULL;
    }
    if (fflush(stdout) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "cannot write the ids");
exit:
    if (status != LLMC_OK)
        fprintf(stderr, "%s\n", llmc_error_message());
    free(text);
    free(pair);
    free(ids);
    free(types);
    llmc_tokenizer_free(tokenizer);
    return llmc_status_exit(status);
}
