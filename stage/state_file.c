#include "stage/state_file.h"

#include "base/file.h"
#include "base/memory.h"
#include "formats/checkpoint/architecture.h"
#include "formats/hdf5/envelope.h"
#include "formats/hdf5/file.h"
#include "text/labels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_NBYTES 128

static const struct llmc_envelope seal = {"LLMS", 2, "stage checkpoint", 3};

/* The fields of ranges as arrays: they are interleaved in memory. */
static const char *const range_names[] = {"min", "max", "scale", "zero_point"};
static float *range_field(struct llmc_ranges *r, int field, int32_t i)
{
    switch (field) {
    case 0: return &r->averages[i].min;
    case 1: return &r->averages[i].max;
    case 2: return &r->quantizers[i].scale;
    default: return &r->quantizers[i].zero_point;
    }
}

static llmc_status write_ranges(struct llmc_h5 *file, const struct llmc_ranges *r)
{
    llmc_status status = LLMC_OK;
    int64_t shape[1] = {r->count};
    struct llmc_ranges copy = *r;
    float *values = NULL;
    LLMC_TRY(llmc_alloc(&values, (size_t)r->count, sizeof *values));
    for (int field = 0; field < 4; field++) {
        char name[NAME_NBYTES];
        snprintf(name, sizeof name, "inputs/%s", range_names[field]);
        for (int32_t i = 0; i < r->count; i++)
            values[i] = *range_field(&copy, field, i);
        LLMC_TRY(llmc_h5_write(file, name, LLMC_F32, 1, shape, values, 0));
    }
    LLMC_TRY(llmc_h5_write(file, "inputs/m", LLMC_F32, 1, shape, r->m, 0));
    LLMC_TRY(llmc_h5_write(file, "inputs/v", LLMC_F32, 1, shape, r->v, 0));
    LLMC_TRY(llmc_h5_write_int(file, "inputs", "step", r->step));
exit:
    free(values);
    return status;
}

static llmc_status read_ranges(struct llmc_h5 *file, struct llmc_ranges *r, int32_t count)
{
    llmc_status status = LLMC_OK;
    int64_t shape[1] = {count};
    float *values = NULL;
    LLMC_TRY(llmc_ranges_init(r, count));
    LLMC_TRY(llmc_alloc(&values, (size_t)count, sizeof *values));
    for (int field = 0; field < 4; field++) {
        char name[NAME_NBYTES];
        snprintf(name, sizeof name, "inputs/%s", range_names[field]);
        LLMC_TRY(llmc_h5_read(file, name, LLMC_F32, 1, shape, values));
        for (int32_t i = 0; i < count; i++)
            *range_field(r, field, i) = values[i];
    }
    for (int32_t i = 0; i < count; i++) {
        if (!(r->quantizers[i].scale > 0))
            LLMC_FAIL(LLMC_ERR_FORMAT, "inputs/scale: number %d is not above 0", i);
        r->quantizers[i].inverse = 1.0f / r->quantizers[i].scale;
    }
    LLMC_TRY(llmc_h5_read(file, "inputs/m", LLMC_F32, 1, shape, r->m));
    LLMC_TRY(llmc_h5_read(file, "inputs/v", LLMC_F32, 1, shape, r->v));
    LLMC_TRY(llmc_h5_read_int(file, "inputs", "step", &r->step));
exit:
    free(values);
    return status;
}

/* Writes or reads the parameters (and masks) array by array. */
static llmc_status write_parameters(struct llmc_h5 *file, const struct llmc_parameters *p)
{
    llmc_status status = LLMC_OK;
    char name[NAME_NBYTES];
    for (int32_t i = 0; i < p->count; i++) {
        const struct llmc_parameter *parameter = &p->table[i];
        int64_t shape[2] = {parameter->rows, parameter->cols};
        snprintf(name, sizeof name, "parameters/%s", parameter->name);
        LLMC_TRY(llmc_h5_write(file, name, LLMC_F32, 2, shape, llmc_parameter_values(p, i), 0));
        snprintf(name, sizeof name, "masks/%s", parameter->name);
        if (p->mask && parameter->kind == LLMC_PARAMETER_LINEAR)
            LLMC_TRY(llmc_h5_write(file, name, LLMC_U8, 2, shape, p->mask + (parameter->offset - p->dense_begin), 0));
        snprintf(name, sizeof name, "steps/%s", parameter->name);
        if (llmc_parameter_steps(p, i))
            LLMC_TRY(llmc_h5_write(file, name, LLMC_F32, 1, shape, llmc_parameter_steps(p, i), 0));
    }
exit:
    return status;
}

