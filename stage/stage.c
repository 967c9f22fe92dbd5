#include "stage/stage.h"

#include "base/memory.h"
#include "stage/state_file.h"
#include "text/join.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void llmc_chain_set_logits(struct llmc_chain *chain, const struct llmc_teacher_logits *logits)
{
    if (chain->teacher_logits.close)
        chain->teacher_logits.close(chain->teacher_logits.context);
    chain->teacher_logits = *logits;
}

llmc_status llmc_chain_begin_texts(struct llmc_chain *chain, const struct llmc_data *data)
{
    chain->texts = llmc_dataset_source(&data->train);
    if (!data->unlabeled)
        return LLMC_OK;
    memcpy(chain->more_texts, data->unlabeled_hash, sizeof chain->more_texts);
    return llmc_text_source_join(&chain->texts, chain->texts, llmc_spool_source(data->unlabeled));
}

void llmc_chain_release(struct llmc_chain *chain)
{
    llmc_state_release(&chain->state);
    free(chain->state_path);
    free(chain->teacher_path);
    for (int32_t i = 0; i < chain->teacher_count; i++)
        free(chain->teacher_paths[i]);
    free(chain->teacher_paths);
    free(chain->teacher_answers);
    free(chain->teacher_probabilities);
    llmc_chain_set_logits(chain, &(struct llmc_teacher_logits){0});
    llmc_text_source_close(&chain->texts);
    free(chain->file_path);
    memset(chain, 0, sizeof *chain);
}

void llmc_stage_figures_release(struct llmc_stage_figures *figures)
{
    free(figures->answers);
    free(figures->probabilities);
    memset(figures, 0, sizeof *figures);
}

void llmc_stage_log(FILE *log, const struct llmc_run_host *host, const char *text)
{
    char when[32];
    time_t now = time(NULL);
    struct tm local;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &local));
    if (log) {
        fprintf(log, "%s %s\n", when, text);
        fflush(log);
    }
    if (host->message)
        host->message(host->context, text);
}

void llmc_stage_message(const struct llmc_stage_work *work, const char *format, ...)
{
    char text[1024];
    int length = snprintf(text, sizeof text, "%s: ", work->stage->name);
    va_list args;
    va_start(args, format);
    vsnprintf(text + length, sizeof text - (size_t)length, format, args);
    va_end(args);
    llmc_stage_log(work->log, work->host, text);
}

llmc_status llmc_stage_path(const struct llmc_stage_work *work, const char *name, char **out)
{
    return llmc_format(out, "%s/%s", work->folder, name);
}

enum llmc_number llmc_stage_number(const struct llmc_stage_work *work)
{
    static const enum llmc_number numbers[] = {
        [LLMC_PRECISION_FP32] = LLMC_F32, [LLMC_PRECISION_FP16] = LLMC_F16, [LLMC_PRECISION_BF16] = LLMC_BF16};
    return numbers[work->config->precision];
}

llmc_status llmc_stage_load_teacher(const struct llmc_stage_work *work, enum llmc_number number,
                                    struct llmc_state *teacher)
{
    if (!work->chain->teacher_path)
        return llmc_error(LLMC_ERR_CONFIG, "%s: %s comes before the teacher stage; its place is behind it",
                          work->config->path, work->stage->name);
    return llmc_state_load(work->chain->teacher_path, number, teacher);
}

llmc_status llmc_stage_load_teacher_of(const struct llmc_stage_work *work, int32_t index, enum llmc_number number,
                                       struct llmc_state *teacher)
{
    if (work->chain->teacher_count == 0)
        return llmc_stage_load_teacher(work, number, teacher);
    return llmc_state_load(work->chain->teacher_paths[index], number, teacher);
}

llmc_status llmc_stage_load_model(const struct llmc_stage_work *work)
{
    if (!llmc_state_is_empty(&work->chain->state))
        return LLMC_OK;
    return llmc_state_load(work->chain->state_path, llmc_stage_number(work), &work->chain->state);
}

static bool same_pieces(const struct llmc_tokenizer *a, const struct llmc_tokenizer *b)
{
    size_t a_nbytes, b_nbytes;
    const char *a_pieces = llmc_tokenizer_vocabulary(a, &a_nbytes), *b_pieces = llmc_tokenizer_vocabulary(b, &b_nbytes);
    return a_nbytes == b_nbytes && memcmp(a_pieces, b_pieces, a_nbytes) == 0;
}

llmc_status llmc_stage_texts(const struct llmc_stage_work *work, const struct llmc_text_source *texts,
                             struct llmc_text_source *joined, const struct llmc_text_source **out)
{
    llmc_status status = LLMC_OK;
    const struct llmc_state *state = &work->chain->state;
    *out = texts ? texts : &work->chain->texts;
    if (same_pieces(state->tokenizer, work->data->tokenizer))
        return LLMC_OK;
    LLMC_TRY(llmc_joined_source(joined, *out, work->data->tokenizer, state->tokenizer, state->tokens_max));
    *out = joined;
exit:
    return status;
}

llmc_status llmc_stage_replace_text(char **place, const char *text)
{
    char *copy = NULL;
    llmc_status status = llmc_strdup(&copy, text);
    if (status == LLMC_OK) {
        free(*place);
        *place = copy;
    }
    return status;
}
