/* AdamW and masks. Included by variant.c only. */

/* Callers take rows of a matrix in turn and do other things in between, so what comes next is asked for ahead of the
 * processor's own guess: 16 KB, into the second cache, 4 cache lines at a time (3 % of the time of the optimiser). */
enum { AHEAD = 4096, LINES = 64 };

static void adamw(const struct llmc_adamw *s, float *p, float *m, float *v, const float *g, size_t n)
{
    float decay = 1.0f - s->learning_rate * s->weight_decay;
    float step = s->learning_rate / s->correction1;
    float root = 1.0f / sqrtf(s->correction2);
    float beta1 = s->beta1, beta2 = s->beta2, epsilon = s->epsilon, scale = s->gradient_scale;
    for (size_t first = 0; first < n; first += LINES) {
        size_t end = n - first < LINES ? n : first + LINES;
        for (size_t i = first + AHEAD; i < first + AHEAD + LINES; i += 16) {
            __builtin_prefetch(p + i, 1, 2);
            __builtin_prefetch(m + i, 1, 2);
            __builtin_prefetch(v + i, 1, 2);
            __builtin_prefetch(g + i, 0, 2);
        }
#pragma omp simd
        for (size_t i = first; i < end; i++) {
            float d = g[i] * scale;
            m[i] = beta1 * m[i] + (1.0f - beta1) * d;
            v[i] = beta2 * v[i] + (1.0f - beta2) * d * d;
            p[i] = p[i] * decay - step * m[i] / (sqrtf(v[i]) * root + epsilon);
        }
    }
}

static void missed_steps(const struct llmc_missed_steps *s, float *p, float *m, float *v, size_t n)
{
    float way = s->way, epsilon = s->epsilon, decay1 = s->decay1, decay2 = s->decay2;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        p[i] -= way * m[i] / (sqrtf(v[i]) + epsilon);
        m[i] *= decay1;
        v[i] *= decay2;
    }
}

static void apply_mask(float *x, const uint8_t *mask, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        x[i] = mask[i] ? x[i] : 0;
}
