#include "text/spool.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A token is its id and its type. */
enum { TOKEN_NBYTES = sizeof(int32_t) + sizeof(uint8_t) };

struct llmc_spool {
    FILE *texts;    /* of each text its ids, then its types */
    FILE *ends;     /* int64_t of each text: where it ends */
    int64_t count, nbytes;
    int32_t tokens_max;
    bool unwritten; /* something waits in the streams */
    char *text;     /* [room] one that is read */
    size_t room;
};

static llmc_status disk_error(const char *what)
{
    return llmc_error(LLMC_ERR_IO, "a temporary file of texts: cannot %s: %s", what, strerror(errno));
}

static llmc_status open_unnamed(const char *folder, FILE **out)
{
    llmc_status status = LLMC_OK;
    char *path = NULL;
    LLMC_TRY(llmc_format(&path, "%s/texts.XXXXXX", folder));
    int descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor < 0)
        LLMC_FAIL(LLMC_ERR_IO, "%s: cannot create: %s", path, strerror(errno));
    unlink(path);
    *out = fdopen(descriptor, "w+b");
    if (!*out) {
        close(descriptor);
        status = disk_error("open");
    }
exit:
    free(path);
    return status;
}

llmc_status llmc_spool_create(struct llmc_spool **out, const char *folder)
{
    llmc_status status = LLMC_OK;
    struct llmc_spool *spool;
    *out = NULL;
    LLMC_TRY(llmc_alloc(&spool, 1, sizeof *spool));
    *out = spool;
    LLMC_TRY(open_unnamed(folder, &spool->texts));
    LLMC_TRY(open_unnamed(folder, &spool->ends));
exit:
    if (status != LLMC_OK) {
        llmc_spool_free(*out);
        *out = NULL;
    }
    return status;
}

void llmc_spool_free(struct llmc_spool *spool)
{
    if (!spool)
        return;
    if (spool->texts)
        fclose(spool->texts);
    if (spool->ends)
        fclose(spool->ends);
    free(spool->text);
    free(spool);
}

llmc_status llmc_spool_add(struct llmc_spool *spool, const struct llmc_dataset *texts)
{
    spool->unwritten = true;
    for (size_t i = 0; i < texts->count; i++) {
        int64_t start = texts->offsets[i];
        size_t tokens = (size_t)(texts->offsets[i + 1] - start);
        spool->nbytes += (int64_t)tokens * TOKEN_NBYTES;
        if (fwrite(texts->ids + start, sizeof *texts->ids, tokens, spool->texts) != tokens ||
            fwrite(texts->types + start, 1, tokens, spool->texts) != tokens ||
            fwrite(&spool->nbytes, sizeof spool->nbytes, 1, spool->ends) != 1)
            return disk_error("write");
    }
    spool->count += (int64_t)texts->count;
    spool->tokens_max = texts->tokens_max > spool->tokens_max ? texts->tokens_max : spool->tokens_max;
    return LLMC_OK;
}

static llmc_status read_at(FILE *file, void *bytes, size_t nbytes, int64_t at)
{
    ssize_t got = pread(fileno(file), bytes, nbytes, (off_t)at);
    return got == (ssize_t)nbytes ? LLMC_OK : disk_error("read");
}

static llmc_status add(void *context, int64_t row, struct llmc_batch *batch)
{
    llmc_status status = LLMC_OK;
    struct llmc_spool *spool = context;
    int64_t ends[2] = {0};
    if (spool->unwritten && (fflush(spool->texts) != 0 || fflush(spool->ends) != 0))
        return disk_error("write");
    spool->unwritten = false;
    if (row > 0)
        LLMC_TRY(read_at(spool->ends, ends, sizeof ends, (row - 1) * (int64_t)sizeof *ends));
    else
        LLMC_TRY(read_at(spool->ends, &ends[1], sizeof *ends, 0));
    size_t nbytes = (size_t)(ends[1] - ends[0]), tokens = nbytes / TOKEN_NBYTES;
    if (nbytes > spool->room) {
        free(spool->text);
        spool->room = 0;
        LLMC_TRY(llmc_alloc_unset(&spool->text, nbytes, 1));
        spool->room = nbytes;
    }
    LLMC_TRY(read_at(spool->texts, spool->text, nbytes, ends[0]));
    LLMC_TRY(llmc_batch_add(batch, row, -1, (const int32_t *)(const void *)spool->text,
                            (const uint8_t *)spool->text + tokens * sizeof(int32_t), (int32_t)tokens));
exit:
    return status;
}

struct llmc_text_source llmc_spool_source(struct llmc_spool *spool)
{
    return (struct llmc_text_source){.count = spool->count, .tokens_max = spool->tokens_max, .context = spool, .add = add};
}
