#include "distill/init.h"

#include "base/memory.h"
#include "formats/checkpoint/compressed.h"
#include "text/labels.h"

#include <stdlib.h>
#include <string.h>

static llmc_status check_shape(const struct llmc_config *config, const struct llmc_architecture *student,
                               const struct llmc_architecture *file)
{
    const struct {
        const char *key, *what; /* what: where the key says nothing itself */
        int32_t wanted, found;
    } numbers[] = {
        {"student.layers", "", student->layers, file->layers},
        {"student.hidden", config->student.hidden ? "" : " (the teacher's)", student->hidden, file->hidden},
        {"student.ffn", config->student.ffn ? "" : " (the teacher's)", student->layer[0].ffn, file->layer[0].ffn},
        {"student.heads", config->student.heads ? "" : " (the teacher's)", student->layer[0].heads,
         file->layer[0].heads},
        {"student: the width of a head", "", student->head_width, file->head_width},
        {"the rank of the word embedding where the student starts", "", 0, file->embedding_rank},
        {"teacher.folder: the vocabulary's size", "", student->vocabulary, file->vocabulary},
        {"teacher.folder: the number of token types", "", student->types, file->types},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].wanted != numbers[i].found)
            return llmc_error(LLMC_ERR_CONFIG, "%s is %d%s; %s (student.init) has %d; allowed are equal ones",
                              numbers[i].key, numbers[i].wanted, numbers[i].what, config->student.init,
                              numbers[i].found);
    for (int32_t i = 0; i < student->layers; i++)
        if (student->layer[i].heads != file->layer[i].heads || student->layer[i].ffn != file->layer[i].ffn)
            return llmc_error(LLMC_ERR_CONFIG, "layer %d of the student has %d heads and ffn %d; that of %s "
                              "(student.init) has %d and %d; allowed are equal ones", i, student->layer[i].heads,
                              student->layer[i].ffn, config->student.init, file->layer[i].heads, file->layer[i].ffn);
    if (student->positions > file->positions)
        return llmc_error(LLMC_ERR_CONFIG, "data.tokens_max is %d; %s (student.init) takes at most %d tokens",
                          student->positions, config->student.init, file->positions);
    if (student->activation != file->activation)
        return llmc_error(LLMC_ERR_CONFIG, "teacher.folder: the activation is %s; %s (student.init) has %s; allowed are "
                          "equal ones", llmc_activation_name(student->activation), config->student.init,
                          llmc_activation_name(file->activation));
    if (student->norm_epsilon != file->norm_epsilon)
        return llmc_error(LLMC_ERR_CONFIG, "teacher.folder: the layer norms' epsilon is %g; %s (student.init) has %g; "
                          "allowed are equal ones", (double)student->norm_epsilon, config->student.init,
                          (double)file->norm_epsilon);
    return LLMC_OK;
}

/* The same numbers must stand for the same labels. */
static llmc_status check_labels(const struct llmc_config *config, const struct llmc_labels *labels,
                                const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    const struct llmc_labels theirs = {content->labels, content->architecture.labels};
    char *wanted = NULL, *found = NULL;
    bool same = theirs.count == labels->count;
    for (int32_t i = 0; same && i < theirs.count; i++)
        same = strcmp(theirs.names[i], labels->names[i]) == 0;
    if (same)
        return LLMC_OK;
    LLMC_TRY(llmc_labels_list(labels, &wanted));
    LLMC_TRY(llmc_labels_list(&theirs, &found));
    LLMC_FAIL(LLMC_ERR_CONFIG, "data.label: the labels are %.300s; %s (student.init) has %.300s; allowed are equal ones in "
              "the same order", wanted, config->student.init, found);
exit:
    free(wanted);
    free(found);
    return status;
}

/* The same ids must stand for the same word pieces, and texts be cut into them alike. */
static llmc_status check_tokenizer(const struct llmc_config *config, const struct llmc_tokenizer *tokenizer,
                                   const struct llmc_compressed *content)
{
    size_t nbytes;
    const char *vocabulary = llmc_tokenizer_vocabulary(tokenizer, &nbytes);
    const struct llmc_tokenizer_rules wanted = llmc_tokenizer_get_rules(tokenizer);
    const struct {
        const char *name;
        bool wanted, found;
    } rules[] = {
        {"lowercase", wanted.lowercase, content->rules.lowercase},
        {"strip_accents", wanted.strip_accents, content->rules.strip_accents},
        {"split_chinese", wanted.split_chinese, content->rules.split_chinese},
        {"clean", wanted.clean, content->rules.clean},
    };
    if (nbytes != content->vocabulary_nbytes || memcmp(vocabulary, content->vocabulary, nbytes) != 0)
        return llmc_error(LLMC_ERR_CONFIG, "teacher.folder: the tokenizer in %s has other word pieces than %s "
                          "(student.init); allowed are equal ones", config->teacher.folder, config->student.init);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].wanted != rules[i].found)
            return llmc_error(LLMC_ERR_CONFIG, "teacher.folder: the tokenizer has %s %s; %s (student.init) has %s; "
                              "allowed are equal ones", rules[i].name, rules[i].wanted ? "true" : "false",
                              config->student.init, rules[i].found ? "true" : "false");
    return LLMC_OK;
}

/* A run that starts from a file of its own would start anew whenever it has replaced that file. */
static llmc_status check_place(const char *path, const char *run_folder)
{
    char *file = realpath(path, NULL), *folder = realpath(run_folder, NULL);
    size_t length = folder ? strlen(folder) : 0;
    bool inside = file && folder && strncmp(file, folder, length) == 0 && file[length] == '/';
    free(file);
    free(folder);
    if (inside)
        return llmc_error(LLMC_ERR_CONFIG, "student.init is %s, which lies in the folder of this very run; copy it, or "
                          "give the run another name", path);
    return LLMC_OK;
}

static llmc_status check_content(const struct llmc_config *config, const struct llmc_tokenizer *tokenizer,
                                 const struct llmc_labels *labels, const struct llmc_architecture *student,
                                 const struct llmc_compressed *content)
{
    llmc_status status = check_shape(config, student, &content->architecture);
    if (status == LLMC_OK)
        status = check_labels(config, labels, content);
    if (status == LLMC_OK)
        status = check_tokenizer(config, tokenizer, content);
    return status;
}

llmc_status llmc_init_check(const struct llmc_config *config, const char *run_folder,
                            const struct llmc_tokenizer *tokenizer, const struct llmc_labels *labels,
                            const struct llmc_architecture *student)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed content = {0};
    LLMC_TRY(check_place(config->student.init, run_folder));
    status = llmc_compressed_read(config->student.init, &content);
    if (status == LLMC_OK)
        status = check_content(config, tokenizer, labels, student, &content);
    else
        status = llmc_error_prefix(status, "student.init");
exit:
    llmc_compressed_release(&content);
    return status;
}

llmc_status llmc_init_load(const struct llmc_config *config, const struct llmc_tokenizer *tokenizer,
                           const struct llmc_labels *labels, struct llmc_parameters *student)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed content = {0};
    LLMC_TRY(llmc_compressed_read(config->student.init, &content));
    LLMC_TRY(check_content(config, tokenizer, labels, &student->architecture, &content));
    for (int32_t i = 0; i < student->count; i++) {
        float *values = llmc_parameter_values(student, i);
        for (int64_t row = 0; row < student->table[i].rows; row++)
            llmc_tensor_row(&content.tensors[i], row, values + row * student->table[i].cols);
    }
exit:
    llmc_compressed_release(&content);
    return status;
}
