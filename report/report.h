/*
 * The cost report of a run: report.json in the run folder, a row per stage, and
 * the table of it that people read.
 */
#ifndef LLMC_REPORT_REPORT_H
#define LLMC_REPORT_REPORT_H

#include "base/status.h"

#include <stdint.h>

/* One stage. A figure that does not apply (the logits stage has no accuracy) is
 * negative: null in JSON, "-" in the table. A time that rounds measured has a
 * spread beside it (base/median.h), negative where nobody knows it: the table
 * puts "~" before a figure whose rounds disagree. */
struct llmc_report_row {
    char name[16];             /* "03-distill" */
    double seconds;            /* wall time of the stage, over all its restarts */
    double dev_accuracy;       /* fraction of dev texts whose label is right */
    double teacher_agreement;  /* fraction of dev texts with the teacher's label */
    int64_t parameters;        /* numbers in the model */
    int64_t nonzero_parameters;
    int64_t file_bytes;        /* the model as one file, in the form this stage reached */
    double macs_per_example;   /* multiply-adds that the engine does for the mean dev text */
    int64_t memory_bytes;      /* peak resident set of a process of its own while it answers */
    double latency_ms_b1_p50;  /* one text at a time, from text to label */
    double throughput_per_s_b32; /* texts a second, 32 a call */
    double latency_ms_b1_p50_spread, throughput_per_s_b32_spread; /* may be missing in report.json */
    char engine[16];           /* "libtorch", "runtime" or, for the baseline, "nbsvm" */
    /* Quality (report/quality.h); they may be missing in report.json. */
    double accuracy_deviation; /* one standard deviation of dev_accuracy */
    double dev_f1;             /* of label 1 where there are two labels, else the mean over the labels */
    double teacher_divergence; /* KL(teacher || model), nats a text */
    double calibration_error;
    int64_t texts_gained, texts_lost; /* right where the teacher is wrong; wrong where it is right */
    double mcnemar_p;          /* of the two by chance */
};

/* A row without a name, of which no figure is known. */
void llmc_report_row_clear(struct llmc_report_row *row);

#define LLMC_REPORT_ROWS_MAX 1000 /* a report with more is no report of ours */

struct llmc_report {
    char *name;                /* of the run */
    char *machine;             /* CPU, cores, memory */
    char *versions;            /* llmc, LibTorch, HDF5, zlib */
    char *data;                /* the dev file's name and row count */
    uint64_t seed;
    char precision[8];
    int32_t threads;
    struct llmc_report_row *rows;
    int32_t row_count;
};

/* Sets name, machine (from /proc/cpuinfo and sysconf), versions and an empty row list. `torch_version` may be NULL. */
llmc_status llmc_report_init(struct llmc_report *report, const char *name, const char *torch_version);
void llmc_report_release(struct llmc_report *report);

/* Replaces the row of the same name, or adds it at the end. */
llmc_status llmc_report_put(struct llmc_report *report, const struct llmc_report_row *row);
/* NULL when there is none. */
const struct llmc_report_row *llmc_report_find(const struct llmc_report *report, const char *name);

/* The content of report.json. The caller frees *json. */
llmc_status llmc_report_json(const struct llmc_report *report, char **json);

/* report.json, atomically; and back (errors: LLMC_ERR_IO, LLMC_ERR_FORMAT with file, line or field). */
llmc_status llmc_report_write(const struct llmc_report *report, const char *path);
llmc_status llmc_report_read(struct llmc_report *report, const char *path);

/* The tables for people: what each stage costs, and how good it is. Each figure also against the first row that has it (the
 * teacher): "13.2 MB 6.9x" is 6.9 times less; texts a second count how many
 * times more, accuracy in points. The summary ends it. The caller frees *text. */
llmc_status llmc_report_table(const struct llmc_report *report, char **text);
/* What became of the teacher, its first row, in the file that the runtime measured last: bytes, speed and accuracy in two
 * lines, and two more where the baseline is better than the teacher; "" where there is no such file. The caller frees *text. */
llmc_status llmc_report_summary(const struct llmc_report *report, char **text);
/* Two runs side by side, stage by stage: a row of `b` against the row of `a` above it. */
llmc_status llmc_report_compare(const struct llmc_report *a, const struct llmc_report *b, char **text);

#endif
