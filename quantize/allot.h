/*
 * Bits for each parameter so that the file has at most so many bytes: integers of
 * few bits where the answers depend little on them, as in HAWQ-V3 (Yao et al.,
 * 2021), whose integer program is replaced by the greedy way of Shoham and Gersho
 * (1988): from 2 bits everywhere, again and again the change with the least damage
 * for its bytes.
 *
 * The damage of bits is sum(sensitivity * squared error of rounding). Bytes are the
 * entropy of a parameter's integers, which deflate comes near, and 4 for each scale. Rows
 * that are alike cost nothing.
 */
#ifndef LLMC_QUANTIZE_ALLOT_H
#define LLMC_QUANTIZE_ALLOT_H

#include "architecture/parameters.h"

#include <stddef.h>

struct llmc_allotment {
    double bytes;                      /* that the file may have */
    double other_bytes;                /* of what is no integer or scale, llmc_quantize_other_bytes */
    int32_t weight_bits, embedding_bits; /* the most for each kind, 2 to 8 */
    bool learned;                      /* steps are learned (quantize/steps.h) */
    const float *squares;              /* [total] llmc_quantize_sensitivity */
};

/* About the bytes in the file of parameters without bits and of structure, beside a vocabulary and labels of so many
 * bytes. */
double llmc_quantize_other_bytes(const struct llmc_parameters *parameters, size_t texts_nbytes);

/* Sets the bits in the parameters' table (steps go); *bytes = those of the file, about. Errors: LLMC_ERR_CONFIG where 2 bits
 * everywhere are too many, with their bytes; LLMC_ERR_MEMORY. */
llmc_status llmc_quantize_allot(struct llmc_parameters *parameters, const struct llmc_allotment *allotment, double *bytes);

#endif
