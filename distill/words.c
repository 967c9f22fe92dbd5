#include "distill/words.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows are orthogonal when no cosine is above this; so many rounds over all pairs are never needed. */
#define COSINE_MAX 1e-10
enum { ROUNDS_MAX = 30, WORDS_AT_ONCE = 64 };

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

/* Turns rows p and q of a [n, n] so that they are orthogonal (Hestenes, 1958); returns their cosine before. */
static double orthogonalize(double *p, double *q, int64_t n)
{
    double pp = 0, qq = 0, pq = 0;
#pragma omp simd reduction(+ : pp, qq, pq)
    for (int64_t i = 0; i < n; i++) {
        pp += p[i] * p[i];
        qq += q[i] * q[i];
        pq += p[i] * q[i];
    }
    double cosine = fabs(pq) / sqrt(pp * qq + 1e-300);
    if (cosine <= COSINE_MAX)
        return cosine;
    double zeta = (qq - pp) / (2 * pq), tangent = copysign(1, zeta) / (fabs(zeta) + sqrt(1 + zeta * zeta));
    double c = 1 / sqrt(1 + tangent * tangent), s = c * tangent;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        double turned = c * p[i] - s * q[i];
        q[i] = s * p[i] + c * q[i];
        p[i] = turned;
    }
    return cosine;
}

struct row {
    double length;
    const double *values;
};

static int longest_first(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    return a->length != b->length ? (a->length > b->length ? -1 : 1) : (a->values > b->values) - (a->values < b->values);
}

/* projection [n, rank]: its columns are the leading eigenvectors of the symmetric `gram`, which is overwritten: once its
 * rows are orthogonal, they are eigenvectors times eigenvalues. */
static llmc_status leading_eigenvectors(double *gram, int64_t n, int64_t rank, float *projection)
{
    struct row *rows;
    llmc_status status = llmc_alloc(&rows, (size_t)n, sizeof *rows);
    if (status != LLMC_OK)
        return status;
    double largest = 1;
    for (int round = 0; round < ROUNDS_MAX && largest > COSINE_MAX; round++) {
        largest = 0;
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++)
                largest = fmax(largest, orthogonalize(gram + p * n, gram + q * n, n));
    }
    for (int64_t i = 0; i < n; i++) {
        double squares = 0;
        for (int64_t j = 0; j < n; j++)
            squares += gram[i * n + j] * gram[i * n + j];
        rows[i] = (struct row){sqrt(squares), gram + i * n};
    }
    qsort(rows, (size_t)n, sizeof *rows, longest_first);
    for (int64_t k = 0; k < rank; k++)
        for (int64_t j = 0; j < n; j++)
            projection[j * rank + k] = rows[k].length > 0 ? (float)(rows[k].values[j] / rows[k].length) : 0;
    free(rows);
    return LLMC_OK;
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
    double *gram = NULL;
    architecture.embedding_rank = rank;
    LLMC_TRY(llmc_parameters_init(to, &architecture));
    LLMC_TRY(llmc_alloc(&gram, (size_t)(hidden * hidden), sizeof *gram));
    for (int32_t i = LLMC_WORDS + 1; i < from->count; i++)
        memcpy(llmc_parameter_values(to, i), llmc_parameter_values(from, i),
               (size_t)(from->table[i].rows * from->table[i].cols) * sizeof(float));
    float *projection = llmc_parameter_values(to, llmc_head_parameter(&architecture, LLMC_WORD_PROJECTION));
    const float *words = llmc_parameter_values(from, LLMC_WORDS);
    weighted_gram(words, counts, count, hidden, gram);
    LLMC_TRY(leading_eigenvectors(gram, hidden, rank, projection));
    project(words, count, hidden, projection, rank, llmc_parameter_values(to, LLMC_WORDS));
exit:
    free(gram);
    if (status != LLMC_OK)
        llmc_parameters_release(to);
    return status;
}
