/*
 * What a model's outputs are for, one row a task: the loss that training lowers,
 * the answer that is read from the outputs, and the measures of answers. Plain
 * arithmetic on few numbers; the encoder below is the same for all tasks.
 */
#ifndef LLMC_ARCHITECTURE_TASK_H
#define LLMC_ARCHITECTURE_TASK_H

#include <stdint.h>

/* A figure between 0 and 1 of a table [labels, labels] of counts: row the true label, column the predicted one. */
struct llmc_task_measure {
    const char *name; /* as in JSON */
    double (*of)(const int64_t *confusion, int32_t labels);
};

enum { LLMC_TASK_MEASURES = 2 };

struct llmc_task {
    const char *name;
    const char *model; /* transformers' class of it, behind the encoder's name */
    /* Returns weight * the mean loss over the texts with a label (those of -1 count as none), and adds its gradient times `scale` to dlogits [S, L]. logits
     * [S, L]; label [S]; work [L]. Sums in double. */
    double (*loss)(const float *logits, const int32_t *label, int32_t sequences, int32_t labels, double weight,
                   double scale, float *dlogits, double *work);
    int32_t (*answer)(const float *scores, int32_t labels); /* scores: logits or probabilities of one text */
    struct llmc_task_measure measures[LLMC_TASK_MEASURES];  /* the first is the one that reports compare */
};

/* One label a text: cross-entropy; the label with the highest score, the first of equals; accuracy and F1. */
extern const struct llmc_task llmc_task_single_label;

/* out [count] = log softmax of logits [count] / temperature. */
void llmc_task_log_softmax(const float *logits, int32_t count, double temperature, double *out);

#endif