static llmc_status read_steps(struct llmc_h5 *file, const char *name, struct llmc_parameters *p, int32_t index)
{
    llmc_status status = LLMC_OK;
    int64_t rows = p->table[index].rows;
    if (!p->table[index].bits)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s, but that parameter has no bits", llmc_h5_path(file), name);
    LLMC_TRY(llmc_parameters_make_steps(p));
    float *steps = llmc_parameter_steps(p, index);
    LLMC_TRY(llmc_h5_read(file, name, LLMC_F32, 1, &rows, steps));
    for (int64_t row = 0; row < rows; row++)
        if (!(steps[row] >= 0 && isfinite(steps[row])))
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %s: number %lld is %g; allowed are finite numbers from 0 on",
                      llmc_h5_path(file), name, (long long)row, (double)steps[row]);
exit:
    return status;
}

static llmc_status read_parameters(struct llmc_h5 *file, struct llmc_parameters *p)
{
    llmc_status status = LLMC_OK;
    char name[NAME_NBYTES];
    for (int32_t i = 0; i < p->count; i++) {
        const struct llmc_parameter *parameter = &p->table[i];
        int64_t shape[2] = {parameter->rows, parameter->cols};
        snprintf(name, sizeof name, "parameters/%s", parameter->name);
        LLMC_TRY(llmc_h5_read(file, name, LLMC_F32, 2, shape, llmc_parameter_values(p, i)));
        snprintf(name, sizeof name, "masks/%s", parameter->name);
        if (parameter->kind == LLMC_PARAMETER_LINEAR && llmc_h5_has(file, name)) {
            LLMC_TRY(llmc_parameters_make_mask(p));
            LLMC_TRY(llmc_h5_read(file, name, LLMC_U8, 2, shape, p->mask + (parameter->offset - p->dense_begin)));
        }
        snprintf(name, sizeof name, "steps/%s", parameter->name);
        if (llmc_h5_has(file, name))
            LLMC_TRY(read_steps(file, name, p, i));
    }
exit:
    return status;
}

/* ---- tokenizer and labels ---- */

static const struct {
    const char *name;
    size_t offset;
} rule_fields[] = {
    {"lowercase", offsetof(struct llmc_tokenizer_rules, lowercase)},
    {"strip_accents", offsetof(struct llmc_tokenizer_rules, strip_accents)},
    {"split_chinese", offsetof(struct llmc_tokenizer_rules, split_chinese)},
    {"clean", offsetof(struct llmc_tokenizer_rules, clean)},
};
enum { RULES = sizeof rule_fields / sizeof rule_fields[0] };

static llmc_status write_text_array(struct llmc_h5 *file, const char *name, const char *text, size_t nbytes)
{
    int64_t shape[1] = {(int64_t)nbytes};
    return llmc_h5_write(file, name, LLMC_U8, 1, shape, text, 0);
}

/* *text has one zero byte more after the content; the caller frees it. */
static llmc_status read_text_array(struct llmc_h5 *file, const char *name, char **text, size_t *nbytes)
{
    llmc_status status = LLMC_OK;
    enum llmc_number number;
    int rank;
    int64_t shape[LLMC_H5_RANK_MAX] = {0};
    LLMC_TRY(llmc_h5_describe(file, name, &number, &rank, shape));
    *nbytes = (size_t)shape[0];
    LLMC_TRY(llmc_alloc(text, *nbytes + 1, 1));
    LLMC_TRY(llmc_h5_read(file, name, LLMC_U8, 1, shape, *text));
exit:
    return status;
}

