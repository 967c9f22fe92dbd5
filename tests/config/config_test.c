/* The configuration: what is refused and with which words, what is kept, what --set does. */
#include "base/file.h"
#include "base/memory.h"
#include "config/config.h"
#include "pipeline/stages/table.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_NAME "c.yaml" /* short, so that the expected messages read well */
#define HEAD "name: a\ndata: {folder: d}\nteacher: {folder: t}\n"
#define STUDENT HEAD "student: {layers: 2}\n"
#define STAGES "stages: [{stage: export}]\n"
#define ALLOWED_KINDS "allowed are teacher, augment, logits, distill, vocabulary, structure, prune, qat, export, verify, baseline"
#define ALLOWED_TOP "allowed are name, seed, threads, precision, checkpoint_seconds, data, teacher, student, stages"

static char folder[] = "/tmp/llmc-config-XXXXXX";

static llmc_status load(struct llmc_config *config, const char *yaml, const char *set)
{
    assert_int_equal(llmc_file_write(FILE_NAME, yaml, strlen(yaml)), LLMC_OK);
    return llmc_config_load(config, FILE_NAME, &set, set != NULL, llmc_run_stage_kinds());
}

/* The value of a stage's key, as the effective YAML has it. */
static const char *value_of(const struct llmc_config *config, int32_t stage, const char *key)
{
    static char value[64];
    char *yaml = NULL;
    char line[64];
    assert_int_equal(llmc_config_write_stage(config, &config->stages[stage], &yaml), LLMC_OK);
    snprintf(line, sizeof line, "\n%s: ", key);
    const char *found = strstr(yaml, line);
    assert_non_null(found);
    found += strlen(line);
    snprintf(value, sizeof value, "%.*s", (int)strcspn(found, "\n"), found);
    free(yaml);
    return value;
}

struct bad {
    const char *yaml, *set, *message;
};

