#include "include/llmc_runtime.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void need(int condition)
{
    if (!condition)
        abort();
}

static void predict(const struct llmc_model *model)
{
    static const char *const texts[] = {"w0 w1 w34 nothing [MASK]", "", "w5 w5 w5 w5 w5 w5 w5 w5 w5 w5 w5 w5 w5 w5"};
    size_t labels = (size_t)llmc_model_label_count(model);
    struct llmc_predictor *predictor = NULL;
    float *out = calloc(3 * labels, sizeof *out);
    need(out && labels > 0 && llmc_model_label(model, (int32_t)labels - 1) != NULL);
    if (llmc_predictor_create(&predictor, model, 1) == LLMC_OK &&
        llmc_predict(predictor, texts, NULL, 3, out) != LLMC_OK)
        need(llmc_error_message()[0]);
    llmc_predictor_free(predictor);
    free(out);
}

bool fuzz_model(const unsigned char *bytes, size_t nbytes)
{
    struct llmc_model *model;
    if (llmc_model_open_memory(&model, bytes, nbytes) != LLMC_OK) {
        need(model == NULL && llmc_error_message()[0]);
        return false;
    }
    predict(model);
    llmc_model_free(model);
    return true;
}
