/* The keys of the run, and what is said of keys and kinds in messages. */
#include "config/internal.h"

#include <stdio.h>
#include <string.h>

static const char *const precisions[] = {
    [LLMC_PRECISION_FP32] = "fp32", [LLMC_PRECISION_FP16] = "fp16", [LLMC_PRECISION_BF16] = "bf16", NULL};
static const char *const heads[] = {
    [LLMC_HEAD_KEEP] = "keep", [LLMC_HEAD_CONTINUE] = "continue", [LLMC_HEAD_NEW] = "new", NULL};

#define RUN(scope_, name_, field_, type_, fallback_, min_, max_, meaning_)                                     \
    LLMC_KEY_ROW(name_, struct llmc_config, field_, type_, fallback_, min_, max_, false, NULL, LLMC_OF_##scope_, \
                 meaning_)
#define RUN_ONE_OF(scope_, name_, field_, choices_, fallback_, meaning_)                                        \
    LLMC_KEY_ROW(name_, struct llmc_config, field_, CHOICE, fallback_, 0, 0, false, choices_, LLMC_OF_##scope_, \
                 meaning_)

/* In the order of the effective YAML, section by section. */
static const struct llmc_config_key keys[] = {
    /* scope, name, field, type, default, least, most, meaning */
    RUN(NO_STAGE, "name", name, NAME, NULL, 1, 64, "of the run: its folder is runs/NAME")
    /* 2^53 - 1: programs that read JSON numbers as doubles see the same seed in the report */
    RUN(ALL_STAGES, "seed", seed, SEED, "1", 0, 9007199254740991.0, "of every random choice")
    RUN(NO_STAGE, "threads", threads, INT, "0", 0, 256,
        "of the computation; 0: OMP_NUM_THREADS, or all processors within the quota of the container")
    RUN_ONE_OF(ALL_STAGES, "precision", precision, precisions, "fp16",
               "operands of the linear layers in training; weights and sums stay fp32")
    RUN(NO_STAGE, "checkpoint_seconds", checkpoint_seconds, NUMBER, "60", 0, 86400,
        "how often a training stage saves itself; 0: after every step")

    RUN(NO_STAGE, "data.folder", data.folder, TEXT, NULL, 1, 4096, "of the texts; relative to LLMC_DATA, or absolute")
    RUN(NO_STAGE, "data.train", data.train, TEXT, "train.tsv", 1, 4096, "file of the training texts, .tsv or .tsv.gz")
    RUN(NO_STAGE, "data.dev", data.dev, TEXT, "dev.tsv", 1, 4096, "file of the texts that measure, .tsv or .tsv.gz")
    RUN(NO_STAGE, "data.unlabeled", data.unlabeled, TEXTS, "[]", 1, 4096,
        "files of texts that only the teacher labels: .tsv, or one text a line; plain or .gz")
    RUN(ALL_STAGES, "data.text", data.text, TEXT, "sentence", 1, 256, "column of the text")
    RUN(ALL_STAGES, "data.text_pair", data.text_pair, TEXT, "\"\"", 0, 256,
        "column of the second text of a pair; \"\": none")
    RUN(ALL_STAGES, "data.label", data.label, TEXT, "label", 1, 256, "column of the label")
    RUN(ALL_STAGES, "data.label_names", data.label_names, TEXTS, "[]", 3, 512,
        "names in place of what the files say: [0=negative, 1=positive]; []: as they are")
    RUN(ALL_STAGES, "data.tokens_max", data.tokens_max, INT, "128", 4, 65536, "longer texts are cut to so many tokens")

    RUN(NO_STAGE, "teacher.folder", teacher.folders, ONE_OR_TEXTS, NULL, 1, 4096,
        "a BERT in Hugging Face's layout; relative to LLMC_DATA, or absolute; of several the logits are averaged")
    RUN(NO_STAGE, "teacher.seeds", teacher.seeds, INTS, "[]", 0, 2147483647,
        "a teacher is trained with each of these seeds, and their logits are averaged; []: one with seed")
    RUN_ONE_OF(ALL_STAGES, "teacher.head", teacher.head, heads, "keep",
               "a classifier in the folder: keep it as it is, continue to train it, or put a new one in its place")
    RUN(ALL_STAGES, "teacher.labels", teacher.labels, TEXTS, "[]", 1, 256,
        "the data's labels in the order of the classifier's outputs; []: by the names in its config.json")

    RUN(STUDENT, "student.layers", student.layers, INT, NULL, 1, LLMC_INT_LIST_MAX, "depth; a distill stage needs it")
    RUN(STUDENT, "student.hidden", student.hidden, INT, "0", 0, 8192,
        "width; 0: the teacher's; less, with from_layers: its principal directions")
    RUN(STUDENT, "student.ffn", student.ffn, INT, "0", 0, 65536,
        "width of the feed-forward layers; 0: the teacher's; less, with from_layers: its largest neurons")
    RUN(STUDENT, "student.heads", student.heads, INT, "0", 0, 1024, "attention heads; 0: the teacher's")
    RUN(STUDENT, "student.embedding_rank", student.embedding_rank, INT, "0", 0, 8192,
        "of the word embedding in two factors, at most the width; 0: in one piece")
    RUN(STUDENT, "student.from_layers", student.from_layers, INTS, "[]", 0, LLMC_INT_LIST_MAX - 1,
        "teacher layers to start from, counted from 0; []: random start")
    RUN(NO_STAGE, "student.init", student.init, TEXT, "\"\"", 0, 4096,
        "a compressed checkpoint to start from, of the student's shape; \"\": none")
};

