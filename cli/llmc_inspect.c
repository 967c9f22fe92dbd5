#include "cli/command.h"

#include "architecture/task.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/inspect_bytes.h"
#include "formats/checkpoint/compressed.h"
#include "runtime/unused.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: llmc inspect FILE [--json]\n"
    "\n"
    "Shows the architecture of a compressed checkpoint and, for each parameter, its\n"
    "number format, bits, share of zeros and stored bytes (of bytes that parameters\n"
    "share, its part); then the heads and ffn neurons that the runtime skips, because\n"
    "all weights behind them are zero; then the bytes of the file by kinds.\n"
    "\n"
    "  --json   one JSON object instead of the table\n"
    "  --help   this text\n";

static int64_t count_zeros(const struct llmc_compressed_tensor *tensor)
{
    const char zero[4] = {0};
    size_t nbytes = llmc_number_nbytes(tensor->number);
    const char *data = tensor->data;
    int64_t zeros = 0;
    for (int64_t i = 0; i < tensor->rows * tensor->cols; i++)
        zeros += memcmp(data + (size_t)i * nbytes, zero, nbytes) == 0;
    return zeros;
}

static int bits_of(const struct llmc_compressed_tensor *tensor)
{
    return tensor->bits ? tensor->bits : 8 * (int)llmc_number_nbytes(tensor->number);
}

static uint64_t stored_nbytes(const struct llmc_compressed_tensor *tensor)
{
    return tensor->stored_nbytes + tensor->scales_stored_nbytes;
}

struct totals {
    int64_t parameters, zeros;
    uint64_t stored_nbytes;
};

static json_t *tensor_json(const struct llmc_compressed_tensor *tensor, int64_t zeros)
{
    json_t *json = json_pack("{s:s, s:s, s:i, s:[I, I], s:b, s:f, s:I}", "name", tensor->name, "number",
                             llmc_number_name(tensor->number), "bits", bits_of(tensor), "shape",
                             (json_int_t)tensor->rows, (json_int_t)tensor->cols, "stored_sparse", tensor->sparse,
                             "sparsity", (double)zeros / (double)(tensor->rows * tensor->cols), "stored_bytes",
                             (json_int_t)stored_nbytes(tensor));
    if (json && tensor->has_input)
        json_object_set_new(json, "input", json_pack("{s:f, s:i}", "scale", (double)tensor->input_scale, "zero_point",
                                                     tensor->input_zero_point));
    return json;
}

static struct llmc_rt_unused unused_in(const struct llmc_compressed *content, int32_t layer)
{
    return llmc_rt_unused_count(&content->architecture, &content->tensors[llmc_layer_parameter(layer, 0)]);
}

static json_t *skipped_json(const struct llmc_compressed *content)
{
    json_t *layers = json_array();
    for (int32_t i = 0; i < content->architecture.layers; i++) {
        struct llmc_rt_unused unused = unused_in(content, i);
        json_array_append_new(layers, json_pack("{s:i, s:i}", "heads", unused.heads, "neurons", unused.neurons));
    }
    return layers;
}

static void print_skipped(const struct llmc_compressed *content)
{
    const struct llmc_architecture *a = &content->architecture;
    for (int32_t i = 0; i < a->layers; i++) {
        struct llmc_rt_unused unused = unused_in(content, i);
        if (unused.heads || unused.neurons)
            printf("skipped at run time in layer %d: %d of %d heads, %d of %d neurons\n", i, unused.heads,
                   a->layer[i].heads, unused.neurons, a->layer[i].ffn);
    }
}

static json_t *bytes_json(const struct llmc_inspect_bytes *bytes)
{
    json_t *kinds = json_array();
    for (int32_t i = 0; i < bytes->count; i++)
        json_array_append_new(kinds, json_pack("{s:s, s:I, s:I}", "kind", bytes->kinds[i].name, "numbers",
                                               (json_int_t)bytes->kinds[i].numbers, "bytes",
                                               (json_int_t)bytes->kinds[i].nbytes));
    return kinds;
}

static void print_bytes(const struct llmc_inspect_bytes *bytes, uint64_t file_nbytes)
{
    printf("\n%-40s %12s %12s %8s\n", "bytes of the file", "numbers", "bytes", "share");
    for (int32_t i = 0; i < bytes->count; i++) {
        char numbers[24] = "";
        if (bytes->kinds[i].numbers)
            snprintf(numbers, sizeof numbers, "%lld", (long long)bytes->kinds[i].numbers);
        printf("%-40s %12s %12llu %6.1f %%\n", bytes->kinds[i].name, numbers,
               (unsigned long long)bytes->kinds[i].nbytes, 100.0 * (double)bytes->kinds[i].nbytes / (double)file_nbytes);
    }
    printf("%-40s %12s %12llu\n", "together", "", (unsigned long long)file_nbytes);
}

