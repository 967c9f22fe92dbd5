#include "distill/features.h"

#include "base/memory.h"
#include "base/random.h"
#include "distill/hidden.h"
#include "distill/relations.h"
#include "train/training.h"

#include <stdlib.h>
#include <string.h>

struct llmc_features {
    const struct llmc_feature_settings *settings;
    struct llmc_ops *ops;
    struct llmc_bert *student;
    struct llmc_state teacher;
    struct llmc_activations activations; /* the teacher's */
    struct llmc_tap *taps, *theirs;      /* [count] of student and teacher: the two of a pair have one place and index */
    int32_t count;
    int32_t layers;                      /* of the student */
    struct llmc_beside beside;           /* the projections of the hidden pairs, [H_t, H_s] each, in the order of the taps */
    struct llmc_hidden_memory memory;
    float *gradients; /* of the taps, one after the other */
    size_t gradient_numbers;
};

bool llmc_features_wanted(const struct llmc_feature_settings *settings)
{
    return settings->hidden_weight > 0 || settings->embedding_weight > 0 || settings->relations_weight > 0;
}

/* The teacher's layer that the student's layer `layer` follows, or -1. */
static int32_t followed(const struct llmc_feature_settings *settings, const struct llmc_int_list *from_layers,
                        const struct llmc_architecture *teacher, const struct llmc_architecture *student, int32_t layer)
{
    if (settings->teacher_layers.count)
        return settings->teacher_layers.values[layer];
    if (layer == student->layers - 1)
        return teacher->layers - 1;
    if (from_layers->count == student->layers)
        return from_layers->values[layer + 1] - 1;
    return (int32_t)((int64_t)(layer + 1) * teacher->layers / student->layers) - 1;
}

static int32_t relation_layer(const struct llmc_feature_settings *settings, const struct llmc_architecture *teacher)
{
    return settings->relation_layer < 0 ? teacher->layers - 1 : settings->relation_layer;
}

static llmc_status check_relations(const struct llmc_feature_settings *settings, const struct llmc_architecture *teacher,
                                   const struct llmc_architecture *student, int32_t *heads)
{
    int32_t layer = relation_layer(settings, teacher);
    if (layer >= teacher->layers)
        return llmc_error(LLMC_ERR_CONFIG, "relation_layer: the teacher has no layer %d; allowed are 0 to %d, or -1 for the "
                          "last", layer, teacher->layers - 1);
    int32_t theirs = llmc_architecture_attention(teacher, layer);
    int32_t ours = llmc_architecture_attention(student, student->layers - 1);
    *heads = settings->relation_heads ? settings->relation_heads : teacher->layer[layer].heads;
    while (!settings->relation_heads && (theirs % *heads != 0 || ours % *heads != 0))
        --*heads;
    if (theirs % *heads != 0 || ours % *heads != 0)
        return llmc_error(LLMC_ERR_CONFIG, "relation_heads is %d; allowed are numbers that divide the width of the "
                          "teacher's queries, which is %d, and of the student's, which is %d", *heads, theirs, ours);
    return LLMC_OK;
}

llmc_status llmc_features_check(const struct llmc_feature_settings *settings, const struct llmc_architecture *teacher,
                                const struct llmc_architecture *student)
{
    const struct llmc_int_list *layers = &settings->teacher_layers;
    int32_t heads;
    if (layers->count && layers->count != student->layers)
        return llmc_error(LLMC_ERR_CONFIG, "teacher_layers names %d layers for a student of %d; allowed is one for each, -1 "
                          "where it follows none, or [] for the usual ones", layers->count, student->layers);
    for (int32_t i = 0; i < layers->count; i++)
        if (layers->values[i] >= teacher->layers)
            return llmc_error(LLMC_ERR_CONFIG, "teacher_layers: the teacher has no layer %d; allowed are -1 to %d",
                              layers->values[i], teacher->layers - 1);
    return settings->relations_weight > 0 ? check_relations(settings, teacher, student, &heads) : LLMC_OK;
}