static const struct bad bads[] = {
    /* syntax and structure */
    {"", NULL, "c.yaml: holds no configuration"},
    {"# only a comment\n", NULL, "c.yaml: holds no configuration"},
    {"just text\n", NULL, "c.yaml:1: is no mapping; write \"KEY: VALUE\" lines"},
    {"- a\n", NULL, "c.yaml:1: is no mapping; write \"KEY: VALUE\" lines"},
    {"name: [a\nseed: 1\n", NULL, "c.yaml:2:5: did not find expected ',' or ']' (while parsing a flow sequence)"},
    {"name: a\n  seed: 1\n", NULL, "c.yaml:2:7: mapping values are not allowed in this context"},
    {"name: a\n\tseed: 1\n", NULL,
     "c.yaml:2:1: found a tab character that violates indentation (while scanning a plain scalar)"},
    {"name: a\nseed: \xff\n", NULL, "c.yaml:2:7: invalid leading UTF-8 octet"},
    {"name: a\nseed: \x01\n", NULL, "c.yaml:2:7: control characters are not allowed"},
    {"name: &x a\n", NULL, "c.yaml:1:7: anchors (&name) are not supported"},
    {"name: a\nseed: *x\n", NULL, "c.yaml:2:7: aliases (*name) are not supported"},
    {"name: !!str a\n", NULL, "c.yaml:1:7: tags (!name) are not supported"},
    {"name: a\n---\nname: b\n", NULL, "c.yaml:2:1: a second document starts; allowed is one"},
    {"name: [[[[[[[[[[1]]]]]]]]]]\n", NULL, "c.yaml:1:14: nested too deeply"},
    {"[a]: b\n", NULL, "c.yaml:1: (top): has a key that is no text"},
    {"\"a\\0b\": b\n", NULL, "c.yaml:1: (top): has a key that is no text"},
    /* keys */
    {"sead: 1\n", NULL, "c.yaml:1: sead: unknown key; did you mean seed? " ALLOWED_TOP},
    {"xyzzyplugh: 1\n", NULL, "c.yaml:1: xyzzyplugh: unknown key; " ALLOWED_TOP},
    {"data.folder: x\n", NULL, "c.yaml:1: data.folder: unknown key; " ALLOWED_TOP},
    {"name: a\ndata:\n  token_max: 3\n", NULL,
     "c.yaml:3: data.token_max: unknown key; did you mean tokens_max? "
     "allowed are folder, train, dev, unlabeled, text, text_pair, label, label_names, tokens_max"},
    {"name: a\nseed: 1\nname: b\n", NULL, "c.yaml:3: name: stands twice, first in line 1"},
    {"data:\n  folder: a\n  folder: b\n", NULL, "c.yaml:3: data.folder: stands twice, first in line 2"},
    {"data: text\n", NULL, "c.yaml:1: data: is no section; write its keys indented below it"},
    {HEAD, NULL, "c.yaml: stages: missing; " ALLOWED_KINDS},
    {"data: {folder: d}\nteacher: {folder: t}\n" STAGES, NULL,
     "c.yaml: name: missing; allowed are letters, digits, '-', '_' and '.', no '.' in front, at most 64"},
    {"name: a\nteacher: {folder: t}\n" STAGES, NULL,
     "c.yaml: data.folder: missing; allowed are text of 1 to 4096 bytes"},
    {"name: a\ndata: {folder: d}\n" STAGES, NULL,
     "c.yaml: teacher.folder: missing; allowed are text of 1 to 4096 bytes, or a list of such texts"},
    /* values */
    {"name: a/b\n", NULL,
     "c.yaml:1: name: is \"a/b\"; allowed are letters, digits, '-', '_' and '.', no '.' in front, at most 64"},
    {"name: ..\n", NULL,
     "c.yaml:1: name: is \"..\"; allowed are letters, digits, '-', '_' and '.', no '.' in front, at most 64"},
    {"name: store\ndata: {folder: d}\nteacher: {folder: t}\n" STAGES, NULL,
     "c.yaml:1: name: is \"store\", the folder of the stages that runs share; choose another name"},
    {"teacher:\n  head: old\n", NULL, "c.yaml:2: teacher.head: is \"old\"; allowed are keep, continue, new"},
    {"teacher:\n  labels: a\n", NULL,
     "c.yaml:2: teacher.labels: is no list; allowed are lists of texts of 1 to 256 bytes, such as [a, b]"},
    {"teacher:\n  labels: [a, '']\n", NULL,
     "c.yaml:2: teacher.labels: is empty; allowed are lists of texts of 1 to 256 bytes, such as [a, b]"},
    {"name:\n", NULL,
     "c.yaml:1: name: has no value (\"\" is an empty one; one that begins with '#' goes into quotes); allowed are letters, "
     "digits, '-', '_' and '.', no '.' in front, at most 64"},
    {"data:\n  text_pair: #2 String\n", NULL,
     "c.yaml:2: data.text_pair: has no value (\"\" is an empty one; one that begins with '#' goes into quotes); allowed are "
     "text of at most 256 bytes"},
    {"name: ''\n", NULL,
     "c.yaml:1: name: is empty; allowed are letters, digits, '-', '_' and '.', no '.' in front, at most 64"},
    {"seed: -1\n", NULL, "c.yaml:1: seed: is -1; allowed are whole numbers from 0 to 9007199254740991"},
    {"seed: 99999999999999999999\n", NULL,
     "c.yaml:1: seed: is 99999999999999999999; allowed are whole numbers from 0 to 9007199254740991"},
    {"threads: many\n", NULL, "c.yaml:1: threads: is the text \"many\"; allowed are whole numbers from 0 to 256"},
    {"threads: \"2\"\n", NULL, "c.yaml:1: threads: is the text \"2\"; allowed are whole numbers from 0 to 256"},
    {"threads: 1.5\n", NULL, "c.yaml:1: threads: is 1.5, not a whole number; allowed are whole numbers from 0 to 256"},
    {"threads: 0x10\n", NULL, "c.yaml:1: threads: is the text \"0x10\"; allowed are whole numbers from 0 to 256"},
    {"threads: [1]\n", NULL, "c.yaml:1: threads: is a list; allowed are whole numbers from 0 to 256"},
    {"threads: {a: 1}\n", NULL, "c.yaml:1: threads: is a mapping; allowed are whole numbers from 0 to 256"},
    {"threads:\n", NULL, "c.yaml:1: threads: is empty; allowed are whole numbers from 0 to 256"},
    {"checkpoint_seconds: .inf\n", NULL,
     "c.yaml:1: checkpoint_seconds: is the text \".inf\"; allowed are numbers from 0 to 86400"},
    {"checkpoint_seconds: nan\n", NULL,
     "c.yaml:1: checkpoint_seconds: is the text \"nan\"; allowed are numbers from 0 to 86400"},
    {"checkpoint_seconds: 1e999\n", NULL,
     "c.yaml:1: checkpoint_seconds: is 1e999; allowed are numbers from 0 to 86400"},
    {"precision: fp8\n", NULL, "c.yaml:1: precision: is \"fp8\"; allowed are fp32, fp16, bf16"},
    {"data:\n  folder: [a]\n", NULL, "c.yaml:2: data.folder: is a list; allowed are text of 1 to 4096 bytes"},
    {"data:\n  text: \"a\\nb\"\n", NULL,
     "c.yaml:2: data.text: holds a control character; allowed are text of 1 to 256 bytes"},
    {"student:\n  layers: 129\n", NULL, "c.yaml:2: student.layers: is 129; allowed are whole numbers from 1 to 128"},
    {"student:\n  from_layers: 1\n", NULL,
     "c.yaml:2: student.from_layers: is no list; allowed are lists of whole numbers from 0 to 127, such as [0, 2]"},
    {"student:\n  from_layers: [0, -1]\n", NULL,
     "c.yaml:2: student.from_layers: is -1; allowed are lists of whole numbers from 0 to 127, such as [0, 2]"},
    {"student:\n  from_layers: [0, x]\n", NULL,
     "c.yaml:2: student.from_layers: is the text \"x\"; allowed are lists of whole numbers from 0 to 127, such as [0, 2]"},
    /* stages */
    {"stages: 3\n", NULL,
     "c.yaml:1: stages: is no list of stages; write \"- stage: KIND\" lines below it; " ALLOWED_KINDS},
    {"stages: []\n", NULL,
     "c.yaml:1: stages: is no list of stages; write \"- stage: KIND\" lines below it; " ALLOWED_KINDS},
    {"stages:\n  - export\n", NULL,
     "c.yaml:2: stages.1: is no mapping; write \"- stage: KIND\"; " ALLOWED_KINDS},
    {"stages:\n  - epochs: 1\n", NULL, "c.yaml:2: stages.1: has no key \"stage\"; " ALLOWED_KINDS},
    {"stages:\n  - stage: destill\n", NULL, "c.yaml:2: stages.1.stage: is \"destill\"; " ALLOWED_KINDS},
    {"stages:\n  - stage: teacher\n    epochs: 0\n", NULL,
     "c.yaml:3: stages.1.epochs: is 0; allowed are numbers above 0, at most 1000"},
    {"stages:\n  - stage: teacher\n    epoch: 1\n", NULL,
     "c.yaml:3: stages.1.epoch: unknown key; did you mean epochs? allowed are stage, epochs, batch_size, "
     "learning_rate, warmup, weight_decay, clip_norm, dropout"},
    {"stages:\n  - stage: logits\n  - stage: verify\n    sparsity: 0.5\n", NULL,
     "c.yaml:4: stages.2.sparsity: unknown key; allowed are stage, accuracy_min"},
    {"stages:\n  - stage: logits\n    stage: verify\n", NULL,
     "c.yaml:3: stages.1.stage: stands twice, first in line 2"},
    /* combinations */
    {STUDENT "stages:\n  - stage: teacher\n  - stage: distill\n", NULL,
     "c.yaml:7: stages.2: distill learns from the teacher's logits, but no logits stage comes before it "
     "(after the teacher stage)"},
    {STUDENT "stages:\n  - stage: logits\n  - stage: teacher\n  - stage: qat\n", NULL,
     "c.yaml:8: stages.3: qat learns from the teacher's logits, but no logits stage comes before it "
     "(after the teacher stage)"},
    {STUDENT "stages:\n  - stage: logits\n  - stage: prune\n  - stage: teacher\n", NULL,
     "c.yaml:8: stages.3: teacher comes after a stage that learned from the teacher; "
     "its place is before all of them"},
    {STUDENT "stages:\n  - stage: logits\n  - stage: qat\n  - stage: structure\n", NULL,
     "c.yaml:8: stages.3: structure comes after a qat stage, whose ranges are of the layers as they were; its place is "
     "before it"},
    {HEAD "stages:\n  - stage: verify\n", NULL,
     "c.yaml:5: stages.1: verify measures the exported file, but no export stage comes before it "
     "(after the last stage that trains)"},
    {HEAD "stages:\n  - stage: logits\n  - stage: distill\n", NULL,
     "c.yaml: student.layers: missing; allowed are whole numbers from 1 to 128"},
    {HEAD "student:\n  layers: 2\n  from_layers: [1]\n" STAGES, NULL,
     "c.yaml:6: student.from_layers: names 1 teacher layers for a student of 2; allowed are as many as "
     "student.layers, or [] for a random start"},
    {HEAD "student:\n  layers: 1\n  from_layers: [1]\n  init: f\n" STAGES, NULL,
     "c.yaml:7: student.init: and student.from_layers both say where the student starts; allowed is one of them"},
    {HEAD STAGES, "student.init=f", "--set student.init=f: no stage takes it; a distill stage does"},
    {HEAD "student:\n  heads: 5\n  hidden: 12\n" STAGES, NULL,
     "c.yaml:6: student.heads: 5 does not divide student.hidden, which is 12"},
    {"name: a\nteacher: {folder: t}\ndata:\n  folder: d\n  text: x\n  label: x\n" STAGES, NULL,
     "c.yaml:6: data.label: is the column \"x\", as is data.text; allowed are different columns"},
    /* --set */
    {HEAD STAGES, "seed", "--set seed: has no '='; write KEY=VALUE"},
    {HEAD STAGES, "sed=1", "--set sed=1: unknown key; did you mean seed? " ALLOWED_TOP},
    {HEAD STAGES, "data.tex=1",
     "--set data.tex=1: unknown key; did you mean text? "
     "allowed are folder, train, dev, unlabeled, text, text_pair, label, label_names, tokens_max"},
    {HEAD STAGES, "data.text=#1 String",
     "--set data.text=#1 String: begins with '#', a comment in YAML; put it into quotes"},
    {HEAD STAGES, "data=1", "--set data=1: is a section; write data.KEY=VALUE"},
    {HEAD STAGES, "seed=x", "--set seed=x: is the text \"x\"; allowed are whole numbers from 0 to 9007199254740991"},
    {HEAD STAGES, "seed=[1", "--set seed=[1: did not find expected ',' or ']' (while parsing a flow sequence)"},
    {HEAD STAGES, "student.from_layers=[1,2]",
     "--set student.from_layers=[1,2]: names 2 teacher layers for a student of 0; allowed are as many as "
     "student.layers, or [] for a random start"},
    {HEAD STAGES, "stages=1",
     "--set stages=1: sets no key of a stage; allowed are stages.N.KEY and stages.KIND.KEY, or "
     "stages.N=off and stages.KIND=off"},
    {HEAD STAGES, "stages.export=no",
     "--set stages.export=no: sets no key of a stage; allowed are stages.N.KEY and stages.KIND.KEY, or "
     "stages.N=off and stages.KIND=off"},
    {HEAD STAGES, "stages.export=off", "--set stages.export=off: leaves no stage"},
    {HEAD STAGES, "stages.qat=off", "--set stages.qat=off: c.yaml has no qat stage"},
    {HEAD STAGES, "stages.2.epochs=1", "--set stages.2.epochs=1: no such stage; c.yaml has 1, and " ALLOWED_KINDS},
    {HEAD STAGES, "stages.qat.epochs=1", "--set stages.qat.epochs=1: c.yaml has no qat stage"},
    {HEAD STAGES, "stages.export.epochs=1", "--set stages.export.epochs=1: unknown key; allowed are stage"},
};