const struct llmc_config_table llmc_config_run_keys = {keys, sizeof keys / sizeof keys[0]};
_Static_assert(sizeof keys / sizeof keys[0] <= LLMC_CONFIG_KEYS_MAX, "raise the limit");

struct llmc_config_table llmc_config_kind_keys(const struct llmc_config_kind *kind)
{
    return (struct llmc_config_table){kind->keys, kind->key_count};
}

const char *llmc_config_precision_name(enum llmc_precision precision)
{
    return precisions[precision];
}

const struct llmc_config_key *llmc_config_key_find(const struct llmc_config_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->keys[i].name, name) == 0)
            return &table->keys[i];
    return NULL;
}

const struct llmc_config_kind *llmc_config_kind_find(const struct llmc_config_kind *const *kinds, const char *name)
{
    for (; *kinds; kinds++)
        if (strcmp((*kinds)->name, name) == 0)
            return *kinds;
    return NULL;
}

void llmc_config_allowed_kinds(const struct llmc_config_kind *const *kinds, char out[LLMC_CONFIG_TEXT_NBYTES])
{
    size_t length = (size_t)snprintf(out, LLMC_CONFIG_TEXT_NBYTES, "allowed are ");
    for (size_t i = 0; kinds[i] && length < LLMC_CONFIG_TEXT_NBYTES; i++)
        length += (size_t)snprintf(out + length, LLMC_CONFIG_TEXT_NBYTES - length, "%s%s", i ? ", " : "",
                                   kinds[i]->name);
}

void llmc_config_allowed(const struct llmc_config_key *key, char out[LLMC_CONFIG_TEXT_NBYTES])
{
    size_t length = 0;
    switch (key->type) {
    case LLMC_KEY_NAME:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, "letters, digits, '-', '_' and '.', no '.' in front, at most %.0f",
                 key->max);
        break;
    case LLMC_KEY_TEXT:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, key->min > 0 ? "text of 1 to %.0f bytes" : "text of at most %.0f bytes",
                 key->max);
        break;
    case LLMC_KEY_INT:
    case LLMC_KEY_SEED:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, "whole numbers from %.0f to %.0f", key->min, key->max);
        break;
    case LLMC_KEY_NUMBER:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, key->above_min ? "numbers above %.15g, at most %.15g"
                                                              : "numbers from %.15g to %.15g",
                 key->min, key->max);
        break;
    case LLMC_KEY_CHOICE:
        for (size_t i = 0; key->choices[i]; i++)
            length += (size_t)snprintf(out + length, LLMC_CONFIG_TEXT_NBYTES - length, "%s%s", i ? ", " : "",
                                       key->choices[i]);
        break;
    case LLMC_KEY_INTS:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, "lists of whole numbers from %.0f to %.0f, such as [0, 2]", key->min,
                 key->max);
        break;
    case LLMC_KEY_ONE_OR_TEXTS:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, "text of 1 to %.0f bytes, or a list of such texts", key->max);
        break;
    case LLMC_KEY_TEXTS:
        snprintf(out, LLMC_CONFIG_TEXT_NBYTES, "lists of texts of 1 to %.0f bytes, such as [a, b]", key->max);
        break;
    }
}
