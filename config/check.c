/* Combinations of keys that cannot work. Each is refused where it was written. */
#include "config/schema.h"

#include <stdio.h>
#include <string.h>

static const struct llmc_config_origin *origin_of(const struct llmc_config_origin *origins, const char *name)
{
    return &origins[llmc_config_key_find(name, 0) - llmc_config_keys];
}

/* Where the two keys of a contradiction were written: the one that came later is to blame. */
static const struct llmc_config_origin *later(const struct llmc_config_origin *a, const struct llmc_config_origin *b)
{
    if ((a->set != NULL) != (b->set != NULL))
        return a->set ? a : b;
    return a->line > b->line ? a : b;
}

static bool has_stage(const struct llmc_config *config, enum llmc_stage_kind kind)
{
    for (int32_t i = 0; i < config->stage_count; i++) {
        if (config->stages[i].kind == kind)
            return true;
    }
    return false;
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
        {"student.layers", config->student.layers == 0 && has_stage(config, LLMC_STAGE_DISTILL)},
    };
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        char legal[LLMC_CONFIG_TEXT_NBYTES];
        const struct llmc_config_key *key = llmc_config_key_find(required[i].name, 0);
        llmc_config_legal(key, legal);
        if (required[i].missing)
            return llmc_config_error(origin_of(origins, key->name), key->name, "missing; legal are %s", legal);
    }
    return LLMC_OK;
}

static llmc_status check_student(const struct llmc_config *config, const struct llmc_config_origin *origins)
{
    const struct llmc_config_origin *origin =
        later(origin_of(origins, "student.layers"), origin_of(origins, "student.from_layers"));
    if (config->student.from_layers_count > 0 && config->student.from_layers_count != config->student.layers)
        return llmc_config_error(origin, "student.from_layers",
                                 "names %d teacher layers for a student of %d; legal are as many as student.layers, "
                                 "or [] for a random start",
                                 config->student.from_layers_count, config->student.layers);
    if (config->student_init[0] && config->student.from_layers_count > 0)
        return llmc_config_error(later(origin_of(origins, "student.init"), origin_of(origins, "student.from_layers")),
                                 "student.init", "and student.from_layers both say where the student starts; legal is "
                                 "one of them");
    if (config->student_init[0] && !has_stage(config, LLMC_STAGE_DISTILL))
        return llmc_config_error(origin_of(origins, "student.init"), "student.init",
                                 "no stage takes it; legal is with a distill stage");
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
                    "is the column \"%.100s\", as is %s; legal are different columns", columns[i].column,
                    columns[j].name);
        }
    }
    return LLMC_OK;
}

/* What the stages so far have made. */
struct made {
    bool logits, student, file; /* file: of the model as it is */
};

/* Why a stage cannot stand where it stands, or NULL. */
static const char *misplaced(enum llmc_stage_kind kind, struct made *made)
{
    switch (kind) {
    case LLMC_STAGE_TEACHER:
        if (made->student)
            return "comes after a stage that learned from the teacher; legal is before distill, qat and prune";
        made->logits = false; /* they were those of another teacher */
        return NULL;
    case LLMC_STAGE_LOGITS:
        made->logits = true;
        return NULL;
    case LLMC_STAGE_DISTILL:
    case LLMC_STAGE_QAT:
    case LLMC_STAGE_PRUNE:
        if (!made->logits)
            return "learns from the teacher's logits, but no logits stage comes before it (after the teacher stage)";
        made->student = true;
        made->file = false;
        return NULL;
    case LLMC_STAGE_EXPORT:
        made->file = true;
        return NULL;
    case LLMC_STAGE_VERIFY:
        return made->file ? NULL : "measures the exported file, but no export stage comes before it (after the last stage that trains)";
    }
    return NULL;
}

static llmc_status check_stages(const struct llmc_config *config, const char *file)
{
    struct made made = {0};
    for (int32_t i = 0; i < config->stage_count; i++) {
        const struct llmc_stage_config *stage = &config->stages[i];
        const struct llmc_config_origin origin = {file, stage->line, NULL};
        const char *problem = misplaced(stage->kind, &made);
        char name[32];
        snprintf(name, sizeof name, "stages.%d", i + 1);
        if (problem)
            return llmc_config_error(&origin, name, "%s %s", llmc_stage_kind_name(stage->kind), problem);
    }
    return LLMC_OK;
}

llmc_status llmc_config_check(const struct llmc_config *config, const struct llmc_config_origin *origins)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(check_required(config, origins));
    LLMC_TRY(check_columns(config, origins));
    LLMC_TRY(check_student(config, origins));
    LLMC_TRY(check_stages(config, config->path));
exit:
    return status;
}
