#include "distill/principal.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is left of a direction beyond the wanted ones falls by the ratio of their eigenvalues each time. */
enum { ITERATIONS = 24 };

static double dot(const double *x, const double *y, int32_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int32_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* y += factor * x */
static void add(double factor, const double *x, int32_t n, double *y)
{
    for (int32_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

/* Makes row `row` orthogonal to those before it, and 1 long. A row that depends on them becomes a unit vector first. */
static void orthonormalise(double *rows, int32_t n, int32_t row)
{
    double *x = rows + (int64_t)row * n;
    for (int32_t next = 0; next <= n; next++) {
        double before = sqrt(dot(x, x, n));
        for (int twice = 0; twice < 2; twice++) /* the second time takes what rounding left */
            for (int32_t i = 0; i < row; i++)
                add(-dot(x, rows + (int64_t)i * n, n), rows + (int64_t)i * n, n, x);
        double length = sqrt(dot(x, x, n));
        if (length > 1e-10 * before) {
            for (int32_t i = 0; i < n; i++)
                x[i] /= length;
            return;
        }
        memset(x, 0, (size_t)n * sizeof *x);
        x[next % n] = 1;
    }
}

llmc_status llmc_principal_directions(const double *covariance, int32_t n, int32_t count, uint64_t key,
                                      double *directions)
{
    llmc_status status = LLMC_OK;
    double *products = NULL;
    size_t nbytes = (size_t)count * (size_t)n * sizeof *products;
    LLMC_TRY(llmc_alloc(&products, (size_t)count * (size_t)n, sizeof *products));
    for (int64_t i = 0; i < (int64_t)count * n; i++)
        directions[i] = llmc_random_uniform(key, (uint64_t)i) - 0.5;
    for (int iteration = 0; iteration <= ITERATIONS; iteration++) {
        for (int32_t row = 0; row < count; row++)
            orthonormalise(directions, n, row);
        if (iteration == ITERATIONS)
            break;
        memset(products, 0, nbytes);
#pragma omp parallel for schedule(static)
        for (int32_t row = 0; row < count; row++)
            for (int32_t i = 0; i < n; i++)
                add(directions[(int64_t)row * n + i], covariance + (int64_t)i * n, n, products + (int64_t)row * n);
        memcpy(directions, products, nbytes);
    }
exit:
    free(products);
    return status;
}