static llmc_status print_json(const struct llmc_compressed *content, const char *path, const int64_t *zeros,
                              const struct totals *totals, const struct llmc_inspect_bytes *bytes)
{
    const struct llmc_architecture *a = &content->architecture;
    json_t *tensors = json_array(), *labels = json_array();
    bool even = llmc_architecture_is_even(a);
    json_t *heads = even ? json_integer(a->layer[0].heads) : json_array();
    json_t *ffn = even ? json_integer(a->layer[0].ffn) : json_array();
    for (int32_t i = 0; i < a->layers && !even; i++) {
        json_array_append_new(heads, json_integer(a->layer[i].heads));
        json_array_append_new(ffn, json_integer(a->layer[i].ffn));
    }
    for (int32_t i = 0; i < content->tensor_count; i++)
        json_array_append_new(tensors, tensor_json(&content->tensors[i], zeros[i]));
    for (int32_t i = 0; i < a->labels; i++)
        json_array_append_new(labels, llmc_command_json_text(content->labels[i]));
    json_t *origin = json_loads(content->origin, JSON_DECODE_ANY, NULL);
    if (!origin)
        origin = llmc_command_json_text(content->origin);
    json_t *architecture = json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:i, s:i, s:s, s:f, s:i}", "vocabulary", a->vocabulary, "positions",
        a->positions, "types", a->types, "hidden", a->hidden, "embedding_rank", a->embedding_rank, "layers", a->layers,
        "heads", heads, "ffn", ffn, "head_width", a->head_width, "labels", a->labels,
        "activation", llmc_activation_name(a->activation), "norm_epsilon", (double)a->norm_epsilon, "tokens_max", content->tokens_max);
    json_t *json = json_pack("{s:o, s:I, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:I, s:I, s:I, s:o}", "file",
                             llmc_command_json_text(path), "file_bytes", (json_int_t)llmc_file_nbytes(path),
                             "task", llmc_task_single_label.name, "architecture", architecture, "labels", labels, "origin", origin,
                             "vocabulary_stored_bytes", (json_int_t)content->vocabulary_stored_nbytes, "tensors",
                             tensors, "skipped_layers", skipped_json(content), "parameters", (json_int_t)totals->parameters, "nonzero_parameters",
                             (json_int_t)(totals->parameters - totals->zeros), "tensor_stored_bytes",
                             (json_int_t)totals->stored_nbytes, "bytes", bytes_json(bytes));
    return llmc_command_print_json(json, false);
}

static void print_table(const struct llmc_compressed *content, const char *path, const int64_t *zeros,
                        const struct totals *totals)
{
    const struct llmc_architecture *a = &content->architecture;
    printf("%s: BERT classifier, %d layers, hidden %d, ", path, a->layers, a->hidden);
    for (int32_t i = 0; i < (llmc_architecture_is_even(a) ? 1 : a->layers); i++)
        printf("%s%d heads, ffn %d", i ? "; " : "", a->layer[i].heads, a->layer[i].ffn);
    printf(", %s\n", llmc_activation_name(a->activation));
    printf("vocabulary %d, positions %d, texts up to %d tokens, labels:", a->vocabulary, a->positions,
           content->tokens_max);
    for (int32_t i = 0; i < a->labels; i++)
        printf("%s %s", i ? "," : "", content->labels[i]);
    printf("\n\n%-54s %-10s %4s %14s %9s %12s\n", "parameter", "numbers", "bits", "shape", "zeros", "stored bytes");
    for (int32_t i = 0; i < content->tensor_count; i++) {
        const struct llmc_compressed_tensor *tensor = &content->tensors[i];
        char number[16], shape[32];
        snprintf(number, sizeof number, "%s%s%s", llmc_number_name(tensor->number), tensor->sparse ? " sparse" : "",
                 tensor->has_input ? "*" : "");
        snprintf(shape, sizeof shape, "%lld x %lld", (long long)tensor->rows, (long long)tensor->cols);
        printf("%-54s %-10s %4d %14s %7.1f %% %12llu\n", tensor->name, number, bits_of(tensor), shape,
               100.0 * (double)zeros[i] / (double)(tensor->rows * tensor->cols),
               (unsigned long long)stored_nbytes(tensor));
    }
    printf("\n%lld parameters, %lld of them not zero, %.2f bits each in the file; * computed in integers\n",
           (long long)totals->parameters, (long long)(totals->parameters - totals->zeros),
           8.0 * (double)totals->stored_nbytes / (double)totals->parameters);
    print_skipped(content);
}

static llmc_status inspect(const char *path, bool json)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed content = {0};
    struct totals totals = {0};
    struct llmc_inspect_bytes bytes;
    int64_t *zeros = NULL;
    LLMC_TRY(llmc_compressed_read(path, &content));
    LLMC_TRY(llmc_alloc(&zeros, (size_t)content.tensor_count, sizeof *zeros));
    for (int32_t i = 0; i < content.tensor_count; i++) {
        zeros[i] = count_zeros(&content.tensors[i]);
        totals.zeros += zeros[i];
        totals.parameters += content.tensors[i].rows * content.tensors[i].cols;
        totals.stored_nbytes += stored_nbytes(&content.tensors[i]);
    }
    llmc_inspect_count(&bytes, &content, (uint64_t)llmc_file_nbytes(path));
    if (json) {
        LLMC_TRY(print_json(&content, path, zeros, &totals, &bytes));
    } else {
        print_table(&content, path, zeros, &totals);
        print_bytes(&bytes, (uint64_t)llmc_file_nbytes(path));
        LLMC_TRY(llmc_command_flush());
    }
exit:
    free(zeros);
    llmc_compressed_release(&content);
    return status;
}

int llmc_command_inspect(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool json = false;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'j':
            json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return llmc_command_end(llmc_command_flush());
        default:
            return llmc_command_usage_error("inspect", "unknown option %s", argv[optind - 1]);
        }
    }
    if (argc - optind != 1)
        return llmc_command_usage_error("inspect", "one FILE is needed");
    llmc_command_catch_signals();
    return llmc_command_end(inspect(argv[optind], json));
}
