#include "base/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

llmc_status llmc_hash_init(struct llmc_hash *hash)
{
    XXH3_state_t *state = XXH3_createState();
    hash->state = state;
    if (!state)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate a hash state");
    XXH3_128bits_reset(state);
    return LLMC_OK;
}

void llmc_hash_update(struct llmc_hash *hash, const void *bytes, size_t nbytes)
{
    XXH3_128bits_update(hash->state, bytes, nbytes);
}

void llmc_hash_text(struct llmc_hash *hash, const char *text)
{
    llmc_hash_update(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

void llmc_hash_finish(struct llmc_hash *hash, char out[LLMC_HASH_TEXT_NBYTES])
{
    XXH128_hash_t digest = XXH3_128bits_digest(hash->state);
    snprintf(out, LLMC_HASH_TEXT_NBYTES, "%016llx%016llx", (unsigned long long)digest.high64,
             (unsigned long long)digest.low64);
    llmc_hash_release(hash);
}

void llmc_hash_release(struct llmc_hash *hash)
{
    XXH3_freeState(hash->state);
    hash->state = NULL;
}

llmc_status llmc_hash_file(struct llmc_hash *hash, const char *path)
{
    char buffer[1 << 16];
    size_t nbytes;
    FILE *file = fopen(path, "rb");
    if (!file)
        return llmc_error(LLMC_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    while ((nbytes = fread(buffer, 1, sizeof buffer, file)) > 0)
        llmc_hash_update(hash, buffer, nbytes);
    int failed = ferror(file);
    fclose(file);
    if (failed)
        return llmc_error(LLMC_ERR_IO, "%s: cannot read", path);
    return LLMC_OK;
}
