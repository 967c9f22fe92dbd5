/* Conversions, sums, activation functions and dropout. Included by variant.c only. */

static void widen(const void *in, enum llmc_number number, float *out, size_t n)
{
    size_t i = 0;
    if (number == LLMC_F32) {
        if (in != out)
            memcpy(out, in, n * sizeof *out);
        return;
    }
    const uint16_t *half = in;
    if (number == LLMC_BF16) {
#pragma omp simd
        for (i = 0; i < n; i++)
            out[i] = float_of_bits((uint32_t)half[i] << 16);
        return;
    }
#ifdef __AVX512F__
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(half + i))));
#endif
#ifdef __F16C__
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(half + i))));
#endif
    for (; i < n; i++)
        out[i] = llmc_f32_from_f16(half[i]);
}

static void narrow(const float *in, enum llmc_number number, void *out, size_t n)
{
    size_t i = 0;
    if (number == LLMC_F32) {
        if (in != out)
            memcpy(out, in, n * sizeof *in);
        return;
    }
    uint16_t *half = out;
    if (number == LLMC_BF16) {
#ifdef __AVX512F__
        const __m512i one = _mm512_set1_epi32(1), half_unit = _mm512_set1_epi32(0x7fff), quiet = _mm512_set1_epi32(0x40);
        for (; i + 16 <= n; i += 16) {
            __m512 value = _mm512_loadu_ps(in + i);
            __m512i bits = _mm512_castps_si512(value), upper = _mm512_srli_epi32(bits, 16);
            __m512i up = _mm512_add_epi32(_mm512_and_si512(upper, one), half_unit);
            __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, up), 16);
            __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
            rounded = _mm512_mask_or_epi32(rounded, nan, upper, quiet);
            _mm256_storeu_si256((__m256i *)(half + i), _mm512_cvtepi32_epi16(rounded));
        }
#endif
#pragma omp simd
        for (size_t j = i; j < n; j++) {
            uint32_t bits;
            memcpy(&bits, in + j, sizeof bits);
            uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
            half[j] = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16 | 0x40) : rounded);
        }
        return;
    }
#ifdef __AVX512F__
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(half + i), _mm512_cvtps_ph(_mm512_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
#endif
#ifdef __F16C__
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(half + i), _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
#endif
    for (; i < n; i++)
        half[i] = llmc_f16_from_f32(in[i]);
}

static void add(float *x, const float *y, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static void sum(const void *x, enum llmc_number x_number, const void *y, enum llmc_number y_number, float *out,
                size_t n)
{
    const float *left = x;
    size_t i = 0;
    if (x_number != LLMC_F32) {
        widen(x, x_number, out, n);
        left = out;
    }
    const uint16_t *half = y;
    switch (y_number) {
    case LLMC_BF16:
#pragma omp simd
        for (i = 0; i < n; i++)
            out[i] = left[i] + float_of_bits((uint32_t)half[i] << 16);
        break;
    case LLMC_F16:
#if defined(__AVX512F__)
        for (; i + 16 <= n; i += 16)
            _mm512_storeu_ps(out + i, _mm512_add_ps(_mm512_loadu_ps(left + i),
                                                    _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(half + i)))));
#elif defined(__F16C__)
        for (; i + 8 <= n; i += 8)
            _mm256_storeu_ps(out + i, _mm256_add_ps(_mm256_loadu_ps(left + i),
                                                    _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(half + i)))));
#endif
        for (; i < n; i++)
            out[i] = left[i] + llmc_f32_from_f16(half[i]);
        break;
    default: {
        const float *right = y;
#pragma omp simd
        for (i = 0; i < n; i++)
            out[i] = left[i] + right[i];
    }
    }
}

static double sum_squares(const float *x, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static void activation(enum llmc_activation kind, float *x, size_t n)
{
    switch (kind) {
    case LLMC_GELU:
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            x[i] = vf_gelu(x[i]);
        break;
    case LLMC_GELU_TANH:
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            x[i] = vf_gelu_tanh(x[i]);
        break;
    case LLMC_RELU:
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            x[i] = x[i] > 0 ? x[i] : 0;
        break;
    }
}

static void activation_backward(enum llmc_activation kind, const float *x, const float *dy, float *dx, size_t n)
{
    switch (kind) {
    case LLMC_GELU:
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            dx[i] = dy[i] * gelu_slope(x[i]);
        break;
    case LLMC_GELU_TANH:
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            dx[i] = dy[i] * gelu_tanh_slope(x[i]);
        break;
    case LLMC_RELU:
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            dx[i] = x[i] > 0 ? dy[i] : 0;
        break;
    }
}

static void dropout(float *x, uint32_t key, uint32_t first, uint32_t threshold, float scale, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        x[i] = llmc_random_u32(key, first + (uint32_t)i) < threshold ? 0 : x[i] * scale;
}
