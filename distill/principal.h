/*
 * Principal directions: the eigenvectors of a covariance with the largest eigenvalues, by orthogonal iteration (Golub and
 * Van Loan, "Matrix Computations", 8.2). Directions whose eigenvalues are nearly equal may come out mixed: as many numbers
 * are kept, and as much of the variance.
 */
#ifndef LLMC_DISTILL_PRINCIPAL_H
#define LLMC_DISTILL_PRINCIPAL_H

#include "base/status.h"

#include <stdint.h>

/* covariance [n, n] symmetric, no eigenvalue below 0 -> directions [count, n], orthonormal rows, count at most n; `key` of
 * the numbers that the iteration begins with. Same bits for any number of threads. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_principal_directions(const double *covariance, int32_t n, int32_t count, uint64_t key,
                                      double *directions);

#endif
