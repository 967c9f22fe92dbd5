/* Layer norm. Included by variant.c only. */

static float norm(float *x, const float *weight, const float *bias, float epsilon, float *y, size_t n)
{
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    float mean = sum / (float)n;
#pragma omp simd reduction(+ : squares)
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    float rstd = 1.0f / sqrtf(squares / (float)n + epsilon);
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        x[i] = (x[i] - mean) * rstd;
        y[i] = x[i] * weight[i] + bias[i];
    }
    return rstd;
}

static void norm_backward(const float *x, float rstd, const float *weight, const float *dy, float *dx,
                          float *dweight, float *dbias, size_t n)
{
    float sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
    for (size_t i = 0; i < n; i++) {
        float d = dy[i] * weight[i];
        sum += d;
        product += d * x[i];
    }
    sum /= (float)n;
    product /= (float)n;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float d = dy[i];
        dweight[i] += d * x[i];
        dbias[i] += d;
        dx[i] = rstd * (d * weight[i] - sum - x[i] * product);
    }
}
