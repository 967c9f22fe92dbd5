/* number_convert FORMAT: F32 bits from standard input to F16 or BF16 bits on standard output. */
#include "base/number.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    float value;
    if (argc != 2 || (strcmp(argv[1], "F16") != 0 && strcmp(argv[1], "BF16") != 0))
        return 2;
    while (fread(&value, sizeof value, 1, stdin) == 1) {
        uint16_t bits = argv[1][0] == 'F' ? llmc_f16_from_f32(value) : llmc_bf16_from_f32(value);
        if (fwrite(&bits, sizeof bits, 1, stdout) != 1)
            return 1;
    }
    return fflush(stdout) != 0;
}