static void refuses_with_a_clear_message(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        struct llmc_config config;
        llmc_status status = load(&config, bads[i].yaml, bads[i].set);
        if (status != LLMC_ERR_CONFIG || strcmp(llmc_error_message(), bads[i].message) != 0) {
            print_error("%s--\nis       %s\nexpected %s\n\n", bads[i].yaml, llmc_error_message(), bads[i].message);
            failed++;
        }
        assert_null(config.path); /* nothing is left to release */
    }
    assert_int_equal(failed, 0);
}

static void refuses_files_that_are_no_configuration(void **state)
{
    (void)state;
    struct llmc_config config;
    assert_int_equal(llmc_config_load(&config, "missing.yaml", NULL, 0, llmc_run_stage_kinds()), LLMC_ERR_IO);
    assert_int_equal(llmc_config_load(&config, ".", NULL, 0, llmc_run_stage_kinds()), LLMC_ERR_IO);
    char *huge = malloc(1 << 20);
    assert_non_null(huge);
    memset(huge, '#', 1 << 20);
    assert_int_equal(llmc_file_write("huge.yaml", huge, 1 << 20), LLMC_OK);
    assert_int_equal(llmc_config_load(&config, "huge.yaml", NULL, 0, llmc_run_stage_kinds()), LLMC_ERR_CONFIG);
    /* brackets without end, and the "billion laughs" */
    memset(huge, '[', 200000);
    assert_int_equal(llmc_file_write("huge.yaml", huge, 200000), LLMC_OK);
    assert_int_equal(llmc_config_load(&config, "huge.yaml", NULL, 0, llmc_run_stage_kinds()), LLMC_ERR_CONFIG);
    free(huge);
}

