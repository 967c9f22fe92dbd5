/*
 * Loads what a script made of a checkpoint, and asks it for an answer where it was taken. Whatever is loaded must
 * answer without touching memory that is not its own, or refuse with a message.
 */
#include "include/llmc_runtime.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hostile_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    size_t file_nbytes;
    unsigned char *file = hostile_file_make(data, nbytes, &file_nbytes);
    if (!file)
        return 0;
    bool opened = fuzz_model(file, file_nbytes);
    free(file);
    if (nbytes < HOSTILE_CHANGE_NBYTES && !opened)
        abort(); /* without a lie it must open: else nothing is tested */
    return 0;
}
