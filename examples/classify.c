/* Prints label and probability of each text: classify model.llmc TEXT... */
#include <llmc_runtime.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct llmc_model *model = NULL;
    struct llmc_predictor *predictor = NULL;
    size_t count = argc > 2 ? (size_t)argc - 2 : 0;
    llmc_status status = llmc_model_open(&model, argc > 1 ? argv[1] : "model.llmc");
    if (status == LLMC_OK)
        status = llmc_predictor_create(&predictor, model, 0);
    int32_t labels = status == LLMC_OK ? llmc_model_label_count(model) : 0;
    float *probabilities = calloc(count * (size_t)labels + 1, sizeof *probabilities);
    if (status == LLMC_OK && probabilities)
        status = llmc_predict(predictor, (const char *const *)argv + 2, NULL, count, probabilities);
    for (size_t i = 0; status == LLMC_OK && probabilities && i < count; i++) {
        const float *row = probabilities + i * (size_t)labels;
        int32_t best = 0;
        for (int32_t label = 1; label < labels; label++)
            best = row[label] > row[best] ? label : best;
        printf("%s\t%.6f\n", llmc_model_label(model, best), (double)row[best]);
    }
    if (status != LLMC_OK)
        fprintf(stderr, "%s: %s\n", llmc_status_words(status), llmc_error_message());
    free(probabilities);
    llmc_predictor_free(predictor);
    llmc_model_free(model);
    return status != LLMC_OK;
}
