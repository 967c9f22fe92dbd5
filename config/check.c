/* Combinations of keys that cannot work. Each is refused where it was written. */
#include "config/internal.h"

#include <stdio.h>
#include <string.h>

static const struct llmc_config_origin *origin_of(const struct llmc_config_origin *origins, const char *name)
{
    return &origins[llmc_config_key_find(&llmc_config_run_keys, name) - llmc_config_run_keys.keys];
}

/* Where the two keys of a contradiction were written: the one that came later is to blame. */
static const struct llmc_config_origin *later(const struct llmc_config_origin *a, const struct llmc_config_origin *b)
{
    if ((a->set != NULL) != (b->set != NULL))
        return a->set ? a : b;
    return a->line > b->line ? a : b;
}

static const struct llmc_config_kind *student_starter(const struct llmc_config *config)
{
    for (int32_t i = 0; i < config->stage_count; i++)
        if (config->stages[i].kind->starts_student)
            return config->stages[i].kind;
    return NULL;
}

static llmc_status check_required(const struct llmc_config *config, const struct llmc_config_origin *origins)
{
    const struct {
        const char *name;
        bool missing;
    } required[] = {
        {"name", !config->name},
        {"data.folder", !config->data.folder},
        {"teacher.folder", !config->teacher.folder},
        {"student.layers", config->student.layers == 0 && student_starter(config)},
    };
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        char allowed[LLMC_CONFIG_TEXT_NBYTES];
        if (!required[i].missing)
            continue;
        llmc_config_allowed(llmc_config_key_find(&llmc_config_run_keys, required[i].name), allowed);
        return llmc_config_error(origin_of(origins, required[i].name), required[i].name, "missing; allowed are %s",
                                 allowed);
    }
    return LLMC_OK;
}

static llmc_status check_student(const struct llmc_config *config, const struct llmc_config_origin *origins)
{
    const struct llmc_config_origin *origin =
        later(origin_of(origins, "student.layers"), origin_of(origins, "student.from_layers"));
    int32_t from = config->student.from_layers.count;
    if (from > 0 && from != config->student.layers)
        return llmc_config_error(origin, "student.from_layers",
                                 "names %d teacher layers for a student of %d; allowed are as many as student.layers, "
                                 "or [] for a random start",
                                 from, config->student.layers);
    if (config->student.init[0] && from > 0)
        return llmc_config_error(later(origin_of(origins, "student.init"), origin_of(origins, "student.from_layers")),
                                 "student.init", "and student.from_layers both say where the student starts; allowed "
                                 "is one of them");
    if (config->student.init[0] && !student_starter(config))
        return llmc_config_error(origin_of(origins, "student.init"), "student.init",
                                 "no stage takes it; a distill stage does");
    origin = later(origin_of(origins, "student.hidden"), origin_of(origins, "student.heads"));
    if (config->student.hidden > 0 && config->student.heads > 0 && config->student.hidden % config->student.heads != 0)
        return llmc_config_error(origin, "student.heads", "%d does not divide student.hidden, which is %d",
                                 config->student.heads, config->student.hidden);
    return LLMC_OK;
}

static llmc_status check_columns(const struct llmc_config *config, const struct llmc_config_origin *origins)
{
    const struct {
        const char *name, *column;
    } columns[] = {{"data.text", config->data.text},
                   {"data.text_pair", config->data.text_pair},
                   {"data.label", config->data.label}};
    for (size_t i = 1; i < 3; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(columns[i].column, columns[j].column) == 0)
                return llmc_config_error(
                    later(origin_of(origins, columns[i].name), origin_of(origins, columns[j].name)), columns[i].name,
                    "is the column \"%.100s\", as is %s; allowed are different columns", columns[i].column,
                    columns[j].name);
        }
    }
    return LLMC_OK;
}

static llmc_status check_teachers(const struct llmc_config *config, const struct llmc_config_origin *origins)
{
    const struct llmc_int_list *seeds = &config->teacher.seeds;
    const struct llmc_config_origin *origin = origin_of(origins, "teacher.seeds");
    int32_t teachers = 0;
    for (int32_t i = 0; i < seeds->count; i++)
        for (int32_t j = 0; j < i; j++)
            if (seeds->values[i] == seeds->values[j])
                return llmc_config_error(origin, "teacher.seeds", "names %d twice; allowed are different seeds",
                                         seeds->values[i]);
    if (seeds->count > 1 && config->teacher.folders.count > 1)
        return llmc_config_error(later(origin, origin_of(origins, "teacher.folder")), "teacher.seeds",
                                 "and a list in teacher.folder both name several teachers; allowed is one of them");
    for (int32_t i = 0; i < config->stage_count; i++)
        teachers += strcmp(config->stages[i].kind->name, "teacher") == 0;
    if (seeds->count > 0 && teachers == 0)
        return llmc_config_error(origin, "teacher.seeds", "needs a teacher stage, which trains with them");
    if ((seeds->count > 0 || config->teacher.folders.count > 1) && teachers > 1)
        return llmc_config_error(seeds->count > 0 ? origin : origin_of(origins, "teacher.folder"),
                                 seeds->count > 0 ? "teacher.seeds" : "teacher.folder",
                                 "names teachers that stand beside each other; allowed is one teacher stage then, not %d",
                                 teachers);
    return LLMC_OK;
}

/* Folders beside those of the runs. */
static llmc_status check_name(const struct llmc_config *config, const struct llmc_config_origin *origins)
{
    if (strcmp(config->name, "store") == 0)
        return llmc_config_error(origin_of(origins, "name"), "name",
                                 "is \"store\", the folder of the stages that runs share; choose another name");
    return LLMC_OK;
}

/* What is wrong with a stage's place, by the thing that it needs or refuses. */
static const struct {
    unsigned thing;
    const char *missing, *made;
} places[] = {
    {LLMC_THING_LOGITS, "learns from the teacher's logits, but no logits stage comes before it (after the teacher stage)",
     "comes after the teacher's logits"},
    {LLMC_THING_STUDENT, "needs a student, but no stage before it makes one",
     "comes after a stage that learned from the teacher; its place is before all of them"},
    {LLMC_THING_FILE,
     "measures the exported file, but no export stage comes before it (after the last stage that trains)",
     "comes after an export stage"},
    {LLMC_THING_RANGES, "needs ranges of activations, but no qat stage comes before it",
     "comes after a qat stage, whose ranges are of the layers as they were; its place is before it"},
};

static llmc_status check_stages(const struct llmc_config *config)
{
    unsigned made = 0;
    for (int32_t i = 0; i < config->stage_count; i++) {
        const struct llmc_stage_config *stage = &config->stages[i];
        const struct llmc_config_kind *kind = stage->kind;
        const struct llmc_config_origin origin = {config->path, stage->line, NULL};
        char name[32];
        snprintf(name, sizeof name, "stages.%d", i + 1);
        for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
            if (kind->needs & ~made & places[p].thing)
                return llmc_config_error(&origin, name, "%s %s", kind->name, places[p].missing);
            if (kind->refuses & made & places[p].thing)
                return llmc_config_error(&origin, name, "%s %s", kind->name, places[p].made);
        }
        made = (made & ~kind->ends) | kind->makes;
    }
    return LLMC_OK;
}

llmc_status llmc_config_check(const struct llmc_config *config, const struct llmc_config_origin *origins)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(check_required(config, origins));
    LLMC_TRY(check_name(config, origins));
    LLMC_TRY(check_columns(config, origins));
    LLMC_TRY(check_teachers(config, origins));
    LLMC_TRY(check_student(config, origins));
    LLMC_TRY(check_stages(config));
exit:
    return status;
}
