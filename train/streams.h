/* The streams of random numbers that a training run draws from its seed. Inside train/ only. */
#ifndef LLMC_TRAIN_STREAMS_H
#define LLMC_TRAIN_STREAMS_H

enum { LLMC_STREAM_ORDER = 1, LLMC_STREAM_DROPOUT = 2 };

#endif
