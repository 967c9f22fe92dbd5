#include "architecture/parameters.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

llmc_status llmc_parameters_init(struct llmc_parameters *p, const struct llmc_architecture *architecture)
{
    llmc_status status = LLMC_OK;
    memset(p, 0, sizeof *p);
    LLMC_TRY(llmc_architecture_check(architecture));
    p->architecture = *architecture;
    LLMC_TRY(llmc_alloc(&p->table, (size_t)llmc_parameter_count(architecture), sizeof *p->table));
    struct llmc_parameter *parameter = p->table;
    while (llmc_parameter_describe(architecture, p->count, parameter->name, &parameter->kind, &parameter->rows,
                                   &parameter->cols)) {
        parameter->offset = p->total;
        parameter->step = llmc_parameter_takes_bits(parameter->kind) ? p->step_count : -1;
        p->step_count += parameter->step < 0 ? 0 : parameter->rows;
        p->total += parameter->rows * parameter->cols;
        if (!strstr(parameter->name, "self.query") && !strstr(parameter->name, "self.key"))
            p->total = (p->total + 15) / 16 * 16; /* the others begin at a cache line */
        parameter++;
        p->count++;
    }
    p->dense_begin = p->table[LLMC_POSITIONS].offset;
    LLMC_TRY(llmc_alloc(&p->values, (size_t)p->total, sizeof *p->values));
exit:
    if (status != LLMC_OK)
        llmc_parameters_release(p);
    return status;
}

void llmc_parameters_release(struct llmc_parameters *p)
{
    free(p->table);
    free(p->values);
    free(p->mask);
    free(p->steps);
    memset(p, 0, sizeof *p);
}

void llmc_parameters_set_bits(struct llmc_parameters *p, int32_t weight_bits, int32_t embedding_bits)
{
    for (int32_t i = 0; i < p->count; i++)
        p->table[i].bits = p->table[i].kind == LLMC_PARAMETER_LINEAR      ? weight_bits
                           : p->table[i].kind == LLMC_PARAMETER_EMBEDDING ? embedding_bits
                                                                          : 0;
    free(p->steps);
    p->steps = NULL;
}

bool llmc_parameters_bits_are_even(const struct llmc_parameters *p, int32_t *weight_bits, int32_t *embedding_bits)
{
    *embedding_bits = p->table[LLMC_WORDS].bits;
    *weight_bits = p->table[llmc_head_parameter(&p->architecture, LLMC_POOLER_WEIGHT)].bits;
    for (int32_t i = 0; i < p->count; i++)
        if ((p->table[i].kind == LLMC_PARAMETER_LINEAR && p->table[i].bits != *weight_bits) ||
            (p->table[i].kind == LLMC_PARAMETER_EMBEDDING && p->table[i].bits != *embedding_bits))
            return false;
    return true;
}

float *llmc_parameter_values(const struct llmc_parameters *p, int32_t index)
{
    return p->values + p->table[index].offset;
}

llmc_status llmc_parameters_make_steps(struct llmc_parameters *p)
{
    return p->steps ? LLMC_OK : llmc_alloc(&p->steps, (size_t)p->step_count, sizeof *p->steps);
}

float *llmc_parameter_steps(const struct llmc_parameters *p, int32_t index)
{
    const struct llmc_parameter *parameter = &p->table[index];
    return p->steps && parameter->bits ? p->steps + parameter->step : NULL;
}

void llmc_parameter_randomize(struct llmc_parameters *p, int32_t index, uint64_t seed)
{
    const struct llmc_parameter *parameter = &p->table[index];
    float *values = llmc_parameter_values(p, index);
    int64_t count = parameter->rows * parameter->cols;
    if (parameter->kind == LLMC_PARAMETER_VECTOR) {
        float value = strstr(parameter->name, "LayerNorm.weight") ? 1.0f : 0.0f;
        for (int64_t i = 0; i < count; i++)
            values[i] = value;
        return;
    }
    uint64_t key = llmc_random_key(seed, 0x696e6974, (uint64_t)index);
    for (int64_t i = 0; i < count; i++) { /* Box and Muller, 1958 */
        double radius = sqrt(-2.0 * log(llmc_random_uniform(key, 2 * (uint64_t)i)));
        double angle = 6.283185307179586 * llmc_random_uniform(key, 2 * (uint64_t)i + 1);
        values[i] = (float)(0.02 * radius * cos(angle));
    }
}

llmc_status llmc_parameters_make_mask(struct llmc_parameters *p)
{
    size_t count = (size_t)(p->total - p->dense_begin);
    if (p->mask)
        return LLMC_OK;
    llmc_status status = llmc_alloc(&p->mask, count, 1);
    if (status == LLMC_OK)
        memset(p->mask, 1, count);
    return status;
}

void llmc_parameter_apply_mask(struct llmc_parameters *p, int32_t index)
{
    const struct llmc_parameter *parameter = &p->table[index];
    int64_t count = parameter->rows * parameter->cols;
    if (!p->mask || parameter->kind != LLMC_PARAMETER_LINEAR)
        return;
    float *values = llmc_parameter_values(p, index);
    const uint8_t *mask = p->mask + (parameter->offset - p->dense_begin);
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < count; i++)
        values[i] = mask[i] ? values[i] : 0;
}

int64_t llmc_parameters_count(const struct llmc_parameters *p, int64_t *nonzero)
{
    int64_t count = 0, set = 0;
    for (int32_t i = 0; i < p->count; i++)
        count += p->table[i].rows * p->table[i].cols;
    for (int64_t i = 0; i < p->total; i++)
        set += p->values[i] != 0; /* padding is zero */
    if (nonzero)
        *nonzero = set;
    return count;
}
