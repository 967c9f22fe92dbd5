#include "base/lfs_pointer.h"

#include <string.h>

/* Before 2013 the first line named hawser, the old name of git-lfs. */
static const char *const starts[] = {"version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/"};

llmc_status llmc_lfs_pointer_refuse(const char *path, const void *bytes, size_t nbytes)
{
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (nbytes >= strlen(starts[i]) && memcmp(bytes, starts[i], strlen(starts[i])) == 0)
            return llmc_error(LLMC_ERR_FORMAT, "%s: a git-lfs pointer of %zu bytes, not the file itself; fetch it by "
                              "\"git lfs install\" and \"git lfs pull\" in the repository that it came from", path,
                              nbytes);
    return LLMC_OK;
}
