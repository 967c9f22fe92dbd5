/*
 * What a run reads before its first stage: labels, training texts, tokenizer, the shape of the teacher; and where the dev
 * texts are, which only programs that measure read.
 */
#ifndef LLMC_STAGE_DATA_H
#define LLMC_STAGE_DATA_H

#include "architecture/architecture.h"
#include "base/hash.h"
#include "base/status.h"
#include "config/config.h"
#include "text/spool.h"
#include "text/tokenizer.h"

/* Means over texts, for the cost model. */
struct llmc_text_lengths {
    double tokens, tokens_squared;
};

struct llmc_data {
    char *teacher_folder, *train_path, *dev_path;
    struct llmc_columns columns;           /* the configuration's texts */
    struct llmc_tokenizer *tokenizer;
    struct llmc_labels labels;             /* in the order of the model's outputs */
    struct llmc_dataset train;
    struct llmc_spool *unlabeled;          /* texts of data.unlabeled; NULL: none */
    char unlabeled_hash[LLMC_HASH_TEXT_NBYTES]; /* of their ids; "": none */
    int64_t dev_count;
    int32_t *dev_label;                    /* [dev_count] */
    struct llmc_text_lengths dev_lengths;  /* in the teacher's word pieces */
    struct llmc_architecture teacher;      /* what the folder says */
    bool teacher_answers;                  /* the folder has a classifier that is to be used (teacher.head) */
    struct llmc_data_teacher {             /* the same of each of several folders, the first too */
        char *folder;
        struct llmc_architecture architecture;
        bool answers;
    } *teachers;                           /* [teacher_count] */
    int32_t teacher_count;                 /* 0: there is one */
};

/* Reads all of it and checks that teacher, texts and configuration fit. Unlabelled texts, of which there may be many,
 * go to an unnamed file on the disk of `folder`. Errors: those of the readers; LLMC_ERR_CONFIG
 * where they do not fit; *data is then empty. */
llmc_status llmc_data_open(struct llmc_data *data, const struct llmc_config *config, const char *folder);
/* Reads the dev texts in a tokenizer's pieces into an empty data set. Errors: those of the readers; *dev is then empty. */
llmc_status llmc_data_read_dev(const struct llmc_data *data, const struct llmc_tokenizer *tokenizer, int32_t tokens_max,
                               struct llmc_dataset *dev);
/* Their lengths. Errors: as above. */
llmc_status llmc_data_dev_lengths(const struct llmc_data *data, const struct llmc_tokenizer *tokenizer,
                                  int32_t tokens_max, struct llmc_text_lengths *lengths);
void llmc_data_release(struct llmc_data *data); /* an empty one is fine */

#endif
