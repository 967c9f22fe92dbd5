#include "vocabulary/stage.h"

#include "architecture/select.h"
#include "stage/measure.h"
#include "stage/state_file.h"
#include "stage/training.h"
#include "vocabulary/choose.h"

#include <string.h>

enum unseen { UNSEEN_KEEP, UNSEEN_SHARE };
static const char *const unseen_modes[] = {[UNSEEN_KEEP] = "keep", [UNSEEN_SHARE] = "share", NULL};

struct settings {
    int32_t pieces, bytes, count_min;
    enum unseen unseen;
};

static const struct llmc_config_key keys[] = {
    LLMC_KEY("pieces", struct settings, pieces, INT, "0", 0, 1e9, "so many are kept; 0: bytes or count_min says how many")
    LLMC_KEY("bytes", struct settings, bytes, INT, "0", 0, 2e9,
             "that pieces and their rows may have, by the bits that the model has then (16 where it has none)")
    LLMC_KEY("count_min", struct settings, count_min, INT, "0", 0, 1e9, "pieces that the texts have less often go")
    LLMC_KEY_ONE_OF("unseen", struct settings, unseen, unseen_modes, "keep",
                    "rows of the characters that no text has: as they are, or one for all, their mean, which takes no bytes")
};

/* Of a row in the file, before it is deflated: numbers, and a scale of integers. */
static int64_t row_nbytes(const struct llmc_parameters *p)
{
    int64_t bits = p->table[LLMC_WORDS].bits, cols = p->table[LLMC_WORDS].cols;
    return bits ? (cols * bits + 7) / 8 + (int64_t)sizeof(float) : 2 * cols;
}

static llmc_status prepare(const struct llmc_stage_work *work)
{
    const struct settings *settings = work->stage->settings;
    int64_t pieces, bytes;
    llmc_status status = LLMC_OK;
    if ((settings->pieces > 0) + (settings->bytes > 0) + (settings->count_min > 0) != 1)
        LLMC_FAIL(LLMC_ERR_CONFIG, "%s: pieces is %d, bytes %d, count_min %d; allowed is one of them above 0",
                  work->stage->name, settings->pieces, settings->bytes, settings->count_min);
    LLMC_TRY(llmc_pieces_least(work->data->tokenizer, 0, &pieces, &bytes));
    if (settings->pieces > 0 && settings->pieces < pieces)
        LLMC_FAIL(LLMC_ERR_CONFIG,
                  "%s: pieces is %d; allowed are %lld and more: the special tokens and the characters of the tokenizer stay",
                  work->stage->name, settings->pieces, (long long)pieces);
    if (settings->bytes > 0 && settings->bytes < bytes)
        LLMC_FAIL(LLMC_ERR_CONFIG, "%s: bytes is %d; the pieces that stay have at least %lld", work->stage->name,
                  settings->bytes, (long long)bytes);
exit:
    return status;
}

/* Rows of characters that no text has become one: equal rows deflate to next to nothing, and stay equal, since no training
 * reaches them. */
static void share_unseen(struct llmc_parameters *p, const struct llmc_tokenizer *tokenizer,
                         const struct llmc_pieces_choice *choice)
{
    int64_t cols = p->table[LLMC_WORDS].cols;
    float *values = llmc_parameter_values(p, LLMC_WORDS), *steps = llmc_parameter_steps(p, LLMC_WORDS), *first = NULL;
    int32_t first_row = 0, count = 0;
    for (int32_t pass = 0; pass < 2; pass++) {
        for (int32_t row = 0; row < choice->count; row++) {
            if (choice->counts[row] > 0 || !llmc_pieces_is_character(tokenizer, row))
                continue;
            float *numbers = values + row * cols;
            if (pass == 1 && numbers != first) {
                memcpy(numbers, first, (size_t)cols * sizeof *numbers);
                if (steps)
                    steps[row] = steps[first_row];
            }
            if (pass == 1)
                continue;
            first_row = first ? first_row : row;
            first = first ? first : numbers;
            count++;
            for (int64_t i = 0; i < cols && numbers != first; i++)
                first[i] += (numbers[i] - first[i]) / (float)count;
        }
    }
}

