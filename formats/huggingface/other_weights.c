#include "formats/huggingface/other_weights.h"

#include "base/file.h"
#include "base/lfs_pointer.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Takes the state dict of one or more files of torch.save as it is; `weights_only` runs no code out of them. */
#define FROM_TORCH                                                                                                     \
    "python3 -c 'import sys, torch, safetensors.torch as s; w = {}; "                                                  \
    "[w.update(t.get(\"state_dict\", t)) for t in (torch.load(f, \"cpu\", weights_only=True) for f in sys.argv[2:])]; " \
    "s.save_file({k: v.clone().contiguous() for k, v in w.items() if torch.is_tensor(v)}, sys.argv[1])' "
/* transformers 4 is the last that reads these. */
#define FROM_FRAMEWORK(name)                                                                                           \
    "python3 -c 'import sys, transformers as t; c = t.AutoConfig.from_pretrained(sys.argv[1]); "                       \
    "getattr(t, c.architectures[0]).from_pretrained(sys.argv[1], from_" name "=True).save_pretrained(sys.argv[1])' "

enum arguments { ALL_FILES, ONE_FILE, FOLDER };

/* In the order in which they are looked for. */
static const struct form {
    const char *pattern; /* of file names */
    const char *needs, *line;
    enum arguments arguments; /* what follows the line */
} forms[] = {
    {"pytorch_model*.bin", "torch and safetensors", FROM_TORCH, ALL_FILES},
    {"*.bin", "torch and safetensors", FROM_TORCH, ONE_FILE},
    {"*.pt", "torch and safetensors", FROM_TORCH, ONE_FILE},
    {"*.pth", "torch and safetensors", FROM_TORCH, ONE_FILE},
    {"*.ckpt", "torch and safetensors", FROM_TORCH, ONE_FILE},
    {"tf_model.h5", "transformers below 5, torch, tensorflow and tf-keras", FROM_FRAMEWORK("tf"), FOLDER},
    {"flax_model.msgpack", "transformers below 5, torch and flax", FROM_FRAMEWORK("flax"), FOLDER},
};

/* Kept beside weights by trainers; not weights. */
static const char *const others[] = {"training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.bin",
                                     "scheduler.pt",      "scaler.pt",     "adapter_model.bin", "rng_state*.pth"};

static bool matches(const char *name, const char *pattern)
{
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (fnmatch(others[i], name, 0) == 0)
            return false;
    return fnmatch(pattern, name, 0) == 0;
}

/* *out = the name of a file in `folder`, NULL when none matches. */
static llmc_status find_file(char **out, const char *folder, const char *pattern)
{
    llmc_status status = LLMC_OK;
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    *out = NULL;
    if (!directory)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot open: %s", folder, strerror(errno));
    while (!*out && (entry = readdir(directory)))
        if (matches(entry->d_name, pattern))
            LLMC_TRY(llmc_strdup(out, entry->d_name));
exit:
    if (directory)
        closedir(directory);
    return status;
}

/* Refuses `name` when it is a pointer: then nothing can be converted. */
static llmc_status check_pointer(const char *folder, const char *name)
{
    llmc_status status = LLMC_OK;
    char *path = NULL, start[64];
    FILE *file = NULL;
    LLMC_TRY(llmc_path_join(&path, folder, name));
    file = fopen(path, "rb");
    if (file)
        status = llmc_lfs_pointer_refuse(path, start, fread(start, 1, sizeof start, file));
exit:
    if (file)
        fclose(file);
    free(path);
    return status;
}

/* *out = `text` as one word of a shell. */
static llmc_status quote(char **out, const char *text)
{
    static const char inside[] = "'\\''";
    llmc_status status = llmc_alloc(out, 4 * strlen(text) + 3, 1);
    if (status != LLMC_OK)
        return status;
    char *end = *out;
    *end++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            end = stpcpy(end, inside);
        else
            *end++ = *text;
    }
    *end = '\'';
    return LLMC_OK;
}

/* Says that `name` is there and what converts it. */
static llmc_status refuse(const char *folder, const char *name, const struct form *form)
{
    llmc_status status = LLMC_OK;
    char *shell_folder = NULL, *shell_name = NULL, *arguments = NULL;
    LLMC_TRY(quote(&shell_folder, folder));
    LLMC_TRY(quote(&shell_name, name));
    if (form->arguments == FOLDER)
        LLMC_TRY(llmc_strdup(&arguments, shell_folder));
    else
        LLMC_TRY(llmc_format(&arguments, "%s/model.safetensors %s/%s", shell_folder, shell_folder,
                             form->arguments == ALL_FILES ? form->pattern : shell_name));
    LLMC_FAIL(LLMC_ERR_UNSUPPORTED, "%s has %s, but no model.safetensors, the only form that llmc reads; this line "
              "makes it (with %s): %s%s", folder, name, form->needs, form->line, arguments);
exit:
    free(shell_folder);
    free(shell_name);
    free(arguments);
    return status;
}

llmc_status llmc_hf_refuse_other_weights(const char *folder)
{
    llmc_status status = LLMC_OK;
    char *name = NULL;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        const struct form *form = &forms[i];
        LLMC_TRY(find_file(&name, folder, form->pattern));
        if (!name)
            continue;
        LLMC_TRY(check_pointer(folder, name));
        LLMC_TRY(refuse(folder, name, form));
    }
    LLMC_TRY(find_file(&name, folder, "*.safetensors"));
    if (name)
        LLMC_FAIL(LLMC_ERR_IO, "%s has %s, but no model.safetensors and no model.safetensors.index.json; give the file "
                  "with the weights that name", folder, name);
    LLMC_FAIL(LLMC_ERR_IO, "%s has no weights: llmc looks for model.safetensors, and for the shards that "
              "model.safetensors.index.json lists", folder);
exit:
    free(name);
    return status;
}
