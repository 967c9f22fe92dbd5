#include "cli/command.h"
#include "cli/progress_line.h"

#include "architecture/task.h"
#include "base/memory.h"
#include "base/threads.h"
#include "include/llmc_runtime.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: llmc predict FILE [TEXT... | -] [--json] [--threads N]\n"
    "\n"
    "Prints LABEL, a tab and its probability for each TEXT, in order. Without TEXT, or\n"
    "with -, each line of standard input is a text (also an empty one) and is answered as\n"
    "soon as no more lines are waiting; of a line above 1 MiB the first MiB counts.\n"
    "\n"
    "  --json        one JSON object a line, with the probabilities of all labels\n"
    "  --threads N   0 (the default): OMP_NUM_THREADS, or all processors within the\n"
    "                quota of the container\n"
    "  --help        this text\n";

enum { BATCH = 256, BUFFER_NBYTES = 1 << 20 };

struct answerer {
    const struct llmc_model *model;
    struct llmc_predictor *predictor;
    bool json;
    float *probabilities;     /* [BATCH, labels] */
    const char *texts[BATCH]; /* waiting */
    size_t count;
    int64_t answered;
};

static llmc_status print_answer(const struct answerer *answerer, const float *probabilities)
{
    int32_t labels = llmc_model_label_count(answerer->model);
    int32_t best = llmc_task_single_label.answer(probabilities, labels);
    const char *label = llmc_model_label(answerer->model, best);
    if (!answerer->json) {
        printf("%s\t%.6f\n", label, (double)probabilities[best]);
        return LLMC_OK;
    }
    json_t *all = json_array();
    for (int32_t i = 0; i < labels; i++)
        json_array_append_new(all, json_pack("{s:o, s:f}", "label",
                                             llmc_command_json_text(llmc_model_label(answerer->model, i)),
                                             "probability", (double)probabilities[i]));
    return llmc_command_print_json(json_pack("{s:o, s:f, s:o}", "label", llmc_command_json_text(label), "probability",
                                             (double)probabilities[best], "probabilities", all),
                                   true);
}

/* Answers what is waiting. */
static llmc_status answer(struct answerer *answerer)
{
    llmc_status status = LLMC_OK;
    size_t labels = (size_t)llmc_model_label_count(answerer->model);
    if (answerer->count == 0)
        return LLMC_OK;
    LLMC_TRY(llmc_predict(answerer->predictor, answerer->texts, NULL, answerer->count, answerer->probabilities));
    for (size_t i = 0; i < answerer->count; i++)
        LLMC_TRY(print_answer(answerer, answerer->probabilities + i * labels));
    LLMC_TRY(llmc_command_flush());
    answerer->answered += (int64_t)answerer->count;
    answerer->count = 0;
exit:
    return status;
}

static llmc_status add_text(struct answerer *answerer, const char *text)
{
    answerer->texts[answerer->count++] = text;
    return answerer->count == BATCH ? answer(answerer) : LLMC_OK;
}

/* Ends the line text[0..nbytes-1] in place. Zero bytes are dropped: they would end
 * the text, and the tokenizer drops control characters too. */
static char *end_line(char *text, size_t nbytes)
{
    size_t kept = 0;
    if (nbytes > 0 && text[nbytes - 1] == '\r')
        nbytes--;
    for (size_t i = 0; i < nbytes; i++)
        if (text[i])
            text[kept++] = text[i];
    text[kept] = '\0';
    return text;
}

/* Standard input through one buffer: complete lines are answered, the rest moves to the front. */
struct input {
    char *buffer; /* [BUFFER_NBYTES + 1] */
    size_t filled;
    bool skipping; /* the rest of a line that filled the buffer */
    int64_t nbytes_read;
};

