/*
 * The HDF5 checkpoint of a model on its way through the stages.
 * Bytes 0..511: the seal of formats/hdf5/envelope.h with magic "LLMS\r\n\x1a\n", version 2; 3 where there are
 * steps, which older readers thus refuse. Then HDF5:
 *
 *     /                      attributes: "fingerprint", the architecture (formats/checkpoint/architecture.h), "tokens_max",
 *                            the tokenizer's rules, and, where all weights have the same bits, "weight_bits",
 *                            "embedding_bits" (0: not quantised)
 *     /bits                  where they differ, in place of the two: U8, bits of each parameter in their order
 *     /parameters/NAME       F32 [rows, cols] master weights, NAME as in Hugging Face's state dict
 *     /masks/NAME            U8 [rows, cols], linear weights only, when anything is pruned: 0 = pruned
 *     /steps/NAME            F32 [rows], parameters with bits, when steps are learned: the scale of each row's integers;
 *                            0: by the row's largest magnitude
 *     /inputs/...            when activations are quantised, one number per input of a linear layer:
 *                            F32 "min", "max", "scale", "zero_point", "m", "v"; attribute "step"
 *     /vocabulary, /labels   U8 [n] lines, each ended by '\n', as in the compressed checkpoint
 *     /training/...          only while a stage is under way (train/optimizer.h): F32 "m", "v" [total], I32 "word_step"
 *                            [vocabulary], F32 "learning_rates" [optimizer_step], "beside_values", "beside_m",
 *                            "beside_v" [n] where numbers train beside the model, "step_m", "step_v" [rows of parameters
 *                            that take bits] where there are steps, "numbers" [n] where the stage has some of its own;
 *                            attributes "step", "optimizer_step", "scale", "good_steps", "initial_sparsity",
 *                            "metrics_bytes", "seconds"
 */
#ifndef LLMC_STAGE_STATE_FILE_H
#define LLMC_STAGE_STATE_FILE_H

#include "base/hash.h"
#include "stage/state.h"
#include "train/loop.h"

/* What a stage under way keeps beside the model. */
struct llmc_stage_progress {
    double initial_sparsity; /* when the stage began */
    int64_t metrics_nbytes;  /* length of the metrics file at this step */
    double seconds;          /* spent so far */
    float *numbers;          /* [number_count] the stage's own, owned; NULL: none */
    int64_t number_count;
};

/* Writes atomically. training and progress: both or neither (a finished stage). */
llmc_status llmc_state_save(const char *path, const struct llmc_state *state, const char *fingerprint,
                            const struct llmc_training *training, const struct llmc_stage_progress *progress);

/* The fingerprint of a checkpoint; "" where the file is missing. Errors: LLMC_ERR_FORMAT (damaged). */
llmc_status llmc_state_fingerprint(const char *path, char out[LLMC_HASH_TEXT_NBYTES]);

/* Reads a checkpoint into a zeroed state with compute copies in `number` (prepare them before use). Errors:
 * LLMC_ERR_IO, LLMC_ERR_FORMAT with file and array; the state is empty then. */
llmc_status llmc_state_load(const char *path, enum llmc_number number, struct llmc_state *state);

/* Reads what a stage under way left: `training` has its model and an initialised optimiser. The caller frees the
 * progress's numbers. */
llmc_status llmc_state_load_training(const char *path, struct llmc_training *training,
                                     struct llmc_stage_progress *progress);

#endif
