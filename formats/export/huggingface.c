#include "formats/export/huggingface.h"

#include "base/file.h"
#include "base/memory.h"
#include "formats/export/texts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    llmc_status (*write)(const struct llmc_compressed *content, const char *path);
} files[] = {
    {"config.json", llmc_export_hf_config},
    {"model.safetensors", llmc_export_hf_weights},
    {"tokenizer.json", llmc_export_hf_tokenizer},
    {"vocab.txt", llmc_export_hf_vocabulary},
    {"tokenizer_config.json", llmc_export_hf_tokenizer_config},
};

enum { FILES = sizeof files / sizeof files[0] };

/* Removes what an export left under way: our files, and the folder when nothing else is in it. */
static void remove_folder(const char *folder)
{
    for (int i = 0; i < FILES; i++) {
        char *path = NULL, *temporary = NULL;
        if (llmc_path_join(&path, folder, files[i].name) == LLMC_OK &&
            llmc_format(&temporary, "%s.tmp", path) == LLMC_OK) {
            unlink(path);
            unlink(temporary);
        }
        free(path);
        free(temporary);
    }
    rmdir(folder);
}

static llmc_status write_files(const struct llmc_compressed *content, const char *folder)
{
    llmc_status status = LLMC_OK;
    char *path = NULL;
    for (int i = 0; i < FILES; i++) {
        free(path);
        LLMC_TRY(llmc_path_join(&path, folder, files[i].name));
        LLMC_TRY(files[i].write(content, path));
    }
exit:
    free(path);
    return status;
}

/* BertConfig says the heads and the width of the feed-forward part once, for all layers, and heads make up hidden. */
static llmc_status check_layers(const struct llmc_architecture *a)
{
    for (int32_t i = 0; i < a->layers; i++) {
        if (llmc_architecture_attention(a, i) != a->hidden)
            return llmc_error(LLMC_ERR_UNSUPPORTED, "layer %d has %d heads of width %d; config.json of BERT can only say "
                              "heads that make up hidden (%d) together", i, a->layer[i].heads, a->head_width, a->hidden);
        if (a->layer[i].ffn != a->layer[0].ffn)
            return llmc_error(LLMC_ERR_UNSUPPORTED, "layer %d has ffn %d, layer 0 has %d; config.json of BERT can only "
                              "say one for all layers", i, a->layer[i].ffn, a->layer[0].ffn);
    }
    return LLMC_OK;
}

llmc_status llmc_export_hf(const struct llmc_compressed *content, const char *folder)
{
    llmc_status status = LLMC_OK;
    char *plain = NULL, *temporary = NULL;
    LLMC_TRY(check_layers(&content->architecture));
    LLMC_TRY(llmc_export_check_texts(content));
    LLMC_TRY(llmc_strdup(&plain, folder));
    for (size_t length = strlen(plain); length > 1 && plain[length - 1] == '/'; length--)
        plain[length - 1] = '\0'; /* "FOLDER/.tmp" would be inside */
    if (rmdir(plain) != 0 && errno != ENOENT)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot write a new folder of this name: %s", plain, strerror(errno));
    LLMC_TRY(llmc_format(&temporary, "%s.tmp", plain));
    remove_folder(temporary);
    if (mkdir(temporary, 0777) != 0)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot make this folder: %s", temporary, strerror(errno));
    LLMC_TRY(write_files(content, temporary));
    LLMC_TRY(llmc_file_commit(&temporary, plain));
exit:
    if (temporary)
        remove_folder(temporary);
    free(temporary);
    free(plain);
    return status;
}
