/*
 * Damaged HDF5 files: whatever was cut off or flipped, reading gives a status.
 * Also the links, layouts and filters that llmc never writes.
 */
#include "formats/checkpoint/architecture.h"
#include "formats/hdf5/file.h"

#include "architecture/architecture.h"
#include "tests/base/hdf5_leaks.h"
#include "tests/base/test_support.h"

#include <hdf5.h>
#include <zlib.h>

static const int64_t shape[] = {20, 30};
#define COUNT ((size_t)600)

static void write_original(void)
{
    struct llmc_h5 *file;
    struct llmc_architecture architecture = {30, 8, 2, 4, 2, 2, LLMC_GELU, 1e-12f, 1, {{2, 8}}, 0};
    float data[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        data[i] = (float)(i % 7);
    assert_ok(llmc_h5_create(&file, test_path("original.h5"), 512));
    assert_ok(llmc_h5_write(file, "dense", LLMC_F32, 2, shape, data, 0));
    assert_ok(llmc_h5_write(file, "deep/small", LLMC_F32, 2, shape, data, 9));
    assert_ok(llmc_h5_write_text(file, "deep", "text", "words"));
    assert_ok(llmc_checkpoint_write_architecture(file, &architecture));
    assert_ok(llmc_h5_close(&file));
}

/* Calls every reading function. All may fail, none may crash or hang. */
static bool survives(const char *bytes, size_t nbytes)
{
    static const char *const arrays[] = {"dense", "deep/small"};
    struct llmc_h5 *file;
    struct llmc_architecture architecture;
    char **names, *text;
    size_t count;
    write_bytes(test_path("mutated.h5"), bytes, nbytes);
    llmc_status status = llmc_h5_open(&file, test_path("mutated.h5"));
    if (status != LLMC_OK) {
        assert_null(file);
        return false;
    }
    bool good = llmc_h5_list(file, "", &names, &count) == LLMC_OK;
    for (size_t i = 0; good && i < count; i++)
        free(names[i]);
    if (good)
        free(names);
    for (size_t i = 0; i < COUNT_OF(arrays); i++) {
        enum llmc_number number;
        int rank;
        int64_t found[LLMC_H5_RANK_MAX];
        uint64_t stored;
        float data[COUNT];
        good &= llmc_h5_describe(file, arrays[i], &number, &rank, found) == LLMC_OK;
        good &= llmc_h5_stored_nbytes(file, arrays[i], &stored) == LLMC_OK;
        good &= llmc_h5_read(file, arrays[i], LLMC_F32, 2, shape, data) == LLMC_OK;
    }
    status = llmc_h5_read_text(file, "deep", "text", &text);
    if (status == LLMC_OK)
        free(text);
    good &= status == LLMC_OK;
    good &= llmc_checkpoint_read_architecture(file, &architecture) == LLMC_OK;
    llmc_h5_abandon(&file);
    return good;
}

static void damage_is_survived(void **state)
{
    (void)state;
    char *bytes;
    size_t nbytes, accepted = 0;
    write_original();
    assert_ok(llmc_file_read(test_path("original.h5"), 1 << 20, &bytes, &nbytes));
    assert_true(survives(bytes, nbytes));
    for (size_t i = 0; i < nbytes; i += i % 512 < 64 ? 1 : 13)
        assert_false(survives(bytes, i)); /* every truncation is noticed */
    /* Two flips a byte, so that each bit is met in every fourth byte of a field. */
    for (size_t i = 512; i < nbytes; i++) {
        for (int flip = 0; flip < 2; flip++) {
            char mask = (char)(1 << (i + 4 * (size_t)flip) % 8);
            bytes[i] ^= mask;
            accepted += survives(bytes, nbytes);
            bytes[i] ^= mask;
        }
    }
    assert_in_range(accepted, 2 * COUNT * sizeof(float), 2 * (nbytes - 512)); /* at least in the plain numbers */
    free(bytes);
}

/* Writes with libhdf5 itself what ours does not write, by `make` in file `id`. */
static struct llmc_h5 *open_made(void (*make)(hid_t id))
{
    struct llmc_h5 *file;
    hid_t id = H5Fcreate(test_path("made.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(id >= 0);
    make(id);
    assert_true(H5Fclose(id) >= 0);
    assert_ok(llmc_h5_open(&file, test_path("made.h5")));
    return file;
}

static void make_array(hid_t id, const char *name, hid_t type, int rank, const hsize_t *dimensions, hid_t list)
{
    hid_t space = H5Screate_simple(rank, dimensions, NULL);
    hid_t array = H5Dcreate2(id, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    assert_true(array >= 0);
    H5Dclose(array);
    H5Sclose(space);
}

static void make_links(hid_t id)
{
    const hsize_t dimensions[] = {2};
    make_array(id, "real", H5T_IEEE_F32LE, 1, dimensions, H5P_DEFAULT);
    hid_t group = H5Gcreate2(id, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Lcreate_soft("/real", id, "soft", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_external(test_path("original.h5"), "/", id, "outside", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_hard(id, "group", group, "itself", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Gclose(group);
}

static void links_out_are_not_followed(void **state)
{
    (void)state;
    float values[COUNT];
    char **names;
    size_t count;
    write_original();
    struct llmc_h5 *file = open_made(make_links);
    assert_ok(llmc_h5_read(file, "real", LLMC_F32, 1, (const int64_t[]){2}, values));
    assert_false(llmc_h5_has(file, "soft"));
    assert_false(llmc_h5_has(file, "outside/dense"));
    assert_fails(llmc_h5_read(file, "outside/dense", LLMC_F32, 2, shape, values), LLMC_ERR_FORMAT, "no array");
    assert_fails(llmc_h5_list(file, "", &names, &count), LLMC_ERR_FORMAT, "nested more than 32 deep");
    assert_null(names);
    assert_ok(llmc_h5_close(&file));
}

static void make_refused(hid_t id)
{
    const hsize_t dimensions[] = {1 << 20}, huge[] = {(hsize_t)1 << 40}, chunk[] = {1 << 19};
    const hsize_t five[] = {1, 1, 1, 1, 1};
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(list, test_path("original.h5"), 0, H5F_UNLIMITED);
    make_array(id, "external", H5T_IEEE_F32LE, 1, dimensions, list);
    H5Pclose(list);
    list = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, dimensions, NULL);
    H5Pset_virtual(list, space, test_path("original.h5"), "/dense", space);
    H5Sclose(space);
    make_array(id, "virtual", H5T_IEEE_F32LE, 1, dimensions, list);
    H5Pclose(list);
    list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 1, chunk);
    make_array(id, "chunk", H5T_IEEE_F32LE, 1, dimensions, list);
    make_array(id, "huge", H5T_IEEE_F32LE, 1, huge, list);
    H5Pset_fletcher32(list);
    make_array(id, "filter", H5T_IEEE_F32LE, 1, dimensions, list);
    H5Pclose(list);
    make_array(id, "rank", H5T_IEEE_F32LE, 5, five, H5P_DEFAULT);
    make_array(id, "type", H5T_IEEE_F64BE, 1, chunk, H5P_DEFAULT);
}

static void other_layouts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
    } cases[] = {
        {"external", "external: the data are in another file"},
        {"virtual", "virtual: a virtual array"},
        {"chunk", "chunk: a chunk has more than the 1048576 bytes allowed"},
        {"filter", "filter: filter 3; allowed are deflate (1) and shuffle (2)"},
        {"type", "type: its numbers are in no known format"},
        {"rank", "rank: no array of rank 0 to 4"},
        {"huge", "huge: dimension 0 is 1099511627776, more than this file can hold"},
    };
    enum llmc_number number;
    int rank;
    int64_t found[LLMC_H5_RANK_MAX];
    float *values = calloc(1 << 20, sizeof *values);
    struct llmc_h5 *file = open_made(make_refused);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_fails(llmc_h5_read(file, cases[i].name, LLMC_F32, 1, (const int64_t[]){1 << 20}, values),
                     LLMC_ERR_FORMAT, cases[i].words);
    assert_fails(llmc_h5_describe(file, "huge", &number, &rank, found), LLMC_ERR_FORMAT, "huge: dimension 0");
    assert_ok(llmc_h5_close(&file));
    free(values);
}

/* A chunk is declared to hold 1 KiB, while its stream is that of 64 MiB of zeros. */
static void make_bomb(hid_t id)
{
    const hsize_t dimensions[] = {256}, at[] = {0};
    size_t nbytes = 64 << 20;
    unsigned long packed_nbytes = compressBound(nbytes);
    unsigned char *zeros = calloc(nbytes, 1), *packed = malloc(packed_nbytes);
    assert_int_equal(compress2(packed, &packed_nbytes, zeros, nbytes, 9), Z_OK);
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 1, dimensions);
    H5Pset_deflate(list, 9);
    make_array(id, "bomb", H5T_IEEE_F32LE, 1, dimensions, list);
    hid_t array = H5Dopen2(id, "bomb", H5P_DEFAULT);
    assert_true(H5Dwrite_chunk(array, H5P_DEFAULT, 0, at, packed_nbytes, packed) >= 0);
    H5Dclose(array);
    H5Pclose(list);
    free(zeros);
    free(packed);
}

static void overlong_chunks_are_refused(void **state)
{
    (void)state;
    float values[256];
    struct llmc_h5 *file = open_made(make_bomb);
    assert_fails(llmc_h5_read(file, "bomb", LLMC_F32, 1, (const int64_t[]){256}, values), LLMC_ERR_FORMAT,
                 "bomb: a chunk of 1024 bytes is stored in");
    assert_ok(llmc_h5_close(&file));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(links_out_are_not_followed),
        cmocka_unit_test(other_layouts_are_refused),
        cmocka_unit_test(overlong_chunks_are_refused),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