static llmc_status write_texts(struct llmc_h5 *file, const struct llmc_state *state)
{
    llmc_status status = LLMC_OK;
    const struct llmc_tokenizer_rules rules = llmc_tokenizer_get_rules(state->tokenizer);
    size_t nbytes = 0;
    char *lines = NULL;
    const char *vocabulary = llmc_tokenizer_vocabulary(state->tokenizer, &nbytes);
    for (int i = 0; i < RULES; i++)
        LLMC_TRY(llmc_h5_write_int(file, "", rule_fields[i].name,
                                   *(const bool *)((const char *)&rules + rule_fields[i].offset)));
    LLMC_TRY(llmc_h5_write_int(file, "", "tokens_max", state->tokens_max));
    LLMC_TRY(write_text_array(file, "vocabulary", vocabulary, nbytes));
    LLMC_TRY(llmc_labels_lines(&state->labels, &lines));
    LLMC_TRY(write_text_array(file, "labels", lines, strlen(lines)));
exit:
    free(lines);
    return status;
}

static llmc_status read_labels(struct llmc_h5 *file, struct llmc_state *state)
{
    llmc_status status = LLMC_OK;
    char *text = NULL;
    size_t nbytes = 0;
    LLMC_TRY(read_text_array(file, "labels", &text, &nbytes));
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        LLMC_TRY(llmc_labels_add(&state->labels, line));
    }
    if (state->labels.count != state->model.parameters.architecture.labels)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: %d label names for %d labels", llmc_h5_path(file), state->labels.count,
                  state->model.parameters.architecture.labels);
exit:
    free(text);
    return status;
}

static llmc_status read_texts(struct llmc_h5 *file, struct llmc_state *state)
{
    llmc_status status = LLMC_OK;
    struct llmc_tokenizer_rules rules;
    char *vocabulary = NULL;
    size_t nbytes = 0;
    int64_t value;
    for (int i = 0; i < RULES; i++) {
        LLMC_TRY(llmc_h5_read_int(file, "", rule_fields[i].name, &value));
        *(bool *)((char *)&rules + rule_fields[i].offset) = value != 0;
    }
    LLMC_TRY(llmc_h5_read_int(file, "", "tokens_max", &value));
    if (value < 1 || value > state->model.parameters.architecture.positions)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: tokens_max is %lld", llmc_h5_path(file), (long long)value);
    state->tokens_max = (int32_t)value;
    LLMC_TRY(read_text_array(file, "vocabulary", &vocabulary, &nbytes));
    LLMC_TRY(llmc_tokenizer_create(&state->tokenizer, vocabulary, nbytes, &rules, llmc_h5_path(file)));
    LLMC_TRY(read_labels(file, state));
exit:
    free(vocabulary);
    return status;
}

/* ---- training under way ---- */

static llmc_status write_training(struct llmc_h5 *file, const struct llmc_training *t, int64_t total,
                                  const struct llmc_stage_progress *progress)
{
    llmc_status status = LLMC_OK;
    const struct llmc_optimizer *o = &t->optimizer;
    int64_t vocabulary = t->model->parameters.architecture.vocabulary;
    LLMC_TRY(llmc_h5_write(file, "training/word_step", LLMC_I32, 1, &vocabulary, o->word_step, 0));
    LLMC_TRY(llmc_h5_write(file, "training/learning_rates", LLMC_F32, 1, &o->step, o->learning_rates, 0));
    LLMC_TRY(llmc_h5_write(file, "training/m", LLMC_F32, 1, &total, o->m, 0));
    LLMC_TRY(llmc_h5_write(file, "training/v", LLMC_F32, 1, &total, o->v, 0));
    if (o->beside) {
        LLMC_TRY(llmc_h5_write(file, "training/beside_values", LLMC_F32, 1, &o->beside->count, o->beside->values, 0));
        LLMC_TRY(llmc_h5_write(file, "training/beside_m", LLMC_F32, 1, &o->beside->count, o->beside->m, 0));
        LLMC_TRY(llmc_h5_write(file, "training/beside_v", LLMC_F32, 1, &o->beside->count, o->beside->v, 0));
    }
    if (o->steps.m) {
        int64_t steps = t->model->parameters.step_count;
        LLMC_TRY(llmc_h5_write(file, "training/step_m", LLMC_F32, 1, &steps, o->steps.m, 0));
        LLMC_TRY(llmc_h5_write(file, "training/step_v", LLMC_F32, 1, &steps, o->steps.v, 0));
    }
    LLMC_TRY(llmc_h5_write_int(file, "training", "step", t->step));
    LLMC_TRY(llmc_h5_write_int(file, "training", "optimizer_step", o->step));
    LLMC_TRY(llmc_h5_write_double(file, "training", "scale", (double)o->scale));
    LLMC_TRY(llmc_h5_write_int(file, "training", "good_steps", o->good_steps));
    LLMC_TRY(llmc_h5_write_double(file, "training", "initial_sparsity", progress->initial_sparsity));
    LLMC_TRY(llmc_h5_write_int(file, "training", "metrics_bytes", progress->metrics_nbytes));
    LLMC_TRY(llmc_h5_write_double(file, "training", "seconds", progress->seconds));
    if (progress->numbers)
        LLMC_TRY(llmc_h5_write(file, "training/numbers", LLMC_F32, 1, &progress->number_count, progress->numbers, 0));
exit:
    return status;
}

