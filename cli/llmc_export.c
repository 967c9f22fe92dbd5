#include "cli/command.h"

#include "base/file.h"
#include "base/memory.h"
#include "formats/checkpoint/compressed.h"
#include "formats/export/huggingface.h"
#ifdef LLMC_HAS_ONNX
#include "formats/export/onnx.h"
#endif

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: llmc export FILE --to FORMAT [-o OUT]\n"
    "\n"
    "Writes a compressed checkpoint in a format that other programs read.\n"
    "\n"
    "  --to onnx         a file for ONNX Runtime, OpenVINO and others: opset 17, linear\n"
    "                    layers quantised in QDQ form, inputs input_ids, attention_mask\n"
    "                    and token_type_ids, output logits; labels, tokenizer and\n"
    "                    vocabulary are in its metadata. An older file is replaced.\n"
    "                    OUT: FILE with .onnx instead of .llmc\n"
    "  --to safetensors  a folder for Hugging Face's transformers, with the weights in\n"
    "                    FP32; activations are no longer rounded there, so a text on\n"
    "                    the edge may get another label. It must be new or empty.\n"
    "                    OUT: FILE with -hf instead of .llmc\n"
    "  -o OUT            where to\n"
    "  --help            this text\n";

struct format {
    const char *name, *suffix;
    llmc_status (*write)(const struct llmc_compressed *content, const char *path);
};

static const struct format formats[] = {
#ifdef LLMC_HAS_ONNX
    {"onnx", ".onnx", llmc_onnx_export},
#else
    {"onnx", ".onnx", NULL},
#endif
    {"safetensors", "-hf", llmc_export_hf},
};

enum { FORMATS = sizeof formats / sizeof formats[0] };

static const struct format *find_format(const char *name)
{
    for (int i = 0; i < FORMATS; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

/* FILE without ".llmc", with `suffix`. */
static llmc_status default_output(const char *path, const char *suffix, char **out)
{
    size_t length = strlen(path);
    if (length > 5 && strcmp(path + length - 5, ".llmc") == 0)
        length -= 5;
    return llmc_format(out, "%.*s%s", (int)length, path, suffix);
}

static llmc_status export(const char *path, const struct format *format, const char *output)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed content = {0};
    char *chosen = NULL;
    if (!format->write)
        LLMC_FAIL(LLMC_ERR_UNSUPPORTED,
                  "--to %s: this llmc was built without it, where protoc-c, onnx.proto or libprotobuf-c was missing "
                  "(Debian: protobuf-c-compiler, libonnx-dev, libprotobuf-c-dev)", format->name);
    if (!output) {
        LLMC_TRY(default_output(path, format->suffix, &chosen));
        output = chosen;
    }
    LLMC_TRY(llmc_compressed_read(path, &content));
    LLMC_TRY(format->write(&content, output));
    printf("%s\n", output);
    LLMC_TRY(llmc_command_flush());
exit:
    free(chosen);
    llmc_compressed_release(&content);
    return status;
}

int llmc_command_export(int argc, char **argv)
{
    static const struct option options[] = {
        {"to", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const struct format *format = NULL;
    const char *output = NULL;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":ho:", options, NULL)) != -1) {
        switch (option) {
        case 't':
            format = find_format(optarg);
            if (!format)
                return llmc_command_usage_error("export", "--to %s: no such format; allowed are onnx, safetensors", optarg);
            break;
        case 'o':
            output = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return llmc_command_end(llmc_command_flush());
        case ':':
            return llmc_command_usage_error("export", "%s needs a value", argv[optind - 1]);
        default:
            return llmc_command_usage_error("export", "unknown option %s", argv[optind - 1]);
        }
    }
    if (argc - optind != 1)
        return llmc_command_usage_error("export", "one FILE is needed");
    if (!format)
        return llmc_command_usage_error("export", "--to FORMAT is needed; allowed are onnx, safetensors");
    llmc_command_catch_signals();
    return llmc_command_end(export(argv[optind], format, output));
}
