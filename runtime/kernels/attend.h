/*
 * Attention of one head. Included by vectors.h behind linear_f32.h.
 *
 * Sixteen queries stand side by side in the lanes: keys and values are used as they
 * lie, the softmax needs no sums across lanes, and the two products are those of
 * linear_f32.h. Queries are turned on the way in, the context on the way out.
 */

/* out[i][lane] = number i of row `lane` of in, times scale; lanes from `rows` on are zero. */
static void turn_in(float *out, const float *in, size_t stride, int rows, int32_t width, float scale)
{
    int32_t i = 0;
    for (; i + LANES <= width; i += LANES)
        vf_transpose(out + (size_t)i * LANES, LANES, in + i, stride, rows);
    for (; i < width; i++)
        for (int lane = 0; lane < LANES; lane++)
            out[(size_t)i * LANES + (size_t)lane] = lane < rows ? in[(size_t)lane * stride + (size_t)i] : 0.0f;
    for (i = 0; i < width * LANES; i += VL)
        vf_store(out + i, vf_load(out + i) * vf_set(scale));
}

/* Rows of the target from in [width][LANES]. */
static void turn_out(const struct llmc_rt_target *target, int64_t row, const float *in, int rows, int32_t width)
{
    float turned[LANES * LANES] __attribute__((aligned(64)));
    struct rounding rounding = rounding_of(&target->quantiser);
    for (int32_t column = 0; column < width; column += LANES) {
        int columns = smaller(width - column, LANES), r = 0;
        size_t at = (size_t)row * target->stride + (size_t)column;
        vf_transpose(turned, LANES, in + (size_t)column * LANES, LANES, columns);
        for (; !target->f32 && columns == LANES && r + 4 <= rows; r += 4) {
            vf y[4][PARTS];
            for (int i = 0; i < 4 * PARTS; i++)
                y[i / PARTS][i % PARTS] = vf_load(turned + r * LANES + i * VL);
            put_u8x4(target->u8 + at + (size_t)r * target->stride, target->stride, LLMC_STEP_NONE, &rounding, y);
        }
        for (; r < rows; r++) {
            vf y[PARTS];
            for (int part = 0; part < PARTS; part++)
                y[part] = vf_load(turned + r * LANES + part * VL);
            if (target->f32)
                put_f32(target->f32 + at + (size_t)r * target->stride, columns, LLMC_STEP_NONE, y);
            else
                put_u8(target->u8 + at + (size_t)r * target->stride, columns, LLMC_STEP_NONE, &rounding, y);
        }
    }
}

/* scores [length][LANES] become exp(score - highest of the lane); *factor = 1 / their sums. */
static void softmax_lanes(float *scores, int32_t length, vf factor[PARTS])
{
    for (int part = 0; part < PARTS; part++) {
        float *at = scores + part * VL;
        vf highest = vf_load(at), sum = vf_set(0.0f);
        for (int32_t key = 1; key < length; key++)
            highest = vf_max(highest, vf_load(at + (size_t)key * LANES));
        for (int32_t key = 0; key < length; key++) {
            vf value = vf_exp(vf_load(at + (size_t)key * LANES) - highest);
            vf_store(at + (size_t)key * LANES, value);
            sum += value;
        }
        factor[part] = vf_set(1.0f) / sum;
    }
}

static void attend(const struct llmc_rt_head *head, const struct llmc_rt_target *context)
{
    size_t length = (size_t)head->length, width = (size_t)head->width;
    float *queries = head->scratch;
    float *scores = queries + F32_PANELS * width * LANES;
    float *out = scores + F32_PANELS * length * LANES;
    float scale = 1.0f / sqrtf((float)head->width);
    for (int32_t row = 0; row < head->queries; row += F32_PANELS * LANES) {
        int left = smaller(head->queries - row, F32_PANELS * LANES), panels = (left + LANES - 1) / LANES;
        for (int p = 0; p < panels; p++)
            turn_in(queries + (size_t)p * width * LANES, head->query + (size_t)(row + p * LANES) * head->stride,
                    head->stride, smaller(left - p * LANES, LANES), head->width, scale);
        product_f32(head->length, panels, head->key, (struct strides){head->stride, 1}, queries, width * LANES,
                    head->width, scores, length * LANES);
        vf factor[F32_PANELS][PARTS];
        for (int p = 0; p < panels; p++)
            softmax_lanes(scores + (size_t)p * length * LANES, head->length, factor[p]);
        product_f32(head->width, panels, head->value, (struct strides){1, head->stride}, scores, length * LANES,
                    head->length, out, width * LANES);
        for (int p = 0; p < panels; p++) {
            float *lanes = out + (size_t)p * width * LANES;
            for (size_t i = 0; i < width * LANES; i += VL)
                vf_store(lanes + i, vf_load(lanes + i) * factor[p][i / VL % PARTS]);
            turn_out(context, row + p * LANES, lanes, smaller(left - p * LANES, LANES), head->width);
        }
    }
}