/* Those of o->step steps. */
static llmc_status read_learning_rates(struct llmc_h5 *file, struct llmc_optimizer *o)
{
    llmc_status status = LLMC_OK;
    enum llmc_number number;
    int rank;
    int64_t shape[LLMC_H5_RANK_MAX] = {0};
    LLMC_TRY(llmc_h5_describe(file, "training/learning_rates", &number, &rank, shape));
    if (rank != 1 || shape[0] != o->step)
        LLMC_FAIL(LLMC_ERR_FORMAT, "%s: training/learning_rates has not %lld numbers", llmc_h5_path(file),
                  (long long)o->step);
    LLMC_TRY(llmc_optimizer_reserve(o, o->step));
    LLMC_TRY(llmc_h5_read(file, "training/learning_rates", LLMC_F32, 1, &o->step, o->learning_rates));
exit:
    return status;
}

/* The stage's own, where it left any. */
static llmc_status read_numbers(struct llmc_h5 *file, struct llmc_stage_progress *progress)
{
    llmc_status status = LLMC_OK;
    enum llmc_number number;
    int rank;
    int64_t shape[LLMC_H5_RANK_MAX] = {0};
    if (!llmc_h5_has(file, "training/numbers"))
        return LLMC_OK;
    LLMC_TRY(llmc_h5_describe(file, "training/numbers", &number, &rank, shape));
    progress->number_count = shape[0];
    LLMC_TRY(llmc_alloc(&progress->numbers, (size_t)shape[0], sizeof *progress->numbers));
    LLMC_TRY(llmc_h5_read(file, "training/numbers", LLMC_F32, 1, shape, progress->numbers));
exit:
    return status;
}

