/*
 * The architecture in an HDF5 file: attributes of the root, integers named as the fields ("vocabulary", "positions",
 * "types", "hidden", "labels", and where the word embedding is in factors "embedding_rank"), "activation" (text), "norm_epsilon" (double), and the layers:
 *
 *     layers that are all equal, with heads that make up hidden together:
 *         /              "layers", "heads", "ffn"
 *     layers that differ; files that hold them have a version of their own, which older readers refuse:
 *         /              "layers", "head_width"
 *         /layers/N      a group for each layer, from 0: "heads", "ffn"
 *
 * or, where few objects count (the compressed checkpoint from version 3 on), for all layers the same:
 *         /              "layers", "head_width"
 *         /layers        I32 [layers, 2] heads and ffn
 */
#ifndef LLMC_FORMATS_CHECKPOINT_ARCHITECTURE_H
#define LLMC_FORMATS_CHECKPOINT_ARCHITECTURE_H

#include "architecture/architecture.h"
#include "formats/hdf5/file.h"

/* Errors: LLMC_ERR_IO. */
llmc_status llmc_checkpoint_write_architecture(struct llmc_h5 *file, const struct llmc_architecture *architecture);

/* Reads and checks it (llmc_architecture_check). Errors: LLMC_ERR_FORMAT. */
llmc_status llmc_checkpoint_read_architecture(struct llmc_h5 *file, struct llmc_architecture *architecture);

/* The same with layers as an array. */
llmc_status llmc_checkpoint_write_shape(struct llmc_h5 *file, const struct llmc_architecture *architecture);
llmc_status llmc_checkpoint_read_shape(struct llmc_h5 *file, struct llmc_architecture *architecture);

#endif
