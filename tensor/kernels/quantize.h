/* Ranges and fake quantisation. Included by variant.c only. */

static float absmax(const float *x, size_t n)
{
    float max = 0;
#pragma omp simd reduction(max : max)
    for (size_t i = 0; i < n; i++) {
        float a = fabsf(x[i]);
        max = a > max ? a : max;
    }
    return max;
}

static void min_max(const float *x, float *min, float *max, size_t n)
{
    float low = *min, high = *max;
#pragma omp simd reduction(min : low) reduction(max : high)
    for (size_t i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    *min = low;
    *max = high;
}

static inline float clamp(float x, float low, float high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* Clamping before rounding keeps round_even inside its domain and gives the same integer. */
static void fake_weight(const float *x, float scale, float limit, float *y, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = scale * round_even(clamp(x[i] / scale, -limit, limit));
}

static double fake_weight_backward(const float *x, float scale, float limit, float *dy, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        float u = x[i] / scale;
        float clamped = clamp(u, -limit, limit);
        float inside = clamped == u ? 1.0f : 0.0f;
        sum += (double)(dy[i] * (round_even(clamped) - inside * clamped));
        dy[i] *= inside;
    }
    return sum;
}

static inline float quantize_input(const struct llmc_quantizer *s, float x)
{
    return round_even(clamp(x * s->inverse, -s->zero_point, 255.0f - s->zero_point));
}

static void fake_input(const struct llmc_quantizer *quantizer, const float *x, float *y, size_t n)
{
    struct llmc_quantizer s = *quantizer;
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = quantize_input(&s, x[i]) * s.scale;
}

static double fake_input_backward(const struct llmc_quantizer *quantizer, const float *x, const float *dy, float *dx,
                                  size_t n)
{
    struct llmc_quantizer s = *quantizer;
    float low = -s.zero_point, high = 255.0f - s.zero_point;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        float u = x[i] * s.inverse;
        float q = round_even(clamp(u, low - 1.0f, high + 1.0f));
        float inside = q >= low && q <= high ? 1.0f : 0.0f;
        float dscale = clamp(q, low, high) - inside * u;
        sum += (double)(dy[i] * dscale);
        dx[i] = dy[i] * inside;
    }
    return sum;
}
