#include "pipeline/student_init.h"

#include "base/memory.h"
#include "formats/checkpoint/compressed.h"
#include "formats/huggingface/folder.h"
#include "text/labels.h"

#include <stdlib.h>
#include <string.h>

struct llmc_student_shape llmc_run_student_shape(const struct llmc_config *config)
{
    return (struct llmc_student_shape){
        .layers = config->student.layers,
        .hidden = config->student.hidden,
        .ffn = config->student.ffn,
        .heads = config->student.heads,
        .positions = config->data.tokens_max,
        .from_layers = config->student.from_layers_count ? config->student.from_layers : NULL,
    };
}

static llmc_status check_shape(const struct llmc_run *run, const struct llmc_architecture *student,
                               const struct llmc_architecture *file)
{
    const struct llmc_config *config = run->config;
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
        {"teacher.folder: the vocabulary's size", "", student->vocabulary, file->vocabulary},
        {"teacher.folder: the number of token types", "", student->types, file->types},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].wanted != numbers[i].found)
            return llmc_error(LLMC_ERR_CONFIG, "%s is %d%s; %s (student.init) has %d; legal are equal ones",
                              numbers[i].key, numbers[i].wanted, numbers[i].what, config->student_init,
                              numbers[i].found);
    for (int32_t i = 0; i < student->layers; i++)
        if (student->layer[i].heads != file->layer[i].heads || student->layer[i].ffn != file->layer[i].ffn)
            return llmc_error(LLMC_ERR_CONFIG, "layer %d of the student has %d heads and ffn %d; that of %s "
                              "(student.init) has %d and %d; allowed are equal ones", i, student->layer[i].heads,
                              student->layer[i].ffn, config->student_init, file->layer[i].heads, file->layer[i].ffn);
    if (student->positions > file->positions)
        return llmc_error(LLMC_ERR_CONFIG, "data.tokens_max is %d; %s (student.init) takes at most %d tokens",
                          student->positions, config->student_init, file->positions);
    if (student->activation != file->activation)
        return llmc_error(LLMC_ERR_CONFIG, "teacher.folder: the activation is %s; %s (student.init) has %s; legal are "
                          "equal ones", llmc_activation_name(student->activation), config->student_init,
                          llmc_activation_name(file->activation));
    if (student->norm_epsilon != file->norm_epsilon)
        return llmc_error(LLMC_ERR_CONFIG, "teacher.folder: the layer norms' epsilon is %g; %s (student.init) has %g; "
                          "legal are equal ones", (double)student->norm_epsilon, config->student_init,
                          (double)file->norm_epsilon);
    return LLMC_OK;
}

/* The same numbers must stand for the same labels. */
static llmc_status check_labels(const struct llmc_run *run, const struct llmc_compressed *content)
{
    llmc_status status = LLMC_OK;
    const struct llmc_labels theirs = {content->labels, content->architecture.labels};
    char *wanted = NULL, *found = NULL;
    bool same = theirs.count == run->labels.count;
    for (int32_t i = 0; same && i < theirs.count; i++)
        same = strcmp(theirs.names[i], run->labels.names[i]) == 0;
    if (same)
        return LLMC_OK;
    LLMC_TRY(llmc_labels_list(&run->labels, &wanted));
    LLMC_TRY(llmc_labels_list(&theirs, &found));
    LLMC_FAIL(LLMC_ERR_CONFIG, "data.label: the labels are %.300s; %s (student.init) has %.300s; legal are equal ones in "
              "the same order", wanted, run->config->student_init, found);
exit:
    free(wanted);
    free(found);
    return status;
}

/* The same ids must stand for the same word pieces, and texts be cut into them alike. */
static llmc_status check_tokenizer(const struct llmc_run *run, const struct llmc_compressed *content)
{
    size_t nbytes;
    const char *vocabulary = llmc_tokenizer_vocabulary(run->tokenizer, &nbytes);
    const struct llmc_tokenizer_rules wanted = llmc_tokenizer_get_rules(run->tokenizer);
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
                          "(student.init); legal are equal ones", run->teacher_folder, run->config->student_init);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].wanted != rules[i].found)
            return llmc_error(LLMC_ERR_CONFIG, "teacher.folder: the tokenizer has %s %s; %s (student.init) has %s; "
                              "legal are equal ones", rules[i].name, rules[i].wanted ? "true" : "false",
                              run->config->student_init, rules[i].found ? "true" : "false");
    return LLMC_OK;
}

static llmc_status check_content(const struct llmc_run *run, const struct llmc_architecture *student,
                                 const struct llmc_compressed *content)
{
    llmc_status status = check_shape(run, student, &content->architecture);
    if (status == LLMC_OK)
        status = check_labels(run, content);
    if (status == LLMC_OK)
        status = check_tokenizer(run, content);
    return status;
}

/* A run that starts from a file of its own would start anew whenever it has replaced that file. */
static llmc_status check_place(const struct llmc_run *run)
{
    const char *path = run->config->student_init;
    char *file = realpath(path, NULL), *folder = realpath(run->folder, NULL);
    size_t length = folder ? strlen(folder) : 0;
    bool inside = file && folder && strncmp(file, folder, length) == 0 && file[length] == '/';
    free(file);
    free(folder);
    if (inside)
        return llmc_error(LLMC_ERR_CONFIG, "student.init is %s, which lies in the folder of this very run; copy it, or "
                          "give the run another name", path);
    return LLMC_OK;
}

llmc_status llmc_run_check_init(const struct llmc_run *run)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed content = {0};
    struct llmc_hf_folder teacher = {0};
    struct llmc_architecture student;
    const struct llmc_student_shape shape = llmc_run_student_shape(run->config);
    LLMC_TRY(check_place(run));
    status = llmc_compressed_read(run->config->student_init, &content);
    if (status != LLMC_OK) {
        status = llmc_error_prefix(status, "student.init");
        goto exit;
    }
    LLMC_TRY(llmc_hf_folder_open(&teacher, run->teacher_folder));
    LLMC_TRY(llmc_student_architecture(&student, &teacher.architecture, &shape));
    LLMC_TRY(check_content(run, &student, &content));
exit:
    llmc_hf_folder_release(&teacher);
    llmc_compressed_release(&content);
    return status;
}

llmc_status llmc_run_load_init(const struct llmc_run *run, struct llmc_parameters *student)
{
    llmc_status status = LLMC_OK;
    struct llmc_compressed content = {0};
    LLMC_TRY(llmc_compressed_read(run->config->student_init, &content));
    LLMC_TRY(check_content(run, &student->architecture, &content));
    for (int32_t i = 0; i < student->count; i++) {
        float *values = llmc_parameter_values(student, i);
        for (int64_t row = 0; row < student->table[i].rows; row++)
            llmc_tensor_row(&content.tensors[i], row, values + row * student->table[i].cols);
    }
exit:
    llmc_compressed_release(&content);
    return status;
}
