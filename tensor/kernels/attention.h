/*
 * Attention of one head over one sequence. Included by variant.c only.
 *
 * LLMC_ATTENTION_QUERIES queries at a time meet all keys. Their scores are kept transposed, a row for
 * each key and a query in each lane, so that the softmax of a query never crosses lanes. All five
 * products then read one matrix by vectors and the other by single numbers, and only queries and
 * output gradients have to be transposed.
 *
 * Letters: L length, D head size, Q the queries of a strip.
 */
#include "tensor/kernels/attention_vector.h"

#include "tensor/kernels/attention_product.h"

enum { QUERIES = LLMC_ATTENTION_QUERIES };

/* The start of `work` at a cache line, so that vectors do not straddle two. */
static float *aligned_work(const struct llmc_attention_head *head)
{
    return (float *)(((uintptr_t)head->work + 63) / 64 * 64);
}

/* The random numbers' places of query first + lane and key 0, as vec_dropped wants them. */
static inline vec_u32 first_spread(const struct llmc_attention_head *head, int32_t first)
{
    vec_u32 spread;
    for (int i = 0; i < LANES; i++)
        spread[i] = (uint32_t)(first + i) * (uint32_t)head->length * SPREAD;
    return spread;
}

/* The scores p [L] of LANES queries become exponentials without their common factor, zeros where
 * dropped; factor [LANES] is to bring it, lse [count] is the log of the sum of exponents. */
SPECIALISED void softmax(const struct llmc_attention_head *head, bool dropout_on, int32_t first, int32_t count,
                         float *p, float *factor, float *lse)
{
    int32_t length = head->length;
    vec max = vec_load(p), other = max, sum = vec_all(0);
    for (int32_t j = 0; j + 2 <= length; j += 2) {
        max = vec_max(max, vec_load(p + (size_t)j * LANES));
        other = vec_max(other, vec_load(p + (size_t)(j + 1) * LANES));
    }
    max = vec_max(vec_max(max, other), vec_load(p + (size_t)(length - 1) * LANES));
    vec_u32 spread = first_spread(head, first);
    for (int32_t j = 0; j < length; j++) {
        vec e = vec_exp(vec_load(p + (size_t)j * LANES) - max);
        sum += e;
        if (dropout_on) {
            e = (vec)((vec_u32)e & ~vec_dropped(head->dropout_key, spread, head->dropout_threshold));
            spread += SPREAD;
        }
        vec_store(e, p + (size_t)j * LANES);
    }
    vec_store((dropout_on ? head->dropout_scale : 1.0f) / sum, factor);
    vec_store_first(max + vec_log(sum), lse, count);
}

static void attention(const struct llmc_attention_head *head, const struct llmc_head_rows *out, float *lse)
{
    const int32_t length = head->length, size = head->size;
    float *work = aligned_work(head);
    const struct blocked k = blocked_take(&work, length, size), v = blocked_take(&work, length, size);
    const struct blocked q = blocked_take(&work, QUERIES, size);
    const struct blocked qt = blocked_take(&work, blocks_of(size) * LANES, QUERIES);
    const struct blocked p = blocked_take(&work, length, QUERIES), o = blocked_take(&work, QUERIES, size);
    gather(&head->k, 0, length, size, 1.0f, &k);
    gather(&head->v, 0, length, size, 1.0f, &v);
    for (int32_t first = 0; first < length; first += QUERIES) {
        float factors[QUERIES];
        int32_t count = length - first < QUERIES ? length - first : QUERIES;
        gather(&head->q, first, count, size, head->scale, &q);
        transpose(&q, count, size, &qt);
        product(&(struct product){.a = k, .b = qt, .c = p, .m = length, .n = count, .k = size});
        for (int32_t i = 0; i < count; i += LANES) {
            float *scores = p.data + (size_t)(i / LANES) * p.step;
            if (head->dropout_threshold)
                softmax(head, true, first + i, count - i, scores, factors + i, lse + first + i);
            else
                softmax(head, false, first + i, count - i, scores, factors + i, lse + first + i);
        }
        product(&(struct product){.a = p, .b = v, .c = o, .m = count, .n = size, .k = length, .transposed = true});
        scatter(&o, factors, out, first, count, size);
    }
}

/* From the scores p [L] and the gradients dp [L] of the probabilities behind dropout, of LANES queries:
 * p becomes the probabilities behind dropout, dp the gradients of the scores, p (dp - sum of p dp). */
