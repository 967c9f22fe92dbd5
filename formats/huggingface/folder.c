#include "formats/huggingface/folder.h"

#include "architecture/parameter.h"
#include "base/file.h"
#include "base/memory.h"
#include "formats/huggingface/config.h"
#include "formats/huggingface/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED_MAX 5
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What may stand in the file besides the encoder and its classifier without meaning anything for them. Buffers are
 * counted anew by whoever computes; the rest are other heads of transformers' BERT classes. */
static const char *const unread[] = {"bert.embeddings.position_ids", "bert.embeddings.token_type_ids", "cls.",
                                     "qa_outputs.", "lm_head."};

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool is_unread(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(unread); i++)
        if (starts_with(name, unread[i]))
            return true;
    return false;
}

/* `name` with layer 0 in place of its layer, if that is one of `layers`. */
static void to_first_layer(char out[LLMC_PARAMETER_NAME_NBYTES], const char *name, int32_t layers)
{
    static const char start[] = "bert.encoder.layer.";
    char *end = NULL, number[16];
    if (starts_with(name, start)) {
        long layer = strtol(name + strlen(start), &end, 10);
        snprintf(number, sizeof number, "%ld.", layer); /* as we write it: no sign, no zeros before it */
        if (layer >= 0 && layer < layers && starts_with(name + strlen(start), number)) {
            snprintf(out, LLMC_PARAMETER_NAME_NBYTES, "%s0%.64s", start, end);
            return;
        }
    }
    snprintf(out, LLMC_PARAMETER_NAME_NBYTES, "%.95s", name);
}

/* Whether the table of parameters has this name. */
static bool is_parameter(const struct llmc_architecture *architecture, const char *name)
{
    struct llmc_architecture one = *architecture; /* layers have the same names but for their number */
    char known[LLMC_PARAMETER_NAME_NBYTES], wanted[LLMC_PARAMETER_NAME_NBYTES];
    enum llmc_parameter_kind kind;
    int64_t rows, cols;
    one.layers = 1;
    to_first_layer(wanted, name, architecture->layers);
    for (int32_t i = 0; llmc_parameter_describe(&one, i, known, &kind, &rows, &cols); i++)
        if (strcmp(known, wanted) == 0)
            return true;
    return false;
}

/* Appends a name in quotes to *list. */
static llmc_status append_name(char **list, const char *name)
{
    char *longer;
    llmc_status status = llmc_format(&longer, "%s%s\"%.80s\"", *list, **list ? ", " : "", name);
    if (status == LLMC_OK) {
        free(*list);
        *list = longer;
    }
    return status;
}

/* The error for a tensor that is not there: what was found instead, first of all what nobody knows. */
static llmc_status missing_tensor(const struct llmc_hf_folder *folder, const char *name)
{
    llmc_status status = LLMC_OK;
    const struct llmc_hf_weights *weights = folder->weights;
    char *list = NULL;
    const char *found;
    size_t listed = 0, count = 0;
    LLMC_TRY(llmc_strdup(&list, ""));
    while (llmc_hf_weights_name(weights, count))
        count++;
    for (int known = 0; known < 2; known++)
        for (size_t i = 0; listed < LISTED_MAX && (found = llmc_hf_weights_name(weights, i)); i++)
            if ((is_unread(found) || is_parameter(&folder->architecture, found)) == known) {
                LLMC_TRY(append_name(&list, llmc_hf_weights_stored_name(weights, i)));
                listed++;
            }
    LLMC_FAIL(LLMC_ERR_FORMAT, "%s: no tensor \"%s\" (looked for %s); found are %zu, such as %s",
              llmc_hf_weights_path(weights), name, LLMC_HF_NAMES_WORDS, count, *list ? list : "none");
exit:
    free(list);
    return status;
}

/* Whether tensor `name` has `rows` and `cols`, or `cols` alone when it is a vector. `problem` NULL: says so as an
 * error; else *problem = the same sentence, or NULL. */
static llmc_status check_shape(const struct llmc_hf_folder *folder, const char *name, bool vector, int64_t rows,
                               int64_t cols, char **problem)
{
    llmc_status status = LLMC_OK;
    int rank;
    int64_t shape[4];
    char *text = NULL, found[96] = "", wanted[48];
    size_t length = 0;
    LLMC_TRY(llmc_hf_weights_shape(folder->weights, name, &rank, shape));
    if (vector ? rank == 1 && shape[0] == cols : rank == 2 && shape[0] == rows && shape[1] == cols)
        return LLMC_OK;
    for (int i = 0; i < rank && length < sizeof found; i++)
        length += (size_t)snprintf(found + length, sizeof found - length, "%s%lld", i ? ", " : "", (long long)shape[i]);
    if (vector)
        snprintf(wanted, sizeof wanted, "%lld", (long long)cols);
    else
        snprintf(wanted, sizeof wanted, "%lld, %lld", (long long)rows, (long long)cols);
    LLMC_TRY(llmc_format(&text, "%s: tensor \"%s\" is [%s]; config.json makes it [%s]",
                         llmc_hf_weights_path(folder->weights), name, found, wanted));
    if (problem) {
        *problem = text;
        text = NULL;
    } else {
        status = llmc_error(LLMC_ERR_FORMAT, "%s%s", text, starts_with(name, "bert.encoder.layer.") ?
                            "; llmc does not read layers that were pruned to other sizes" : "");
    }
exit:
    free(text);
    return status;
}