static void add_pair(struct llmc_features *f, enum llmc_tap_place place, int32_t ours, int32_t theirs)
{
    f->taps[f->count] = (struct llmc_tap){.place = place, .layer = ours};
    f->theirs[f->count++] = (struct llmc_tap){.place = place, .layer = theirs};
}

static llmc_status choose_taps(struct llmc_features *f, const struct llmc_int_list *from_layers)
{
    llmc_status status = LLMC_OK;
    const struct llmc_architecture *student = &f->student->parameters.architecture;
    const struct llmc_architecture *teacher = &f->teacher.model.parameters.architecture;
    f->layers = student->layers;
    LLMC_TRY(llmc_alloc(&f->taps, (size_t)f->layers + 2, sizeof *f->taps));
    LLMC_TRY(llmc_alloc(&f->theirs, (size_t)f->layers + 2, sizeof *f->theirs));
    if (f->settings->embedding_weight > 0)
        add_pair(f, LLMC_TAP_EMBEDDING, 0, 0);
    for (int32_t i = 0; i < f->layers && f->settings->hidden_weight > 0; i++) {
        int32_t layer = followed(f->settings, from_layers, teacher, student, i);
        if (layer >= 0)
            add_pair(f, LLMC_TAP_HIDDEN, i, layer);
    }
    f->beside.count = (int64_t)f->count * teacher->hidden * student->hidden;
    if (f->settings->relations_weight > 0)
        add_pair(f, LLMC_TAP_QKV, f->layers - 1, relation_layer(f->settings, teacher));
exit:
    return status;
}

static llmc_status make_projections(struct llmc_features *f, uint64_t seed)
{
    llmc_status status = LLMC_OK;
    int32_t ours = f->student->parameters.architecture.hidden, theirs = f->teacher.model.parameters.architecture.hidden;
    int64_t size = (int64_t)ours * theirs;
    LLMC_TRY(llmc_alloc(&f->beside.values, (size_t)f->beside.count, sizeof(float)));
    LLMC_TRY(llmc_alloc(&f->beside.m, (size_t)f->beside.count, sizeof(float)));
    LLMC_TRY(llmc_alloc(&f->beside.v, (size_t)f->beside.count, sizeof(float)));
    LLMC_TRY(llmc_alloc(&f->beside.gradients, (size_t)f->beside.count, sizeof(float)));
    for (int64_t i = 0; i < f->beside.count / size; i++)
        llmc_hidden_start(f->beside.values + i * size, theirs, ours,
                          llmc_random_key(seed, LLMC_STREAM_PROJECTION, (uint64_t)i));
exit:
    return status;
}

/* Word pieces that have other numbers, or are other ones, make other tokens of a text. */
static llmc_status check_tokens(const struct llmc_state *student, const struct llmc_state *teacher)
{
    size_t ours, theirs;
    const char *our_pieces = llmc_tokenizer_vocabulary(student->tokenizer, &ours);
    const char *their_pieces = llmc_tokenizer_vocabulary(teacher->tokenizer, &theirs);
    if (ours == theirs && memcmp(our_pieces, their_pieces, ours) == 0)
        return LLMC_OK;
    return llmc_error(LLMC_ERR_CONFIG, "hidden_weight, embedding_weight and relations_weight compare token by token, but the "
                      "student has another tokenizer than its teacher; allowed is 0 behind a vocabulary stage");
}

llmc_status llmc_features_open(struct llmc_features **out, struct llmc_train_stage *train,
                               const struct llmc_feature_settings *settings)
{
    llmc_status status = LLMC_OK;
    struct llmc_stage_work *work = train->work;
    struct llmc_features *f = NULL;
    *out = NULL;
    LLMC_TRY(llmc_alloc(&f, 1, sizeof *f));
    f->settings = settings;
    f->ops = work->ops;
    f->student = &work->chain->state.model;
    LLMC_TRY(llmc_stage_load_teacher(work, llmc_stage_number(work), &f->teacher));
    LLMC_TRY(check_tokens(&work->chain->state, &f->teacher));
    LLMC_TRY(llmc_features_check(settings, &f->teacher.model.parameters.architecture,
                                 &f->student->parameters.architecture));
    LLMC_TRY(llmc_bert_prepare(&f->teacher.model, f->ops));
    LLMC_TRY(choose_taps(f, &work->config->student.from_layers));
    train->training->taps = f->taps;
    train->training->tap_count = f->count;
    if (f->beside.count) {
        LLMC_TRY(make_projections(f, work->config->seed));
        train->training->optimizer.beside = &f->beside;
    }
    *out = f;
    f = NULL;
exit:
    llmc_features_close(&f);
    return status;
}

