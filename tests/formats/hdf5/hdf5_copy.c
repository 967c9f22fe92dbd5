/*
 * hdf5_copy IN OUT DEFLATE USER_BLOCK: reads all arrays of IN, and the attributes
 * "text", "int" and "double" of its group "notes", and writes them to OUT.
 */
#include "base/memory.h"
#include "formats/hdf5/file.h"

#include <stdio.h>
#include <stdlib.h>

static llmc_status copy_array(struct llmc_h5 *in, struct llmc_h5 *out, const char *name, int deflate)
{
    llmc_status status = LLMC_OK;
    enum llmc_number number;
    int rank;
    int64_t shape[LLMC_H5_RANK_MAX], count = 1;
    void *data = NULL;
    LLMC_TRY(llmc_h5_describe(in, name, &number, &rank, shape));
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    LLMC_TRY(llmc_alloc(&data, (size_t)count, llmc_number_nbytes(number)));
    LLMC_TRY(llmc_h5_read(in, name, number, rank, shape, data));
    LLMC_TRY(llmc_h5_write(out, name, number, rank, shape, data, deflate));
exit:
    free(data);
    return status;
}

static llmc_status copy_notes(struct llmc_h5 *in, struct llmc_h5 *out)
{
    llmc_status status = LLMC_OK;
    char *text = NULL;
    int64_t integer;
    double number;
    LLMC_TRY(llmc_h5_read_text(in, "notes", "text", &text));
    LLMC_TRY(llmc_h5_read_int(in, "notes", "int", &integer));
    LLMC_TRY(llmc_h5_read_double(in, "notes", "double", &number));
    LLMC_TRY(llmc_h5_write_text(out, "notes", "text", text));
    LLMC_TRY(llmc_h5_write_int(out, "notes", "int", integer));
    LLMC_TRY(llmc_h5_write_double(out, "notes", "double", number));
exit:
    free(text);
    return status;
}

int main(int argc, char **argv)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *in = NULL, *out = NULL;
    char **names = NULL;
    size_t count = 0;
    if (argc != 5)
        return 2;
    LLMC_TRY(llmc_h5_open(&in, argv[1]));
    LLMC_TRY(llmc_h5_create(&out, argv[2], strtoull(argv[4], NULL, 10)));
    LLMC_TRY(llmc_h5_list(in, "", &names, &count));
    for (size_t i = 0; i < count; i++)
        LLMC_TRY(copy_array(in, out, names[i], atoi(argv[3])));
    LLMC_TRY(copy_notes(in, out));
    LLMC_TRY(llmc_h5_close(&out));
exit:
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    llmc_h5_abandon(&in);
    llmc_h5_abandon(&out);
    if (status != LLMC_OK)
        fprintf(stderr, "%s\n", llmc_error_message());
    return llmc_status_exit(status);
}
