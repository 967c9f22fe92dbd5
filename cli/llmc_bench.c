/* llmc bench: times predictions, or hands over to the program that times training, apart because it links LibTorch. */
#include "cli/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static llmc_status become_trainer(char **argv)
{
    char *program = NULL;
    llmc_status status = llmc_command_sibling("llmc-bench-train", &program);
    if (status != LLMC_OK)
        return status;
    execv(program, argv);
    if (errno == ENOENT)
        status = llmc_error(LLMC_ERR_UNSUPPORTED,
                            "%s is missing: it is built with LLMC_TRAINING=ON and installed with the component training",
                            program);
    else
        status = llmc_error(LLMC_ERR_IO, "%s: cannot start: %s", program, strerror(errno));
    free(program);
    return status;
}

int llmc_command_bench(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "train") == 0)
        return llmc_command_end(become_trainer(argv + 1));
    return llmc_command_bench_infer(argc, argv);
}
