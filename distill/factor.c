#include "distill/factor.h"

#include "base/memory.h"
#include "base/random.h"
#include "distill/principal.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS_AT_ONCE = 64 };

void llmc_student_count_words(const struct llmc_dataset *texts, int32_t vocabulary, int64_t *counts)
{
    for (int32_t i = 0; i < vocabulary; i++)
        counts[i] = 1;
    for (int64_t i = 0; i < texts->offsets[texts->count]; i++)
        counts[texts->ids[i]]++;
}

/* gram [n, n] = words^T . diag(counts) . words, for words [count, n]. Blocks of words stay in the cache. */
static void weighted_gram(const float *words, const int64_t *counts, int64_t count, int64_t n, double *gram)
{
    memset(gram, 0, (size_t)(n * n) * sizeof *gram);
    for (int64_t first = 0; first < count; first += WORDS_AT_ONCE) {
        int64_t end = first + WORDS_AT_ONCE < count ? first + WORDS_AT_ONCE : count;
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < n; i++)
            for (int64_t word = first; word < end; word++) {
                const float *row = words + word * n;
                double weight = (double)counts[word] * (double)row[i];
#pragma omp simd
                for (int64_t j = 0; j < n; j++)
                    gram[i * n + j] += weight * (double)row[j];
            }
    }
}

/* out [count, rank] = words [count, n] . projection [n, rank] */
static void project(const float *words, int64_t count, int64_t n, const float *projection, int64_t rank, float *out)
{
#pragma omp parallel for schedule(static)
    for (int64_t word = 0; word < count; word++)
        for (int64_t j = 0; j < n; j++) {
            float value = words[word * n + j];
#pragma omp simd
            for (int64_t k = 0; k < rank; k++)
                out[word * rank + k] += value * projection[j * rank + k];
        }
}

llmc_status llmc_student_factor_words(struct llmc_parameters *to, const struct llmc_parameters *from, int32_t rank,
                                      const int64_t *counts)
{
    llmc_status status = LLMC_OK;
    struct llmc_architecture architecture = from->architecture;
    int64_t hidden = architecture.hidden, count = architecture.vocabulary;
    double *gram = NULL, *directions = NULL;
    architecture.embedding_rank = rank;
    LLMC_TRY(llmc_parameters_init(to, &architecture));
    LLMC_TRY(llmc_alloc(&gram, (size_t)(hidden * hidden), sizeof *gram));
    for (int32_t i = LLMC_WORDS + 1; i < from->count; i++)
        memcpy(llmc_parameter_values(to, i), llmc_parameter_values(from, i),
               (size_t)(from->table[i].rows * from->table[i].cols) * sizeof(float));
    float *projection = llmc_parameter_values(to, llmc_head_parameter(&architecture, LLMC_WORD_PROJECTION));
    const float *words = llmc_parameter_values(from, LLMC_WORDS);
    weighted_gram(words, counts, count, hidden, gram);
    LLMC_TRY(llmc_alloc(&directions, (size_t)(rank * hidden), sizeof *directions));
    LLMC_TRY(llmc_principal_directions(gram, architecture.hidden, rank, llmc_random_key(0, LLMC_STREAM_PROJECTION, 1),
                                       directions));
    for (int64_t k = 0; k < rank; k++)
        for (int64_t j = 0; j < hidden; j++)
            projection[j * rank + k] = (float)directions[k * hidden + j];
    project(words, count, hidden, projection, rank, llmc_parameter_values(to, LLMC_WORDS));
exit:
    free(gram);
    free(directions);
    if (status != LLMC_OK)
        llmc_parameters_release(to);
    return status;
}
