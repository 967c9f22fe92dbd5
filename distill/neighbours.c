#include "distill/neighbours.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

/* Words whose cosines with all candidates are in memory at once. */
enum { BLOCK_WORDS = 256, WANTED_MAX = 64 };

/* Rows of the table at length 1; one of zeros stays. */
static void copy_rows(const struct llmc_neighbour_search *s, const int32_t *rows, int64_t count, float *out)
{
#pragma omp parallel for
    for (int64_t i = 0; i < count; i++) {
        const float *row = s->table + (int64_t)rows[i] * s->hidden;
        double squares = 0;
        for (int32_t j = 0; j < s->hidden; j++)
            squares += (double)row[j] * (double)row[j];
        float factor = squares > 0 ? (float)(1 / sqrt(squares)) : 0;
        for (int32_t j = 0; j < s->hidden; j++)
            out[i * s->hidden + j] = row[j] * factor;
    }
}

/* The candidates with the highest cosines, by insertion: few come beyond the first comparison. */
static void choose(const struct llmc_neighbour_search *s, int32_t word, const float *cosines, int32_t *out)
{
    float best[WANTED_MAX];
    int32_t found = 0;
    for (int32_t i = 0; i < s->candidate_count; i++) {
        if (s->candidates[i] == word || (found == s->wanted && !(cosines[i] > best[found - 1])))
            continue;
        int32_t at = found < s->wanted ? found++ : found - 1;
        for (; at > 0 && cosines[i] > best[at - 1]; at--) {
            best[at] = best[at - 1];
            out[at] = out[at - 1];
        }
        best[at] = cosines[i];
        out[at] = s->candidates[i];
    }
    for (; found < s->wanted; found++)
        out[found] = -1;
}

llmc_status llmc_neighbours_find(const struct llmc_neighbour_search *s, struct llmc_gemm *gemm, int32_t *out)
{
    llmc_status status = LLMC_OK;
    float *candidates = NULL, *words = NULL, *cosines = NULL;
    if (s->wanted < 1 || s->wanted > WANTED_MAX)
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "%d neighbours; allowed are 1 to %d", s->wanted, WANTED_MAX);
    LLMC_TRY(llmc_alloc(&candidates, (size_t)s->candidate_count * (size_t)s->hidden, sizeof *candidates));
    LLMC_TRY(llmc_alloc(&words, BLOCK_WORDS * (size_t)s->hidden, sizeof *words));
    LLMC_TRY(llmc_alloc(&cosines, BLOCK_WORDS * (size_t)s->candidate_count, sizeof *cosines));
    copy_rows(s, s->candidates, s->candidate_count, candidates);
    for (int32_t first = 0; first < s->count; first += BLOCK_WORDS) {
        int32_t count = s->count - first < BLOCK_WORDS ? s->count - first : BLOCK_WORDS;
        copy_rows(s, s->words + first, count, words);
        const struct llmc_operand a = llmc_operand(words, LLMC_OPERAND_F32, LLMC_F32, count, s->hidden);
        const struct llmc_operand b = llmc_operand(candidates, LLMC_OPERAND_F32, LLMC_F32, s->candidate_count,
                                                   s->hidden);
        if (s->candidate_count > 0)
            LLMC_TRY(llmc_gemm_store(gemm, LLMC_GEMM_NT, &a, &b, cosines));
#pragma omp parallel for
        for (int32_t i = 0; i < count; i++)
            choose(s, s->words[first + i], cosines + (int64_t)i * s->candidate_count,
                   out + (int64_t)(first + i) * s->wanted);
    }
exit:
    free(candidates);
    free(words);
    free(cosines);
    return status;
}