static llmc_status set_head_problem(struct llmc_hf_folder *folder, char *problem)
{
    if (folder->head_problem || !problem) {
        free(problem); /* the first one counts */
        return LLMC_OK;
    }
    folder->head_problem = problem;
    return LLMC_OK;
}

/* Every tensor that the architecture has must be there in its shape; pooler and head may be missing. */
static llmc_status check_parameters(struct llmc_hf_folder *folder)
{
    llmc_status status = LLMC_OK;
    const struct llmc_architecture *architecture = &folder->architecture;
    char name[LLMC_PARAMETER_NAME_NBYTES], *problem = NULL;
    enum llmc_parameter_kind kind;
    int64_t rows, cols;
    folder->has_pooler = llmc_hf_weights_has(folder->weights, "bert.pooler.dense.weight");
    folder->has_classifier = llmc_hf_weights_has(folder->weights, "classifier.weight");
    for (int32_t i = 0; llmc_parameter_describe(architecture, i, name, &kind, &rows, &cols); i++) {
        bool head = starts_with(name, "classifier.");
        if ((head && !folder->has_classifier) || (starts_with(name, "bert.pooler.") && !folder->has_pooler))
            continue;
        if (!llmc_hf_weights_has(folder->weights, name))
            LLMC_TRY(missing_tensor(folder, name));
        LLMC_TRY(check_shape(folder, name, kind == LLMC_PARAMETER_VECTOR, rows, cols, head ? &problem : NULL));
        LLMC_TRY(set_head_problem(folder, problem));
        problem = NULL;
    }
    if (folder->has_classifier && !folder->has_pooler) {
        LLMC_TRY(llmc_format(&problem, "%s: the classifier has no pooler (bert.pooler.dense.weight) before it",
                             llmc_hf_weights_path(folder->weights)));
        LLMC_TRY(set_head_problem(folder, problem));
    }
exit:
    return status;
}

/* What nobody reads: a part of an encoder would change the answers; a head of another kind can only be dropped. */
static llmc_status check_others(struct llmc_hf_folder *folder)
{
    llmc_status status = LLMC_OK;
    const char *name;
    char *problem = NULL;
    for (size_t i = 0; (name = llmc_hf_weights_name(folder->weights, i)); i++) {
        const char *stored = llmc_hf_weights_stored_name(folder->weights, i);
        if (is_unread(name) || is_parameter(&folder->architecture, name))
            continue;
        if (starts_with(name, "bert."))
            LLMC_FAIL(LLMC_ERR_UNSUPPORTED, "%s: tensor \"%s\" is no part of a BERT of %d layers, as config.json "
                      "describes it; what it does to the answers is not known", llmc_hf_weights_path(folder->weights),
                      stored, folder->architecture.layers);
        LLMC_TRY(llmc_format(&problem, "%s: tensor \"%.200s\" is no part of BertForSequenceClassification, whose head "
                             "is classifier.weight and classifier.bias", llmc_hf_weights_path(folder->weights), stored));
        LLMC_TRY(set_head_problem(folder, problem));
        folder->has_classifier = true;
    }
exit:
    return status;
}

/* transformers adds such an adapter to the weights. */
static llmc_status refuse_adapter(const char *folder)
{
    llmc_status status = LLMC_OK;
    char *path = NULL;
    LLMC_TRY(llmc_path_join(&path, folder, "adapter_config.json"));
    if (llmc_file_exists(path))
        LLMC_FAIL(LLMC_ERR_UNSUPPORTED, "%s: llmc does not read adapters; merge this one into its model (in peft: "
                  "merge_and_unload, then save_pretrained) and give that folder", path);
exit:
    free(path);
    return status;
}

static llmc_status read_config(struct llmc_hf_folder *out, const char *folder)
{
    llmc_status status = LLMC_OK;
    char *path = NULL;
    struct llmc_hf_config config = {0};
    LLMC_TRY(llmc_path_join(&path, folder, "config.json"));
    LLMC_TRY(llmc_hf_config_read(&config, path));
    out->architecture = config.architecture;
    out->label_names = config.label_names;
    out->head_problem = config.head_problem;
exit:
    free(path);
    return status;
}

llmc_status llmc_hf_folder_open(struct llmc_hf_folder *out, const char *folder)
{
    llmc_status status = LLMC_OK;
    *out = (struct llmc_hf_folder){0};
    LLMC_TRY(refuse_adapter(folder));
    LLMC_TRY(read_config(out, folder));
    LLMC_TRY(llmc_hf_weights_open(&out->weights, folder));
    LLMC_TRY(check_parameters(out));
    LLMC_TRY(check_others(out));
exit:
    if (status != LLMC_OK)
        llmc_hf_folder_release(out);
    return status;
}

void llmc_hf_folder_release(struct llmc_hf_folder *folder)
{
    for (int32_t i = 0; folder->label_names && i < folder->architecture.labels; i++)
        free(folder->label_names[i]);
    free(folder->label_names);
    free(folder->head_problem);
    llmc_hf_weights_free(folder->weights);
    *folder = (struct llmc_hf_folder){0};
}

llmc_status llmc_hf_folder_check_head(const struct llmc_hf_folder *folder)
{
    if (folder->has_classifier && folder->head_problem)
        return llmc_error(LLMC_ERR_UNSUPPORTED, "%s (\"teacher.head: new\" trains another classifier)",
                          folder->head_problem);
    return LLMC_OK;
}
