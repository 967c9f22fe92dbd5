/*
 * Attention of one head over one sequence. Included by variant.c only.
 *
 * Scores of a query against all keys are computed BLOCK keys at a time from the
 * transposed keys, so that the compiler keeps a block in registers.
 */
#define BLOCK 16

/* t [size, padded] = the transpose of x [length, size], zeros behind `length`. */
static void transpose(const float *x, int32_t length, int32_t size, size_t padded, float *t)
{
    for (int32_t d = 0; d < size; d++) {
        for (int32_t j = 0; j < length; j++)
            t[(size_t)d * padded + (size_t)j] = x[(size_t)j * (size_t)size + (size_t)d];
        for (size_t j = (size_t)length; j < padded; j++)
            t[(size_t)d * padded + j] = 0;
    }
}

/* out [padded] = row [size] . t [size, padded] * scale */
static void row_times(const float *row, const float *t, int32_t size, size_t padded, float scale, float *out)
{
    for (size_t first = 0; first < padded; first += BLOCK) {
        float sums[BLOCK] = {0};
        const float *column = t + first;
        for (int32_t d = 0; d < size; d++, column += padded) {
            float factor = row[d];
#pragma omp simd
            for (int j = 0; j < BLOCK; j++)
                sums[j] += factor * column[j];
        }
#pragma omp simd
        for (int j = 0; j < BLOCK; j++)
            out[first + (size_t)j] = sums[j] * scale;
    }
}

/* y += factor * x */
static inline void axpy(float factor, const float *x, float *y, int32_t n)
{
#pragma omp simd
    for (int32_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

static size_t pad(int32_t length)
{
    return ((size_t)length + BLOCK - 1) / BLOCK * BLOCK;
}

static void attention(const struct llmc_attention_head *head, float *out, float *lse)
{
    int32_t length = head->length, size = head->size;
    size_t padded = pad(length);
    float *keys = head->work;
    float *p = keys + (size_t)size * padded;
    transpose(head->k, length, size, padded, keys);
    for (int32_t i = 0; i < length; i++) {
        row_times(head->q + (size_t)i * (size_t)size, keys, size, padded, head->scale, p);
        float max = p[0], sum = 0;
#pragma omp simd reduction(max : max)
        for (int32_t j = 0; j < length; j++)
            max = p[j] > max ? p[j] : max;
#pragma omp simd reduction(+ : sum)
        for (int32_t j = 0; j < length; j++) {
            p[j] = exp_fast(p[j] - max);
            sum += p[j];
        }
        lse[i] = max + logf(sum);
        float inverse = 1.0f / sum;
#pragma omp simd
        for (int32_t j = 0; j < length; j++)
            p[j] *= inverse;
        if (head->dropout_threshold)
            dropout(p, head->dropout_key, (uint32_t)i * (uint32_t)length, head->dropout_threshold,
                    head->dropout_scale, (size_t)length);
        float *row = out + (size_t)i * (size_t)size;
        memset(row, 0, (size_t)size * sizeof *row);
        for (int32_t j = 0; j < length; j++)
            axpy(p[j], head->v + (size_t)j * (size_t)size, row, size);
    }
}

static void attention_backward(const struct llmc_attention_head *head, const float *out, const float *lse,
                               const float *dout, float *dq, float *dk, float *dv)
{
    int32_t length = head->length, size = head->size;
    size_t padded = pad(length), count = (size_t)length * (size_t)size;
    float *keys = head->work, *values = keys + (size_t)size * padded;
    float *p = values + (size_t)size * padded, *dp = p + padded, *mask = dp + padded;
    transpose(head->k, length, size, padded, keys);
    transpose(head->v, length, size, padded, values);
    memset(dq, 0, count * sizeof *dq);
    memset(dk, 0, count * sizeof *dk);
    memset(dv, 0, count * sizeof *dv);
    for (int32_t i = 0; i < length; i++) {
        const float *q = head->q + (size_t)i * (size_t)size, *d = dout + (size_t)i * (size_t)size;
        const float *o = out + (size_t)i * (size_t)size;
        row_times(q, keys, size, padded, head->scale, p);
        row_times(d, values, size, padded, 1.0f, dp);
        float inner = 0; /* sum over j of p dp, which equals out . dout, with dropout too */
#pragma omp simd reduction(+ : inner)
        for (int32_t c = 0; c < size; c++)
            inner += d[c] * o[c];
#pragma omp simd
        for (int32_t j = 0; j < length; j++) {
            p[j] = exp_fast(p[j] - lse[i]);
            mask[j] = 1.0f;
        }
        if (head->dropout_threshold)
            dropout(mask, head->dropout_key, (uint32_t)i * (uint32_t)length, head->dropout_threshold,
                    head->dropout_scale, (size_t)length);
#pragma omp simd
        for (int32_t j = 0; j < length; j++) {
            dp[j] = p[j] * (mask[j] * dp[j] - inner) * head->scale; /* now the gradient of the score */
            p[j] *= mask[j];
        }
        for (int32_t j = 0; j < length; j++) {
            size_t row = (size_t)j * (size_t)size;
            axpy(dp[j], head->k + row, dq + (size_t)i * (size_t)size, size);
            axpy(dp[j], q, dk + row, size);
            axpy(p[j], d, dv + row, size);
        }
    }
}
