/*
 * The words that are nearest to a word in an embedding table, by the cosine of their rows: the words that may stand in its
 * place.
 */
#ifndef LLMC_DISTILL_NEIGHBOURS_H
#define LLMC_DISTILL_NEIGHBOURS_H

#include "tensor/gemm.h"

struct llmc_neighbour_search {
    const float *table;        /* [*, hidden] */
    int32_t hidden;
    const int32_t *words;      /* [count] whose neighbours are wanted */
    int32_t count;
    const int32_t *candidates; /* [candidate_count] that may be neighbours, ascending; a word is none of its own */
    int32_t candidate_count;
    int32_t wanted;            /* neighbours of a word */
};

/* out [count, wanted] = rows of the table, the nearest first, of equals the smaller number; -1 where the candidates do not
 * suffice. Errors: LLMC_ERR_MEMORY, LLMC_ERR_TORCH. */
llmc_status llmc_neighbours_find(const struct llmc_neighbour_search *search, struct llmc_gemm *gemm, int32_t *out);

#endif
