/* llmc bench: hands over to the program that times; it is apart because it links LibTorch. */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: llmc bench train [OPTIONS]\n"
    "\n"
    "  train    times the steps of training, by their parts, against this machine's peaks\n"
    "\n"
    "'llmc bench train --help' explains it.\n";

int llmc_command_bench(int argc, char **argv)
{
    llmc_status status = LLMC_OK;
    char *program = NULL;
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return llmc_command_end(llmc_command_flush());
    }
    if (argc < 2)
        return llmc_command_usage_error("bench", "what to time is missing; legal: train");
    if (strcmp(argv[1], "train") != 0)
        return llmc_command_usage_error("bench", "unknown \"%s\"; legal: train", argv[1]);
    LLMC_TRY(llmc_command_sibling("llmc-bench-train", &program));
    execv(program, argv + 1);
    status = llmc_error(LLMC_ERR_IO, "%s: cannot start: %s", program, strerror(errno));
exit:
    free(program);
    return llmc_command_end(status);
}