static llmc_status take_lines(struct input *input, struct answerer *answerer, bool at_end)
{
    llmc_status status = LLMC_OK;
    char *line = input->buffer, *end = input->buffer + input->filled, *line_end;
    while ((line_end = memchr(line, '\n', (size_t)(end - line)))) {
        if (!input->skipping)
            LLMC_TRY(add_text(answerer, end_line(line, (size_t)(line_end - line))));
        input->skipping = false;
        line = line_end + 1;
    }
    bool full = line == input->buffer && input->filled == BUFFER_NBYTES;
    if (input->skipping) {
        line = end;
    } else if ((at_end && line < end) || full) {
        LLMC_TRY(add_text(answerer, end_line(line, (size_t)(end - line))));
        input->skipping = full;
        line = end;
    }
    LLMC_TRY(answer(answerer));
    input->filled = (size_t)(end - line);
    memmove(input->buffer, line, input->filled);
exit:
    return status;
}

static llmc_status answer_input(struct answerer *answerer)
{
    llmc_status status = LLMC_OK;
    struct input input = {0};
    struct llmc_progress progress;
    struct stat info;
    int64_t total = fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode) ? (int64_t)info.st_size : 0;
    bool quiet = isatty(STDIN_FILENO);
    llmc_progress_init(&progress, stderr);
    LLMC_TRY(llmc_alloc(&input.buffer, BUFFER_NBYTES + 1, 1));
    for (;;) {
        if (!llmc_command_wait_input(STDIN_FILENO)) {
            status = LLMC_ERR_INTERRUPTED;
            goto exit;
        }
        ssize_t nbytes = read(STDIN_FILENO, input.buffer + input.filled, BUFFER_NBYTES - input.filled);
        if (nbytes < 0 && errno == EINTR)
            continue;
        if (nbytes < 0)
            LLMC_FAIL(LLMC_ERR_IO, "standard input: cannot read: %s", strerror(errno));
        input.filled += (size_t)nbytes;
        input.nbytes_read += nbytes;
        LLMC_TRY(take_lines(&input, answerer, nbytes == 0));
        if (nbytes == 0)
            break;
        if (!quiet && total)
            llmc_progress_update(&progress, "predict, bytes", input.nbytes_read, total, NULL);
        else if (!quiet)
            llmc_progress_update(&progress, "predict, texts", answerer->answered, 0, NULL);
    }
exit:
    llmc_progress_finish(&progress);
    free(input.buffer);
    return status;
}

static llmc_status predict(const char *path, char **texts, int text_count, bool json, int threads)
{
    llmc_status status = LLMC_OK;
    struct llmc_model *model = NULL;
    struct answerer answerer = {.json = json};
    LLMC_TRY(llmc_model_open(&model, path));
    answerer.model = model;
    LLMC_TRY(llmc_predictor_create(&answerer.predictor, model, threads));
    LLMC_TRY(llmc_alloc(&answerer.probabilities, BATCH * (size_t)llmc_model_label_count(model), sizeof(float)));
    if (text_count == 0 || (text_count == 1 && strcmp(texts[0], "-") == 0)) {
        LLMC_TRY(answer_input(&answerer));
        goto exit;
    }
    for (int i = 0; i < text_count; i++)
        LLMC_TRY(add_text(&answerer, texts[i]));
    LLMC_TRY(answer(&answerer));
exit:
    free(answerer.probabilities);
    llmc_predictor_free(answerer.predictor);
    llmc_model_free(model);
    return status;
}

int llmc_command_predict(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    bool json = false;
    int threads = 0, option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'j':
            json = true;
            break;
        case 't':
            if (llmc_command_number("--threads", optarg, 0, LLMC_THREADS_MAX, &threads) != LLMC_OK)
                return llmc_command_usage_error("predict", "%s", llmc_error_message());
            break;
        case 'h':
            fputs(usage, stdout);
            return llmc_command_end(llmc_command_flush());
        default:
            return llmc_command_usage_error("predict", "unknown option or missing value: %s", argv[optind - 1]);
        }
    }
    if (optind >= argc)
        return llmc_command_usage_error("predict", "FILE is missing");
    llmc_command_catch_signals();
    return llmc_command_end(predict(argv[optind], argv + optind + 1, argc - optind - 1, json, threads));
}