void llmc_features_close(struct llmc_features **features)
{
    struct llmc_features *f = *features;
    *features = NULL;
    if (!f)
        return;
    llmc_state_release(&f->teacher);
    llmc_activations_release(&f->activations);
    llmc_hidden_memory_release(&f->memory);
    free(f->taps);
    free(f->theirs);
    free(f->beside.values);
    free(f->beside.m);
    free(f->beside.v);
    free(f->beside.gradients);
    free(f->gradients);
    free(f);
}

/* Gives every tap of the student its gradient's memory. */
static llmc_status place_gradients(struct llmc_features *f)
{
    size_t numbers = 0;
    for (int32_t i = 0; i < f->count; i++)
        numbers += (size_t)(f->taps[i].values.rows * f->taps[i].values.cols);
    if (numbers > f->gradient_numbers) {
        free(f->gradients);
        f->gradients = NULL;
        f->gradient_numbers = 0;
        llmc_status status = llmc_alloc_unset(&f->gradients, numbers + numbers / 4, sizeof *f->gradients);
        if (status != LLMC_OK)
            return status;
        f->gradient_numbers = numbers + numbers / 4;
    }
    float *place = f->gradients;
    for (int32_t i = 0; i < f->count; i++) {
        f->taps[i].gradient = place;
        place += f->taps[i].values.rows * f->taps[i].values.cols;
    }
    return LLMC_OK;
}

static llmc_status ask_teacher(struct llmc_features *f, const struct llmc_tokens *tokens)
{
    const struct llmc_pass pass = {.batch = *tokens, .taps = f->theirs, .tap_count = f->count};
    return llmc_bert_forward(&f->teacher.model, f->ops, &pass, &f->activations, NULL);
}

llmc_status llmc_features_run(struct llmc_features *f, const struct llmc_loss_input *in, double *loss)
{
    llmc_status status = LLMC_OK;
    const struct llmc_architecture *student = &f->student->parameters.architecture;
    const struct llmc_architecture *teacher = &f->teacher.model.parameters.architecture;
    const struct llmc_tokens tokens = llmc_step_tokens(in->batch);
    const struct llmc_sequences sequences = {tokens.sequences, tokens.offsets};
    int64_t place = 0;
    int32_t heads;
    if (student->layers != f->layers)
        LLMC_FAIL(LLMC_ERR_CONFIG, "hidden_weight, embedding_weight and relations_weight: the student had %d layers when the "
                  "stage began and has %d; allowed is 0 where layers are removed", f->layers, student->layers);
    LLMC_TRY(place_gradients(f));
    LLMC_TRY(ask_teacher(f, &tokens));
    for (int32_t i = 0; i < f->count; i++) {
        const struct llmc_tap *ours = &f->taps[i], *theirs = &f->theirs[i];
        if (ours->place == LLMC_TAP_QKV) {
            LLMC_TRY(check_relations(f->settings, teacher, student, &heads));
            LLMC_TRY(llmc_distill_relations(f->ops, &ours->values, &theirs->values, &sequences, heads,
                                            f->settings->relations_weight, in->scale, ours->gradient, loss));
            continue;
        }
        struct llmc_hidden_pair pair = {ours->values, theirs->values, f->beside.values + place, ours->gradient,
                                        f->beside.gradients + place};
        double weight =
            ours->place == LLMC_TAP_EMBEDDING ? f->settings->embedding_weight : f->settings->hidden_weight;
        LLMC_TRY(llmc_distill_hidden(f->ops, &pair, weight, in->scale, &f->memory, loss));
        place += (int64_t)teacher->hidden * student->hidden;
    }
exit:
    return status;
}
