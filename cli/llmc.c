/*
 * llmc: what can be done with compressed checkpoints and finished runs. It does
 * not link LibTorch.
 */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"bench", "speed and memory of a compressed checkpoint; the parts of training", llmc_command_bench},
    {"eval", "accuracy, speed and memory of a compressed checkpoint on labelled texts", llmc_command_eval},
    {"export", "a compressed checkpoint as ONNX, or as a Hugging Face folder", llmc_command_export},
    {"inspect", "what is in a compressed checkpoint, and what each part costs", llmc_command_inspect},
    {"predict", "label and probability of each text", llmc_command_predict},
    {"report", "the cost report of a run, or of two side by side", llmc_command_report},
    {"runs", "what runs there are, and the stages that they share", llmc_command_runs},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_usage(FILE *file)
{
    fputs("usage: llmc COMMAND [ARGUMENTS]\n\n", file);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(file, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\n'llmc COMMAND --help' explains a command; 'llmc --version' prints the version.\n", file);
}

int main(int argc, char **argv)
{
    llmc_command_spin_briefly(argv);
    llmc_command_limit_threads();
    if (argc < 2) {
        print_usage(stderr);
        return LLMC_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return llmc_command_end(llmc_command_flush());
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("llmc " LLMC_VERSION);
        return llmc_command_end(llmc_command_flush());
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "llmc: unknown command \"%s\"\n\n", argv[1]);
    print_usage(stderr);
    return LLMC_EXIT_USAGE;
}
