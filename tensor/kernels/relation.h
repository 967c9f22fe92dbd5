/*
 * Self-attention relations of one head over one sequence, the student's against the teacher's. Included by variant.c only,
 * behind attention.h, whose small matrices it takes.
 *
 * Each row of x becomes x / size^(1/4), so that x x^T are the scaled products. They are symmetric: a row of them for each
 * key and a query in each lane, or the other way round.
 */

/* x [rows, size] of `from` scaled as above, and x x^T in `scores`. `transposed` is scratch. */
static void relate(const struct llmc_head_rows *from, int32_t length, int32_t size, float factor, const struct blocked *x,
                   const struct blocked *transposed, const struct blocked *scores)
{
    gather(from, 0, length, size, factor, x);
    transpose(x, length, size, transposed);
    product(&(struct product){.a = *x, .b = *transposed, .c = *scores, .m = length, .n = length, .k = size});
}

/* The logarithms of the sums of exponents of LANES queries' scores s [length]. */
static vec log_sum(const float *s, int32_t length)
{
    vec max = vec_load(s), sum = vec_all(0);
    for (int32_t j = 1; j < length; j++)
        max = vec_max(max, vec_load(s + (size_t)j * LANES));
    for (int32_t j = 0; j < length; j++)
        sum += vec_exp(vec_load(s + (size_t)j * LANES) - max);
    return max + vec_log(sum);
}

static double relation(const struct llmc_relation_head *head, float factor, const struct llmc_head_rows *gradient)
{
    const int32_t length = head->length, size = head->student_size, rows = blocks_of(length) * LANES;
    const int32_t widest = size > head->teacher_size ? size : head->teacher_size;
    float *work = (float *)(((uintptr_t)head->work + 63) / 64 * 64), losses[LANES];
    const struct blocked x = blocked_take(&work, rows, size), dx = blocked_take(&work, rows, size);
    const struct blocked t = blocked_take(&work, rows, head->teacher_size);
    const struct blocked transposed = blocked_take(&work, blocks_of(widest) * LANES, length);
    const struct blocked s = blocked_take(&work, rows, length), target = blocked_take(&work, rows, length);
    const float root = 1.0f / sqrtf(sqrtf((float)size));
    double loss = 0;
    relate(&head->teacher, length, head->teacher_size, 1.0f / sqrtf(sqrtf((float)head->teacher_size)), &t, &transposed,
           &target);
    relate(&head->student, length, size, root, &x, &transposed, &s);
    for (int32_t first = 0; first < length; first += LANES) {
        float *ours = s.data + (size_t)(first / LANES) * s.step;
        const float *theirs = target.data + (size_t)(first / LANES) * target.step;
        vec our_sum = log_sum(ours, length), their_sum = log_sum(theirs, length), sum = vec_all(0);
        for (int32_t j = 0; j < length; j++) {
            vec log_p = vec_load(ours + (size_t)j * LANES) - our_sum;
            vec log_q = vec_load(theirs + (size_t)j * LANES) - their_sum;
            vec q = vec_exp(log_q);
            sum += q * (log_q - log_p);
            vec_store((vec_exp(log_p) - q) * (factor * root), ours + (size_t)j * LANES);
        }
        vec_store(sum, losses);
        for (int32_t i = 0; i < LANES && first + i < length; i++)
            loss += (double)losses[i];
    }
    /* a row of x is there as a query and as a key */
    product(&(struct product){.a = s, .b = x, .c = dx, .m = length, .n = size, .k = length});
    product(&(struct product){.a = s, .b = x, .c = dx, .m = length, .n = size, .k = length, .transposed = true,
                              .add = true});
    scatter(&dx, NULL, gradient, 0, length, size);
    return loss;
}