SPECIALISED void softmax_backward(const struct llmc_attention_head *head, bool dropout_on, int32_t first, int32_t count,
                                  const float *lse, float *p, float *dp)
{
    const vec_u32 sign = (vec_u32)vec_all(-0.0f);
    const size_t end = (size_t)head->length * LANES;
    vec log_sum = vec_load_first(lse, count), inner = vec_all(0), total = vec_all(0);
    vec_u32 spread = first_spread(head, first);
    for (size_t j = 0; j < end; j += LANES) {
        vec e = vec_exp(vec_load(p + j) - log_sum), kept = e;
        total += e;
        if (dropout_on) {
            /* The sign remembers what was dropped until the sum is known. */
            e = (vec)((vec_u32)e | (vec_dropped(head->dropout_key, spread, head->dropout_threshold) & sign));
            kept = vec_max(vec_all(0), e);
            spread += SPREAD;
        }
        inner += kept * vec_load(dp + j);
        vec_store(e, p + j);
    }
    /* Large scores leave few bits behind the point of lse, so that the probabilities miss 1 by a common factor:
     * the gradients of one query must add up to zero all the same. */
    inner /= total;
    for (size_t j = 0; j < end; j += LANES) {
        vec e = vec_load(p + j), d = vec_load(dp + j);
        if (dropout_on) {
            vec kept = vec_max(vec_all(0), e);
            vec_store(kept, p + j);
            vec_store(kept * d - (vec)((vec_u32)e & ~sign) * inner, dp + j);
        } else {
            vec_store(e * (d - inner), dp + j);
        }
    }
}

static void attention_backward(const struct llmc_attention_head *head, const float *lse,
                               const struct llmc_head_rows *dout, const struct llmc_head_rows *dq_out,
                               const struct llmc_head_rows *dk_out, const struct llmc_head_rows *dv_out)
{
    const int32_t length = head->length, size = head->size;
    float *work = aligned_work(head), scales[QUERIES];
    const struct blocked k = blocked_take(&work, length, size), v = blocked_take(&work, length, size);
    const struct blocked dk = blocked_take(&work, length, size), dv = blocked_take(&work, length, size);
    const struct blocked q = blocked_take(&work, QUERIES, size), d = blocked_take(&work, QUERIES, size);
    const struct blocked qt = blocked_take(&work, blocks_of(size) * LANES, QUERIES);
    const struct blocked dt = blocked_take(&work, blocks_of(size) * LANES, QUERIES);
    const struct blocked p = blocked_take(&work, length, QUERIES), dp = blocked_take(&work, length, QUERIES);
    const struct blocked dq = blocked_take(&work, QUERIES, size);
    for (int i = 0; i < QUERIES; i++)
        scales[i] = head->scale;
    gather(&head->k, 0, length, size, 1.0f, &k);
    gather(&head->v, 0, length, size, 1.0f, &v);
    for (int32_t first = 0; first < length; first += QUERIES) {
        int32_t count = length - first < QUERIES ? length - first : QUERIES;
        gather(&head->q, first, count, size, head->scale, &q);
        gather(dout, first, count, size, head->dropout_threshold ? head->dropout_scale : 1.0f, &d);
        transpose(&q, count, size, &qt);
        transpose(&d, count, size, &dt);
        product(&(struct product){.a = k, .b = qt, .c = p, .m = length, .n = count, .k = size});
        product(&(struct product){.a = v, .b = dt, .c = dp, .m = length, .n = count, .k = size});
        for (int32_t i = 0; i < count; i += LANES) {
            float *scores = p.data + (size_t)(i / LANES) * p.step;
            float *gradients = dp.data + (size_t)(i / LANES) * dp.step;
            if (head->dropout_threshold)
                softmax_backward(head, true, first + i, count - i, lse + first + i, scores, gradients);
            else
                softmax_backward(head, false, first + i, count - i, lse + first + i, scores, gradients);
        }
        bool add = first > 0;
        product(&(struct product){.a = p, .b = d, .c = dv, .m = length, .n = size, .k = count, .add = add});
        product(&(struct product){.a = dp, .b = q, .c = dk, .m = length, .n = size, .k = count, .add = add});
        product(&(struct product){.a = dp, .b = k, .c = dq, .m = count, .n = size, .k = length, .transposed = true});
        scatter(&dq, scales, dq_out, first, count, size);
    }
    scatter(&dk, NULL, dk_out, 0, length, size);
    scatter(&dv, NULL, dv_out, 0, length, size);
}