static void fills_in_defaults_by_stage(void **state)
{
    (void)state;
    struct llmc_config config;
    assert_int_equal(load(&config, STUDENT "stages:\n  - stage: teacher\n  - stage: logits\n  - stage: distill\n"
                                           "    loss: kl\n    epochs: 0.25\n  - stage: prune\n  - stage: qat\n",
                          NULL), LLMC_OK);
    assert_int_equal(config.seed, 1);
    assert_int_equal(config.precision, LLMC_PRECISION_FP16);
    assert_string_equal(config.data.train, "train.tsv");
    assert_string_equal(config.data.text_pair, "");
    assert_int_equal(config.stage_count, 5);
    assert_string_equal(config.stages[0].name, "01-teacher");
    assert_string_equal(config.stages[4].name, "05-qat");
    assert_int_equal(config.stages[2].line, 8);
    assert_string_equal(value_of(&config, 0, "dropout"), "0.1");
    assert_string_equal(value_of(&config, 2, "dropout"), "0");
    assert_string_equal(value_of(&config, 0, "learning_rate"), "3e-05");
    assert_string_equal(value_of(&config, 2, "learning_rate"), "0.0001");
    assert_string_equal(value_of(&config, 2, "epochs"), "0.25");
    assert_string_equal(value_of(&config, 3, "epochs"), "2");
    assert_string_equal(value_of(&config, 4, "epochs"), "1");
    assert_string_equal(value_of(&config, 2, "loss"), "kl");
    assert_string_equal(value_of(&config, 4, "weight_bits"), "8");
    llmc_config_release(&config);
    llmc_config_release(&config); /* twice is fine */
}

