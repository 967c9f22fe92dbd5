#include "quantize/pack.h"

#include "base/number.h"

#include <math.h>

void llmc_pack_rows(const float *weights, int64_t rows, int64_t cols, int bits, const float *steps, int8_t *integers,
                    float *scales)
{
    float limit = (float)llmc_integer_limit(bits);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float *w = weights + row * cols;
        float max = 0;
        for (int64_t i = 0; i < cols; i++)
            max = fmaxf(max, fabsf(w[i]));
        float scale = steps && steps[row] > 0 ? steps[row] : max / limit;
        scales[row] = scale > 0 ? scale : 1.0f;
        for (int64_t i = 0; i < cols; i++)
            integers[row * cols + i] = (int8_t)fminf(fmaxf(rintf(w[i] / scales[row]), -limit), limit);
    }
}
