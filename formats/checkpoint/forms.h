/*
 * In which form the values of a tensor lie in the compressed checkpoint: of those that it may have (compressed.h), the one
 * that deflates to the fewest bytes, found by deflating each.
 */
#ifndef LLMC_FORMATS_CHECKPOINT_FORMS_H
#define LLMC_FORMATS_CHECKPOINT_FORMS_H

#include "formats/checkpoint/compressed.h"

struct llmc_compressed_form {
    int form;       /* a sum of LLMC_COMPRESSED_MIXED and LLMC_COMPRESSED_SPARSE (private.h) */
    int64_t stored; /* values of the tensor that it holds */
    uint8_t *mask;  /* [mask_nbytes] of a sparse one */
    int64_t mask_nbytes;
    void *values; /* [values_count] numbers of the tensor's format; mixed: bytes, each row's begin with a byte of their
                     own in a form by rows */
    int64_t values_count;
};

/* rows: for the word embedding, which lies by rows and is never sparse. Errors: LLMC_ERR_MEMORY. */
llmc_status llmc_compressed_form_choose(struct llmc_compressed_form *out, const struct llmc_compressed_tensor *tensor,
                                        bool rows);
void llmc_compressed_form_release(struct llmc_compressed_form *form);

#endif
