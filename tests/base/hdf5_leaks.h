/*
 * For tests that give libhdf5 damaged files, or reads that fail: libhdf5 1.10 itself then loses some hundred bytes for
 * each object header, which the leak check of a sanitizers' build would count as ours. Tests of good files do not
 * include this. Included by one .c file per program.
 */
#ifndef LLMC_TESTS_BASE_HDF5_LEAKS_H
#define LLMC_TESTS_BASE_HDF5_LEAKS_H

#ifdef __SANITIZE_ADDRESS__
/* The sanitizer's library must see it: names are hidden in this project unless they say otherwise. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\nleak:^H5"; /* linked shared, or statically */
}
#endif

#endif
