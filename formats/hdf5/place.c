#include "formats/hdf5/place.h"

#include "formats/hdf5/internal.h"

/* H5Dget_offset counts from the beginning of the file, its user block included. */
static llmc_status get_place(const struct llmc_h5 *file, const char *name, hid_t array, uint64_t nbytes, uint64_t *place)
{
    haddr_t offset = H5Dget_offset(array);
    if (offset == HADDR_UNDEF || (!file->writing && (offset > file->nbytes || nbytes > file->nbytes - offset)))
        return llmc_error(LLMC_ERR_FORMAT, "%s: %s: does not lie in the file in one piece", file->path, name);
    *place = offset;
    return LLMC_OK;
}

llmc_status llmc_h5_reserve(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                            const int64_t *shape, uint64_t *place)
{
    llmc_status status = LLMC_OK;
    hid_t array = H5I_INVALID_HID;
    LLMC_TRY(llmc_h5_create_array(file, name, number, rank, shape, 0, LLMC_H5_RESERVED, &array));
    LLMC_TRY(get_place(file, name, array, 0, place));
    status = llmc_h5_finish_array(file, name, &array);
exit:
    llmc_h5_drop(array);
    return status;
}

llmc_status llmc_h5_find_place(struct llmc_h5 *file, const char *name, enum llmc_number number, int rank,
                               const int64_t *shape, uint64_t *place)
{
    llmc_status status = LLMC_OK;
    hid_t array = H5I_INVALID_HID;
    uint64_t nbytes = llmc_number_nbytes(number);
    LLMC_TRY(llmc_h5_open_array(file, name, &array));
    LLMC_TRY(llmc_h5_expect(file, name, array, number, rank, shape));
    for (int i = 0; i < rank; i++)
        nbytes *= (uint64_t)shape[i];
    LLMC_TRY(get_place(file, name, array, nbytes, place));
exit:
    llmc_h5_drop(array);
    return status;
}
