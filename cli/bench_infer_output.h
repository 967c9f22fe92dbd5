/* How `llmc bench FILE` shows its figures: as tables, or as JSON. */
#ifndef LLMC_CLI_BENCH_INFER_OUTPUT_H
#define LLMC_CLI_BENCH_INFER_OUTPUT_H

#include "bench/infer_rounds.h"

#include <jansson.h>

/* What is known besides the figures of the rounds. */
struct llmc_bench_infer_about {
    const char *file;
    const char *texts;                /* NULL: they were made */
    int64_t unpacked_integers_nbytes; /* of all integers of the file, a byte each */
    double first_answer_seconds;      /* of a new process, its start included */
    int64_t first_answer_nbytes;      /* its peak resident set */
};

/* The caller drops the reference; NULL when out of memory. */
json_t *llmc_bench_infer_json(const struct llmc_infer_rounds *rounds, const struct llmc_infer_figures *figures,
                              const struct llmc_bench_infer_about *about);

void llmc_bench_infer_print(const struct llmc_infer_rounds *rounds, const struct llmc_infer_figures *figures,
                            const struct llmc_bench_infer_about *about);

#endif