static void sets_change_values_after_the_file(void **state)
{
    (void)state;
    const char *sets[] = {"seed=7",          "seed=8",  "data.folder=/a: b", "data.text_pair=", "student.layers=3",
                          "student.from_layers=[1, 3,5]", "stages.distill.epochs=0.5", "stages.4.epochs=4",
                          "stages.distill.loss=kl"};
    static const char yaml[] = STUDENT "stages:\n  - stage: logits\n  - stage: distill\n  - stage: prune\n"
                                       "  - stage: distill\n";
    struct llmc_config config;
    assert_int_equal(llmc_file_write(FILE_NAME, yaml, strlen(yaml)), LLMC_OK);
    /* ": " makes a mapping of a text, as in a file; quotes help */
    assert_int_equal(llmc_config_load(&config, FILE_NAME, sets, sizeof sets / sizeof sets[0], llmc_run_stage_kinds()), LLMC_ERR_CONFIG);
    assert_string_equal(llmc_error_message(),
                        "--set data.folder=/a: b: is a mapping; allowed are text of 1 to 4096 bytes");
    sets[2] = "data.folder=\"/a: b\"";
    assert_int_equal(llmc_config_load(&config, FILE_NAME, sets, sizeof sets / sizeof sets[0], llmc_run_stage_kinds()), LLMC_OK);
    assert_int_equal(config.seed, 8);
    assert_string_equal(config.data.folder, "/a: b");
    assert_int_equal(config.student.from_layers.count, 3);
    assert_int_equal(config.student.from_layers.values[2], 5);
    assert_string_equal(value_of(&config, 1, "epochs"), "0.5");
    assert_string_equal(value_of(&config, 2, "epochs"), "2");
    assert_string_equal(value_of(&config, 3, "epochs"), "4");
    assert_string_equal(value_of(&config, 3, "loss"), "kl");
    llmc_config_release(&config);
}

