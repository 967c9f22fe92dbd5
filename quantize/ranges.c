#include "quantize/ranges.h"

#include <math.h>

void llmc_calibrate_clear(struct llmc_range *out, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        out[i].min = INFINITY;
        out[i].max = -INFINITY;
    }
}

static struct llmc_quantizer quantizer_of(struct llmc_range range)
{
    float min = fminf(range.min, 0), max = fmaxf(range.max, 0);
    struct llmc_quantizer quantizer;
    quantizer.scale = fmaxf((max - min) / 255.0f, 1e-8f); /* an input that is always zero */
    quantizer.inverse = 1.0f / quantizer.scale;
    quantizer.zero_point = fminf(fmaxf(rintf(-min * quantizer.inverse), 0), 255);
    return quantizer;
}

void llmc_calibrate_average(struct llmc_ranges *r, const struct llmc_range *observed, double momentum)
{
    double weight = fmax(1.0 / (double)(r->step + 1), 1.0 - momentum);
    for (int32_t i = 0; i < r->count; i++) {
        struct llmc_range *average = &r->averages[i];
        average->min += (float)weight * (observed[i].min - average->min);
        average->max += (float)weight * (observed[i].max - average->max);
        r->quantizers[i] = quantizer_of(*average);
    }
    r->step++;
}

void llmc_calibrate_learn(struct llmc_ranges *r, const double *dscales, double loss_scale, double learning_rate)
{
    const double beta1 = 0.9, beta2 = 0.999;
    r->step++;
    for (int32_t i = 0; i < r->count; i++) {
        double gradient = dscales[i] / loss_scale * (double)r->quantizers[i].scale;
        if (!isfinite(gradient))
            continue;
        r->m[i] = (float)(beta1 * (double)r->m[i] + (1 - beta1) * gradient);
        r->v[i] = (float)(beta2 * (double)r->v[i] + (1 - beta2) * gradient * gradient);
        double mean = (double)r->m[i] / (1 - pow(beta1, (double)r->step));
        double deviation = sqrt((double)r->v[i] / (1 - pow(beta2, (double)r->step)));
        r->quantizers[i].scale *= (float)exp(-learning_rate * mean / (deviation + 1e-12));
        r->quantizers[i].inverse = 1.0f / r->quantizers[i].scale;
    }
}
