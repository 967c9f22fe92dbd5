/*
 * Attention of every kind of vectors gives the bits of the portable one, which is
 * compared with double precision; and the portable fused multiply-add is fmaf().
 */
#include "base/memory.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/vector_portable.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint32_t random_state = 1;

static uint32_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static float random_float(void)
{
    return (float)(random_bits() % 4001) / 1000.0f - 2.0f;
}

static void *make(size_t count, size_t size)
{
    void *memory;
    assert_int_equal(llmc_alloc(&memory, count, size), LLMC_OK);
    return memory;
}

static void check_against_doubles(const struct llmc_rt_head *head, const float *context, size_t stride)
{
    for (int32_t q = 0; q < head->queries; q++) {
        double scores[128], sum = 0;
        for (int32_t k = 0; k < head->length; k++) {
            double product = 0;
            for (int32_t i = 0; i < head->width; i++)
                product += (double)head->query[(size_t)q * head->stride + (size_t)i] *
                           (double)head->key[(size_t)k * head->stride + (size_t)i];
            sum += scores[k] = exp(product / sqrt(head->width));
        }
        for (int32_t i = 0; i < head->width; i++) {
            double expected = 0;
            for (int32_t k = 0; k < head->length; k++)
                expected += scores[k] / sum * (double)head->value[(size_t)k * head->stride + (size_t)i];
            assert_true(fabs(expected - (double)context[(size_t)q * stride + (size_t)i]) < 1e-5);
        }
    }
}

static void test_attention_agrees(void **state)
{
    (void)state;
    const struct llmc_rt_kernels *levels[LLMC_KERNELS_MAX];
    int level_count = llmc_rt_kernels_available(llmc_cpu_features(), levels);
    for (int round = 0; round < 200; round++) {
        int32_t length = 1 + (int32_t)(random_bits() % 100), width = 1 + (int32_t)(random_bits() % 70);
        struct llmc_rt_head head = {.stride = 3 * (size_t)width + random_bits() % 3, .length = length, .width = width,
                                 .queries = round % 2 ? length : 1};
        size_t stride = (size_t)width + 5, count = (size_t)length * stride;
        float *qkv = make((size_t)length * head.stride, sizeof *qkv);
        float *expected = make(count, sizeof *expected), *got = make(count, sizeof *got);
        uint8_t *expected_u8 = make(count, 1), *got_u8 = make(count, 1);
        head.scratch = make(llmc_rt_head_scratch(length, width), sizeof(float));
        for (size_t i = 0; i < (size_t)length * head.stride; i++)
            qkv[i] = random_float();
        head.query = qkv;
        head.key = qkv + width;
        head.value = qkv + 2 * width;
        for (int level = 0; level < level_count; level++) {
            struct llmc_rt_target target = {.f32 = level ? got : expected, .stride = stride};
            levels[level]->vectors->attend(&head, &target);
            target = (struct llmc_rt_target){.u8 = level ? got_u8 : expected_u8, .stride = stride,
                                          .quantiser = {90.0f, (int32_t)(random_state % 256)}};
            levels[level]->vectors->attend(&head, &target);
            if (level && (memcmp(expected, got, count * sizeof *got) || memcmp(expected_u8, got_u8, count)))
                fail_msg("%s differs: S=%d d=%d", levels[level]->name, length, width);
        }
        check_against_doubles(&head, expected, stride);
        free(qkv);
        free(expected);
        free(got);
        free(expected_u8);
        free(got_u8);
        free(head.scratch);
    }
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Any numbers; numbers of like size, whose sum cancels; and sums that lie next to a tie. */
static void test_portable_fma_is_fmaf(void **state)
{
    (void)state;
    for (int i = 0; i < 2000000; i++) {
        float a = from_bits(random_bits()), b = from_bits(random_bits()), c = from_bits(random_bits());
        if (i % 3 == 1) {
            a = random_float();
            b = random_float();
            c = -a * b * (1.0f + (float)(random_bits() % 3) * 0x1p-23f);
        } else if (i % 3 == 2) {
            a = 1.0f + (float)(random_bits() % 8) * 0x1p-23f;
            b = 1.0f + (float)(random_bits() % 8) * 0x1p-23f;
            c = ldexpf(1.0f + (float)(random_bits() % 8) * 0x1p-23f, (int)(random_bits() % 60) - 30);
            c = random_bits() % 2 ? c : -c;
        }
        float expected = fmaf(a, b, c), got = vf_fma(vf_set(a), vf_set(b), vf_set(c))[0];
        if (memcmp(&expected, &got, sizeof got) && !(isnan(expected) && isnan(got)))
            fail_msg("fma(%a, %a, %a) = %a, not %a", (double)a, (double)b, (double)c, (double)expected, (double)got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_agrees),
        cmocka_unit_test(test_portable_fma_is_fmaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
