/*
 * The sums of integer products become rows of a target. Included behind put.h and
 * the definition of
 *
 *     struct meanwhile                        other work that is to be done at the same time
 *     void meanwhile_some(struct meanwhile *) some of it: called for every four rows of a panel
 */

/* One panel's constants. */
struct channel {
    vf scale[PARTS], bias[PARTS];
};

INLINE void scaled(vf y[PARTS], const int32_t *sums, const struct channel *channel)
{
    for (int part = 0; part < PARTS; part++)
        y[part] = vf_fma(vf_from_vi(vi_load(sums + part * VL)), channel->scale[part], channel->bias[part]);
}

/* Pointers are read once, outside of the loops: the compiler must take stores of bytes to change anything. */
INLINE void put_sums_f32(const struct llmc_rt_sums *sums, int p, const struct channel *channel, int32_t column,
                         int width, const struct llmc_rt_target *target, enum llmc_rt_step step,
                         struct meanwhile *meanwhile)
{
    const int32_t *from = sums->sums + p * LLMC_PANEL;
    size_t sums_stride = (size_t)sums->panels * LLMC_PANEL, stride = target->stride;
    float *out = target->f32 + (size_t)sums->row * stride + (size_t)column;
    for (int rows = sums->rows; rows > 0; rows -= 4) {
        for (int r = 0; r < rows && r < 4; r++, from += sums_stride, out += stride) {
            vf y[PARTS];
            scaled(y, from, channel);
            put_f32(out, width, step, y);
        }
        meanwhile_some(meanwhile);
    }
}

INLINE void put_sums_u8(const struct llmc_rt_sums *sums, int p, const struct channel *channel, int32_t column,
                        int width, const struct llmc_rt_target *target, enum llmc_rt_step step,
                        struct meanwhile *meanwhile)
{
    const int32_t *from = sums->sums + p * LLMC_PANEL;
    size_t sums_stride = (size_t)sums->panels * LLMC_PANEL, stride = target->stride;
    uint8_t *out = target->u8 + (size_t)sums->row * stride + (size_t)column;
    struct rounding rounding = rounding_of(&target->quantiser);
    int rows = sums->rows;
    for (; rows >= 4 && width == LANES; rows -= 4, from += 4 * sums_stride, out += 4 * stride) {
        vf y[4][PARTS];
        for (int r = 0; r < 4; r++)
            scaled(y[r], from + (size_t)r * sums_stride, channel);
        put_u8x4(out, stride, step, &rounding, y);
        meanwhile_some(meanwhile);
    }
    for (; rows > 0; rows--, from += sums_stride, out += stride) {
        vf y[PARTS];
        scaled(y, from, channel);
        put_u8(out, width, step, &rounding, y);
    }
}

INLINE void put_sums_meanwhile(const struct llmc_rt_weights_i8 *weights, const struct llmc_rt_sums *sums,
                               const struct llmc_rt_target *target, struct meanwhile *meanwhile)
{
    for (int p = 0; p < sums->panels; p++) {
        int32_t column = (sums->panel + p) * LLMC_PANEL;
        int width = smaller(weights->n - column, LANES);
        struct channel channel;
        for (int part = 0; part < PARTS; part++) {
            int32_t at = column + part * VL;
            channel.scale[part] = vf_load(weights->scale + at);
            channel.bias[part] = vf_load(weights->bias + at);
        }
#define PUT_F32(STEP) put_sums_f32(sums, p, &channel, column, width, target, STEP, meanwhile)
#define PUT_U8(STEP) put_sums_u8(sums, p, &channel, column, width, target, STEP, meanwhile)
        if (target->f32)
            WITH_STEP(target->step, PUT_F32)
        else
            WITH_STEP(target->step, PUT_U8)
#undef PUT_F32
#undef PUT_U8
    }
}
