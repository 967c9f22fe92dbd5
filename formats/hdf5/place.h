/*
 * Arrays that lie in a file in one piece, so that their rows can be written and read without libhdf5, in any order and
 * in any number of steps: a file under way is whole for libhdf5 at any moment, and a killed program goes on in it.
 */
#ifndef LLMC_FORMATS_HDF5_PLACE_H
#define LLMC_FORMATS_HDF5_PLACE_H

#include "formats/hdf5/file.h"

/* Makes an array of undefined numbers, at byte *place of the file once that is closed. Errors: as llmc_h5_write. */
llmc_status llmc_h5_reserve(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                            const int64_t *shape, uint64_t *place);

/* Where an array stands that must have exactly this number format, rank and shape. Errors: LLMC_ERR_FORMAT, also where
 * it is in chunks. */
llmc_status llmc_h5_find_place(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                               const int64_t *shape, uint64_t *place);

#endif