static void sets_leave_stages_out(void **state)
{
    (void)state;
    const char *sets[] = {"stages.distill=off", "stages.3=off", "stages.2.epochs=4"};
    static const char yaml[] = STUDENT "stages:\n  - stage: distill\n  - stage: logits\n  - stage: prune\n"
                                       "  - stage: distill\n  - stage: export\n";
    struct llmc_config config;
    assert_int_equal(llmc_file_write(FILE_NAME, yaml, strlen(yaml)), LLMC_OK);
    assert_int_equal(llmc_config_load(&config, FILE_NAME, sets, sizeof sets / sizeof sets[0], llmc_run_stage_kinds()), LLMC_OK);
    assert_int_equal(config.stage_count, 2);
    assert_string_equal(config.stages[0].name, "01-logits");
    assert_string_equal(config.stages[1].name, "02-prune");
    assert_string_equal(value_of(&config, 1, "epochs"), "4");
    llmc_config_release(&config);
}

/* The sanitizers' build finds what is left over. */
static void releases_all_texts(void **state)
{
    (void)state;
    static const char yaml[] = "name: a\ndata: {folder: d, train: a, dev: b, text: c, text_pair: e, label: f}\n"
                               "teacher: {folder: t, labels: [a, b, c]}\nstudent: {layers: 2, init: g}\n"
                               "stages:\n  - stage: logits\n  - stage: distill\n";
    struct llmc_config config;
    assert_int_equal(load(&config, yaml, "student.init=h"), LLMC_OK);
    assert_string_equal(config.student.init, "h");
    llmc_config_release(&config);
    assert_null(config.student.init);
}

static void effective_yaml_reads_back_to_the_same(void **state)
{
    (void)state;
    static const char yaml[] =
        "name: r-1.x\nseed: 9007199254740991\ndata: {folder: 'say \"a\\b\"', text_pair: 'null', text: \"\\u00e9\"}\n"
        "teacher: {folder: t, labels: [a, 'b: c']}\nstudent: {layers: 2, from_layers: [0, 5], heads: 3, hidden: 12}\n"
        "stages:\n  - {stage: logits}\n  - {stage: distill, learning_rate: 0.1234567890123456789, loss: kl}\n"
        "  - {stage: qat, ranges: averaged}\n  - {stage: export}\n  - {stage: export}\n"
        "  - {stage: verify, accuracy_min: .9}\n";
    struct llmc_config first, second;
    char *once = NULL;
    char *twice = NULL;
    char *stage = NULL;
    assert_int_equal(load(&first, yaml, NULL), LLMC_OK);
    assert_int_equal(llmc_config_write(&first, &once), LLMC_OK);
    assert_int_equal(load(&second, once, NULL), LLMC_OK);
    assert_int_equal(llmc_config_write(&second, &twice), LLMC_OK);
    assert_string_equal(once, twice);
    assert_string_equal(second.data.folder, "say \"a\\b\"");
    assert_string_equal(second.data.text_pair, "null");
    assert_int_equal(second.seed, 9007199254740991);
    assert_true(strtod(value_of(&second, 1, "learning_rate"), NULL) == 0.1234567890123456789);
    assert_string_equal(value_of(&second, 2, "ranges"), "averaged");
    assert_int_equal(second.teacher.labels.count, 2);
    assert_string_equal(second.teacher.labels.texts[1], "b: c");
    assert_int_equal(llmc_config_write_stage(&first, &first.stages[5], &stage), LLMC_OK);
    assert_string_equal(stage, "stage: verify\naccuracy_min: 0.9\n");
    free(once);
    free(twice);
    free(stage);
    llmc_config_release(&first);
    llmc_config_release(&second);
}

static void describes_every_key(void **state)
{
    (void)state;
    char *text = NULL;
    assert_int_equal(llmc_config_describe(llmc_run_stage_kinds(), false, &text), LLMC_OK);
    assert_non_null(strstr(text, "\n  data.tokens_max       128         longer texts are cut to so many tokens "
                                 "(whole numbers from 4 to 65536)\n"));
    assert_non_null(strstr(text, "\n  dropout               teacher 0.1; distill 0; structure 0; prune 0; qat 0 "));
    for (const struct llmc_config_kind *const *kind = llmc_run_stage_kinds(); *kind; kind++) {
        char line[64];
        snprintf(line, sizeof line, "\n  %-21s ", (*kind)->name);
        assert_non_null(strstr(text, line));
        for (size_t i = 0; i < (*kind)->key_count; i++) {
            snprintf(line, sizeof line, "\n  %-21s ", (*kind)->keys[i].name);
            assert_non_null(strstr(text, line));
        }
    }
    free(text);
}

