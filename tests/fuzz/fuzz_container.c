/*
 * A valid checkpoint with bytes changed under a checksum that fits again: mostly what libhdf5 does with a container
 * that it has not written. Not one of the promises; the README states what was measured. Input: changes of 4
 * bytes, place (24 bits, modulo the file's length) and value; with 3 bytes left over, of a file of version 3, else 1.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hostile_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    static const uint8_t version_3[10];
    size_t file_nbytes;
    unsigned char *file = hostile_file_make(version_3, nbytes % 4 == 3 ? sizeof version_3 : 0, &file_nbytes);
    if (!file)
        return 0;
    for (; nbytes >= 4; nbytes -= 4, data += 4)
        file[(size_t)(data[0] | data[1] << 8 | data[2] << 16) % file_nbytes] = data[3];
    hostile_file_seal(file, file_nbytes);
    fuzz_model(file, file_nbytes);
    free(file);
    return 0;
}