/* The chain's model with the chosen pieces. */
static llmc_status take_choice(struct llmc_stage_work *work, const struct llmc_pieces_choice *choice)
{
    llmc_status status = LLMC_OK;
    const struct settings *settings = work->stage->settings;
    struct llmc_state *state = &work->chain->state;
    const struct llmc_selection selection = {.words = choice->kept, .word_count = choice->count};
    struct llmc_tokenizer *smaller = NULL;
    struct llmc_parameters selected = {0};
    LLMC_TRY(llmc_pieces_tokenizer(&smaller, state->tokenizer, choice));
    LLMC_TRY(llmc_parameters_select(&selected, &state->model.parameters, &selection));
    if (settings->unseen == UNSEEN_SHARE)
        share_unseen(&selected, smaller, choice);
    LLMC_TRY(llmc_bert_take(&state->model, &selected));
    llmc_tokenizer_free(state->tokenizer);
    state->tokenizer = smaller;
    smaller = NULL;
exit:
    llmc_parameters_release(&selected);
    llmc_tokenizer_free(smaller);
    return status;
}

static void tell(const struct llmc_stage_work *work, int32_t before, const struct llmc_pieces_words *words,
                 const struct llmc_pieces_choice *choice, int64_t texts)
{
    int32_t used = 0;
    for (int32_t i = 0; i < choice->count; i++)
        used += choice->counts[i] > 0;
    llmc_stage_message(work, "keeps %d of %d word pieces, %d of which the texts use; %.2f tokens a text instead of %.2f",
                       choice->count, before, used,
                       (double)(words->tokens - words->pieces + choice->tokens) / (double)texts,
                       (double)words->tokens / (double)texts);
}

static llmc_status run(struct llmc_stage_work *work)
{
    llmc_status status = LLMC_OK;
    const struct settings *settings = work->stage->settings;
    struct llmc_state *state = &work->chain->state;
    const struct llmc_pieces_budget budget = {.pieces = settings->pieces, .bytes = settings->bytes,
                                              .count_min = settings->count_min,
                                              .row_nbytes = row_nbytes(&state->model.parameters)};
    struct llmc_pieces_words words = {0};
    struct llmc_pieces_choice choice = {0};
    struct llmc_text_source joined = {0};
    const struct llmc_text_source *texts;
    int32_t before = llmc_tokenizer_size(state->tokenizer);
    LLMC_TRY(llmc_stage_texts(work, NULL, &joined, &texts));
    LLMC_TRY(llmc_pieces_count_words(&words, texts, state->tokenizer, work->host->stop));
    LLMC_TRY(llmc_pieces_choose(&choice, state->tokenizer, &words, &budget));
    tell(work, before, &words, &choice, texts->count);
    LLMC_TRY(take_choice(work, &choice));
    LLMC_TRY(llmc_state_save(work->product_path, state, work->fingerprint, NULL, NULL));
exit:
    llmc_text_source_close(&joined);
    llmc_pieces_words_release(&words);
    llmc_pieces_choice_release(&choice);
    return status == LLMC_ERR_CONFIG ? llmc_error_prefix(status, "%s", work->stage->name) : status;
}

const struct llmc_stage_type llmc_pieces_stage = {
    .kind = {.name = "vocabulary", .does = "keeps the word pieces that pay; words outside fall on shorter ones",
             .keys = keys, .key_count = sizeof keys / sizeof keys[0], .settings_nbytes = sizeof(struct settings),
             .needs = LLMC_THING_STUDENT, .makes = LLMC_THING_STUDENT, .ends = LLMC_THING_FILE, .changes_tokens = true},
    .product = "model.h5",
    .suffix = ".h5",
    .works_on_model = true,
    .makes_model = true,
    .engine = "libtorch",
    .prepare = prepare,
    .run = run,
    .adopt = llmc_stage_adopt_model,
    .measure = llmc_stage_measure_model,
};
