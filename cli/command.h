/*
 * The commands of `llmc`, and what they share: messages, options, interruption.
 * A command gets its own name as argv[0] and returns the exit status.
 */
#ifndef LLMC_CLI_COMMAND_H
#define LLMC_CLI_COMMAND_H

#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>

int llmc_command_bench(int argc, char **argv);
int llmc_command_bench_infer(int argc, char **argv); /* a part of bench */
int llmc_command_eval(int argc, char **argv);
int llmc_command_export(int argc, char **argv);
int llmc_command_inspect(int argc, char **argv);
int llmc_command_predict(int argc, char **argv);
int llmc_command_report(int argc, char **argv);
int llmc_command_runs(int argc, char **argv);

/* Exit statuses that no llmc_status stands for. */
enum { LLMC_EXIT_USAGE = 2, LLMC_EXIT_BROKEN_PIPE = 141 };

/* Prints "llmc: WORDS: MESSAGE" of this thread's failure and returns its exit
 * status; LLMC_OK prints nothing and returns 0. Output that nobody reads any
 * more (a closed pipe) ends a command without a message, as SIGPIPE would. */
int llmc_command_end(llmc_status status);

/* Prints "llmc COMMAND: MESSAGE" (command NULL: "llmc-distill: ...") and where help is; returns LLMC_EXIT_USAGE. */
int llmc_command_usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The number of option NAME: LLMC_ERR_ARGUMENT with the allowed range otherwise. */
llmc_status llmc_command_number(const char *option, const char *text, int min, int max, int *out);

/* *out = the path of PROGRAM in the folder of this program; the caller frees it. Errors: LLMC_ERR_IO, LLMC_ERR_MEMORY. */
llmc_status llmc_command_sibling(const char *program, char **out);

/* Flushes standard output. Errors: LLMC_ERR_IO. */
llmc_status llmc_command_flush(void);

/* Prints one JSON object and a line end, and drops the reference. Errors: LLMC_ERR_IO, LLMC_ERR_MEMORY. */
llmc_status llmc_command_print_json(json_t *object, bool compact);

/* A text that may not be UTF-8 as JSON: then as "\ufffd". */
json_t *llmc_command_json_text(const char *text);

/* Lets OpenMP's waiting threads spin for microseconds, then sleep. By default they spin for milliseconds: beside one
 * other busy process on two processors, training then ran at 1.2 instead of 5.7 steps a second and a prediction
 * took 97 ms instead of 0.4; without any spinning a prediction took 1.6 ms on an idle machine. The OpenMP library reads
 * its environment before main, so this starts the program anew, unless the user has chosen a policy. To be
 * called first in main. */
void llmc_command_spin_briefly(char **argv);

/* OpenMP's threads in this program: no more than llmc_threads_all(), where its default is all processors, quota or not. */
void llmc_command_limit_threads(void);

/* From now on Ctrl-C and SIGTERM do not kill: interrupted() tells. A closed standard output shows as an error of writing. */
void llmc_command_catch_signals(void);
bool llmc_command_interrupted(void);

/* Waits until `file` can be read (or has ended); false when a caught signal came, at whatever moment. */
bool llmc_command_wait_input(int file);

#endif