static llmc_status read_training(struct llmc_h5 *file, struct llmc_training *t, int64_t total,
                                 struct llmc_stage_progress *progress)
{
    llmc_status status = LLMC_OK;
    struct llmc_optimizer *o = &t->optimizer;
    int64_t good_steps;
    double scale;
    int64_t vocabulary = t->model->parameters.architecture.vocabulary;
    LLMC_TRY(llmc_h5_read(file, "training/word_step", LLMC_I32, 1, &vocabulary, o->word_step));
    LLMC_TRY(llmc_h5_read(file, "training/m", LLMC_F32, 1, &total, o->m));
    LLMC_TRY(llmc_h5_read(file, "training/v", LLMC_F32, 1, &total, o->v));
    if (o->beside) {
        LLMC_TRY(llmc_h5_read(file, "training/beside_values", LLMC_F32, 1, &o->beside->count, o->beside->values));
        LLMC_TRY(llmc_h5_read(file, "training/beside_m", LLMC_F32, 1, &o->beside->count, o->beside->m));
        LLMC_TRY(llmc_h5_read(file, "training/beside_v", LLMC_F32, 1, &o->beside->count, o->beside->v));
    }
    if (o->steps.m) {
        int64_t steps = t->model->parameters.step_count;
        LLMC_TRY(llmc_h5_read(file, "training/step_m", LLMC_F32, 1, &steps, o->steps.m));
        LLMC_TRY(llmc_h5_read(file, "training/step_v", LLMC_F32, 1, &steps, o->steps.v));
    }
    LLMC_TRY(llmc_h5_read_int(file, "training", "step", &t->step));
    LLMC_TRY(llmc_h5_read_int(file, "training", "optimizer_step", &o->step));
    LLMC_TRY(llmc_h5_read_double(file, "training", "scale", &scale));
    LLMC_TRY(llmc_h5_read_int(file, "training", "good_steps", &good_steps));
    LLMC_TRY(llmc_h5_read_double(file, "training", "initial_sparsity", &progress->initial_sparsity));
    LLMC_TRY(llmc_h5_read_int(file, "training", "metrics_bytes", &progress->metrics_nbytes));
    LLMC_TRY(llmc_h5_read_double(file, "training", "seconds", &progress->seconds));
    if (t->step < 0 || o->step < 0 || !(scale > 0) || good_steps < 0 || progress->metrics_nbytes < 0)
        LLMC_FAIL(LLMC_ERR_FORMAT, "training: a count is below 0");
    for (int64_t row = 0; row < vocabulary; row++)
        if (o->word_step[row] < 0 || o->word_step[row] > o->step)
            LLMC_FAIL(LLMC_ERR_FORMAT, "training/word_step: number %lld is %d; allowed values are 0 to %lld",
                      (long long)row, o->word_step[row], (long long)o->step);
    LLMC_TRY(read_learning_rates(file, o));
    LLMC_TRY(read_numbers(file, progress));
    o->scale = (float)scale;
    o->good_steps = (int32_t)good_steps;
exit:
    return status;
}

/* Two attributes say it, or an array where parameters of one kind differ. */
static llmc_status write_bits(struct llmc_h5 *file, const struct llmc_parameters *p)
{
    llmc_status status = LLMC_OK;
    int32_t weight_bits, embedding_bits;
    int64_t count = p->count;
    uint8_t *bits = NULL;
    if (llmc_parameters_bits_are_even(p, &weight_bits, &embedding_bits)) {
        LLMC_TRY(llmc_h5_write_int(file, "", "weight_bits", weight_bits));
        LLMC_TRY(llmc_h5_write_int(file, "", "embedding_bits", embedding_bits));
        return LLMC_OK;
    }
    LLMC_TRY(llmc_alloc(&bits, (size_t)count, 1));
    for (int32_t i = 0; i < count; i++)
        bits[i] = (uint8_t)p->table[i].bits;
    LLMC_TRY(llmc_h5_write(file, "bits", LLMC_U8, 1, &count, bits, 0));
exit:
    free(bits);
    return status;
}

llmc_status llmc_state_save(const char *path, const struct llmc_state *state, const char *fingerprint,
                            const struct llmc_training *training, const struct llmc_stage_progress *progress)
{
    llmc_status status = LLMC_OK;
    const struct llmc_parameters *p = &state->model.parameters;
    char *temporary = NULL;
    struct llmc_h5 *file = NULL;
    struct llmc_envelope written = seal;
    if (p->steps)
        written.version = seal.newest;
    LLMC_TRY(llmc_file_begin(path, &temporary));
    LLMC_TRY(llmc_h5_create(&file, temporary, LLMC_ENVELOPE_NBYTES));
    LLMC_TRY(llmc_h5_write_text(file, "", "fingerprint", fingerprint));
    LLMC_TRY(llmc_checkpoint_write_architecture(file, &p->architecture));
    LLMC_TRY(write_bits(file, p));
    LLMC_TRY(write_texts(file, state));
    LLMC_TRY(write_parameters(file, p));
    if (state->ranges.count)
        LLMC_TRY(write_ranges(file, &state->ranges));
    if (training)
        LLMC_TRY(write_training(file, training, p->total, progress));
    LLMC_TRY(llmc_h5_close(&file));
    LLMC_TRY(llmc_envelope_seal(temporary, &written));
    LLMC_TRY(llmc_file_commit(&temporary, path));
exit:
    llmc_h5_abandon(&file);
    llmc_file_abandon(&temporary);
    return status;
}

