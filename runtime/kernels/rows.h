/* What is done row by row. Included by vectors.h. */

/* The sum of 16 lanes and of the `tail` numbers that did not fill them, in one fixed order. */
INLINE float total(vf sum[PARTS], const float *tail, int tail_count)
{
    if (tail_count) {
        float last[LANES] = {0};
        memcpy(last, tail, (size_t)tail_count * sizeof(float));
        for (int part = 0; part < PARTS; part++)
            sum[part] += vf_load(last + part * VL);
    }
    return vf_total(sum);
}

static void layer_norm(float *x, const float *residual, int32_t n, const float *weight, const float *bias,
                       float epsilon)
{
    vf sum[PARTS];
    float squares[LANES];
    int32_t whole = n / LANES * LANES;
    int tail = n - whole;
    for (int part = 0; part < PARTS; part++)
        sum[part] = vf_set(0.0f);
    for (int32_t i = 0; i < whole; i += LANES) {
        for (int part = 0; part < PARTS; part++) {
            float *at = x + i + part * VL;
            vf value = vf_load(at);
            if (residual) {
                value += vf_load(residual + i + part * VL);
                vf_store(at, value);
            }
            sum[part] += value;
        }
    }
    for (int32_t i = whole; residual && i < n; i++)
        x[i] += residual[i];
    float mean = total(sum, x + whole, tail) / (float)n;

    for (int part = 0; part < PARTS; part++)
        sum[part] = vf_set(0.0f);
    for (int32_t i = 0; i < whole; i += LANES) {
        for (int part = 0; part < PARTS; part++) {
            vf centred = vf_load(x + i + part * VL) - vf_set(mean);
            sum[part] = vf_fma(centred, centred, sum[part]);
        }
    }
    for (int i = 0; i < tail; i++)
        squares[i] = (x[whole + i] - mean) * (x[whole + i] - mean);
    float factor = 1.0f / sqrtf(total(sum, squares, tail) / (float)n + epsilon);

    int32_t i = 0;
    for (; i < whole; i += VL)
        vf_store(x + i, vf_fma((vf_load(x + i) - vf_set(mean)) * vf_set(factor), vf_load(weight + i),
                               vf_load(bias + i)));
    for (; i < n; i++)
        x[i] = (x[i] - mean) * factor * weight[i] + bias[i];
}

static void softmax(float *x, int32_t n)
{
    float highest = x[0], sum = 0.0f;
    for (int32_t i = 1; i < n; i++)
        highest = x[i] > highest ? x[i] : highest;
    for (int32_t i = 0; i < n; i += VL) {
        float lanes[VL] = {0};
        size_t nbytes = (size_t)smaller(n - i, VL) * sizeof(float);
        memcpy(lanes, x + i, nbytes);
        vf_store(lanes, vf_exp(vf_load(lanes) - vf_set(highest)));
        memcpy(x + i, lanes, nbytes);
    }
    for (int32_t i = 0; i < n; i++)
        sum += x[i];
    for (int32_t i = 0; i < n; i++)
        x[i] /= sum;
}

static void quantise(uint8_t *q, const float *x, int32_t n, const struct llmc_rt_quantiser *quantiser)
{
    struct rounding rounding = rounding_of(quantiser);
    int32_t i = 0;
    for (; i + VL <= n; i += VL)
        vi_store_u8(q + i, rounded(vf_load(x + i), &rounding), rounding.zero);
    if (i < n) {
        float last[VL] = {0};
        uint8_t last_q[VL];
        memcpy(last, x + i, (size_t)(n - i) * sizeof(float));
        vi_store_u8(last_q, rounded(vf_load(last), &rounding), rounding.zero);
        memcpy(q + i, last_q, (size_t)(n - i));
    }
}

static void add_i8(float *out, const int8_t *x, int32_t n, float scale)
{
    int32_t i = 0;
    for (; i + LANES <= n; i += VL)
        vf_store(out + i, vf_load(out + i) + vf_from_i8(x + i) * vf_set(scale));
    for (; i < n; i++)
        out[i] += (float)x[i] * scale;
}

static void add_f16(float *out, const uint16_t *x, int32_t n)
{
    int32_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store(out + i, vf_load(out + i) + vf_from_f16(x + i));
    for (; i < n; i++)
        out[i] += llmc_f32_from_f16(x[i]);
}

static void add_f32(float *out, const float *x, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        out[i] += x[i];
}
