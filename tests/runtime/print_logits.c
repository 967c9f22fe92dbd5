/*
 * Helper of the reference tests: print_logits FILE THREADS TEXTS_A_CALL reads lines (a tab
 * separates a pair of texts) and prints the logits of each as hexadecimal floats.
 */
#include "base/status.h"
#include "include/llmc_runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 4096 };

static int fail(llmc_status status)
{
    fprintf(stderr, "%s: %s\n", llmc_status_words(status), llmc_error_message());
    return llmc_status_exit(status);
}

int main(int argc, char **argv)
{
    static char *texts[LINES_MAX], *pairs[LINES_MAX];
    struct llmc_model *model;
    struct llmc_predictor *predictor = NULL;
    size_t count = 0, capacity = 0;
    ssize_t length;
    char *line = NULL;
    if (argc != 4)
        return 2;
    llmc_status status = llmc_model_open(&model, argv[1]);
    if (status != LLMC_OK)
        return fail(status);
    while (count < LINES_MAX && (length = getline(&line, &capacity, stdin)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        char *tab = strchr(line, '\t');
        if (tab)
            *tab = '\0';
        texts[count] = strdup(line);
        pairs[count++] = tab ? strdup(tab + 1) : NULL;
    }
    size_t labels = (size_t)llmc_model_label_count(model), call = (size_t)atoi(argv[3]);
    float *out = calloc(count * labels + 1, sizeof *out);
    status = llmc_predictor_create(&predictor, model, atoi(argv[2]));
    for (size_t i = 0; status == LLMC_OK && i < count; i += call) {
        size_t now = count - i < call ? count - i : call;
        status = llmc_predict_logits(predictor, (const char *const *)texts + i,
                                     pairs[0] ? (const char *const *)pairs + i : NULL, now, out + i * labels);
    }
    if (status != LLMC_OK)
        return fail(status);
    for (size_t i = 0; i < count * labels; i++)
        printf("%a%c", (double)out[i], (i + 1) % labels ? '\t' : '\n');
    for (size_t i = 0; i < count; i++) {
        free(texts[i]);
        free(pairs[i]);
    }
    free(line);
    free(out);
    llmc_predictor_free(predictor);
    llmc_model_free(model);
    return 0;
}