/* The fingerprint of a stage follows the keys that its result depends on, and no other. */
static void fingerprints_follow_what_counts(void **state)
{
    (void)state;
    static const char yaml[] = STUDENT "stages:\n  - stage: teacher\n  - stage: logits\n  - stage: distill\n"
                                       "  - stage: prune\n";
    static const struct {
        const char *set;
        bool common, teacher, distill;
    } cases[] = {
        {"seed=2", true, false, false},           {"data.tokens_max=64", true, false, false},
        {"teacher.head=new", true, false, false}, {"name=other", false, false, false},
        {"checkpoint_seconds=1", false, false, false}, {"data.folder=e", false, false, false},
        {"student.layers=3", false, false, true}, {"student.from_layers=[0, 1]", false, false, true},
        {"stages.distill.epochs=9", false, false, true}, {"stages.teacher.epochs=9", false, true, false},
        {"stages.prune.sparsity=0.1", false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct llmc_config plain, changed;
        char *texts[2][3];
        assert_int_equal(load(&plain, yaml, NULL), LLMC_OK);
        assert_int_equal(load(&changed, yaml, cases[i].set), LLMC_OK);
        const struct llmc_config *configs[2] = {&plain, &changed};
        for (int c = 0; c < 2; c++) {
            assert_int_equal(llmc_config_write_common(configs[c], &texts[c][0]), LLMC_OK);
            assert_int_equal(llmc_config_write_stage(configs[c], &configs[c]->stages[0], &texts[c][1]), LLMC_OK);
            assert_int_equal(llmc_config_write_stage(configs[c], &configs[c]->stages[2], &texts[c][2]), LLMC_OK);
        }
        const bool expected[3] = {cases[i].common, cases[i].teacher, cases[i].distill};
        for (int t = 0; t < 3; t++) {
            if ((strcmp(texts[0][t], texts[1][t]) != 0) != expected[t])
                fail_msg("%s: text %d of the fingerprint is %s", cases[i].set, t, texts[1][t]);
            free(texts[0][t]);
            free(texts[1][t]);
        }
        llmc_config_release(&plain);
        llmc_config_release(&changed);
    }
}

/* Every prefix and every single-byte change of a good file is read or refused, never more. */
static void survives_damage(void **state)
{
    (void)state;
    static const char yaml[] = STUDENT "stages:\n  - stage: logits\n  - stage: distill\n    epochs: 2\n";
    char copy[sizeof yaml];
    for (size_t i = 0; i < sizeof yaml - 1; i++) {
        for (int change = 0; change < 4; change++) {
            struct llmc_config config;
            memcpy(copy, yaml, sizeof yaml);
            copy[i] = change == 0 ? '\0' : (char)(copy[i] ^ (1 << (2 * change - 1)));
            if (load(&config, copy, NULL) == LLMC_OK)
                llmc_config_release(&config);
        }
    }
}

static void shipped_configurations_load(void **state)
{
    const glob_t *shipped = *state;
    assert_true(shipped->gl_pathc >= 3);
    for (size_t i = 0; i < shipped->gl_pathc; i++) {
        struct llmc_config config;
        if (llmc_config_load(&config, shipped->gl_pathv[i], NULL, 0, llmc_run_stage_kinds()) != LLMC_OK)
            fail_msg("%s", llmc_error_message());
        llmc_config_release(&config);
    }
}

int main(void)
{
    /* ctest starts in the repository; the tests write into a folder of their own */
    char *here = getcwd(NULL, 0);
    char *pattern = NULL;
    glob_t shipped = {0};
    if (!here || llmc_path_join(&pattern, here, "configs/*.yaml") != LLMC_OK || glob(pattern, 0, NULL, &shipped) != 0 ||
        !mkdtemp(folder) || chdir(folder) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_with_a_clear_message),
        cmocka_unit_test(refuses_files_that_are_no_configuration),
        cmocka_unit_test(fills_in_defaults_by_stage),
        cmocka_unit_test(sets_change_values_after_the_file),
        cmocka_unit_test(sets_leave_stages_out),
        cmocka_unit_test(releases_all_texts),
        cmocka_unit_test(effective_yaml_reads_back_to_the_same),
        cmocka_unit_test(describes_every_key),
        cmocka_unit_test(fingerprints_follow_what_counts),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test_prestate(shipped_configurations_load, &shipped),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(FILE_NAME);
    unlink("huge.yaml");
    rmdir(folder);
    globfree(&shipped);
    free(pattern);
    free(here);
    return failed;
}