llmc_status llmc_state_fingerprint(const char *path, char out[LLMC_HASH_TEXT_NBYTES])
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *file = NULL;
    char *text = NULL;
    out[0] = '\0';
    if (!llmc_file_exists(path))
        return LLMC_OK;
    LLMC_TRY(llmc_envelope_verify_file(path, &seal));
    LLMC_TRY(llmc_h5_open(&file, path));
    LLMC_TRY(llmc_h5_read_text(file, "", "fingerprint", &text));
    snprintf(out, LLMC_HASH_TEXT_NBYTES, "%s", text);
exit:
    free(text);
    llmc_h5_abandon(&file);
    return status;
}

static llmc_status check_bits(const char *name, int64_t bits)
{
    if (bits != 0 && (bits < 2 || bits > 8))
        return llmc_error(LLMC_ERR_FORMAT, "%s is %lld; allowed values are 0 and 2 to 8", name, (long long)bits);
    return LLMC_OK;
}

/* What write_bits wrote. */
static llmc_status read_bits(struct llmc_h5 *file, struct llmc_parameters *p)
{
    llmc_status status = LLMC_OK;
    int64_t weight_bits, embedding_bits, count = p->count;
    uint8_t *bits = NULL;
    if (!llmc_h5_has(file, "bits")) {
        LLMC_TRY(llmc_h5_read_int(file, "", "weight_bits", &weight_bits));
        LLMC_TRY(llmc_h5_read_int(file, "", "embedding_bits", &embedding_bits));
        LLMC_TRY(check_bits("weight_bits", weight_bits));
        LLMC_TRY(check_bits("embedding_bits", embedding_bits));
        llmc_parameters_set_bits(p, (int32_t)weight_bits, (int32_t)embedding_bits);
        return LLMC_OK;
    }
    LLMC_TRY(llmc_alloc(&bits, (size_t)count, 1));
    LLMC_TRY(llmc_h5_read(file, "bits", LLMC_U8, 1, &count, bits));
    for (int32_t i = 0; i < count; i++) {
        char name[NAME_NBYTES];
        snprintf(name, sizeof name, "bits of %s", p->table[i].name);
        LLMC_TRY(check_bits(name, bits[i]));
        if (bits[i] && !llmc_parameter_takes_bits(p->table[i].kind))
            LLMC_FAIL(LLMC_ERR_FORMAT, "%s is %d, but it stays in floating point", name, bits[i]);
        p->table[i].bits = bits[i];
    }
exit:
    free(bits);
    return status;
}

llmc_status llmc_state_load(const char *path, enum llmc_number number, struct llmc_state *state)
{
    llmc_status status = LLMC_OK;
    struct llmc_architecture architecture;
    struct llmc_h5 *file = NULL;
    LLMC_TRY(llmc_envelope_verify_file(path, &seal));
    LLMC_TRY(llmc_h5_open(&file, path));
    LLMC_TRY(llmc_checkpoint_read_architecture(file, &architecture));
    LLMC_TRY(llmc_bert_init(&state->model, &architecture, number));
    LLMC_TRY(read_bits(file, &state->model.parameters));
    LLMC_TRY(read_texts(file, state));
    LLMC_TRY(read_parameters(file, &state->model.parameters));
    if (llmc_h5_has(file, "inputs/scale"))
        LLMC_TRY(read_ranges(file, &state->ranges, llmc_site_count(&architecture)));
    llmc_state_apply(state);
exit:
    llmc_h5_abandon(&file);
    if (status != LLMC_OK)
        llmc_state_release(state);
    return status;
}

llmc_status llmc_state_load_training(const char *path, struct llmc_training *training,
                                     struct llmc_stage_progress *progress)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *file = NULL;
    LLMC_TRY(llmc_h5_open(&file, path));
    LLMC_TRY(read_training(file, training, training->model->parameters.total, progress));
exit:
    llmc_h5_abandon(&file);
    return status;
}
