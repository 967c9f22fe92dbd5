#include "text/unlabeled.h"

#include "base/memory.h"
#include "text/line_reader.h"
#include "text/lines.h"

#include <stdlib.h>
#include <string.h>

/* Lines that are encoded at once. */
enum { BLOCK_LINES = 8192 };

struct block {
    char *lines[BLOCK_LINES], *texts[BLOCK_LINES], *pairs[BLOCK_LINES]; /* the latter two point into the lines */
    size_t count;
};

/* Encodes the block's lines into the spool and empties it. */
static llmc_status flush(struct block *block, struct llmc_spool *spool, bool pairs,
                         const struct llmc_tokenizer *tokenizer, int32_t tokens_max)
{
    llmc_status status = LLMC_OK;
    struct llmc_dataset texts = {0};
    const struct llmc_rows rows = {.count = block->count, .texts = block->texts, .pairs = pairs ? block->pairs : NULL};
    LLMC_TRY(llmc_dataset_encode(&texts, &rows, tokenizer, tokens_max));
    LLMC_TRY(llmc_spool_add(spool, &texts));
exit:
    for (size_t i = 0; i < block->count; i++)
        free(block->lines[i]);
    block->count = 0;
    llmc_dataset_release(&texts);
    return status;
}

static bool ends_in(const char *path, const char *end)
{
    size_t length = strlen(path), nbytes = strlen(end);
    return length >= nbytes && strcmp(path + length - nbytes, end) == 0;
}

/* Where the columns stand; in a file without a header the text is the only one. */
struct layout {
    bool header;
    int32_t count, text, pair;
};

static llmc_status read_layout(struct llmc_line_reader *reader, const struct llmc_columns *columns, struct layout *layout)
{
    llmc_status status = LLMC_OK;
    bool pairs = columns->text_pair && columns->text_pair[0];
    char *header;
    size_t nbytes;
    *layout = (struct layout){.count = 1, .text = 0, .pair = -1};
    if (!ends_in(reader->path, ".tsv") && !ends_in(reader->path, ".tsv.gz")) {
        if (pairs)
            LLMC_FAIL(LLMC_ERR_CONFIG, "data.unlabeled: %s: one text a line makes no pairs; allowed are .tsv or .tsv.gz "
                      "with the columns %s and %s", reader->path, columns->text, columns->text_pair);
        return LLMC_OK;
    }
    LLMC_TRY(llmc_line_reader_next(reader, &header, &nbytes));
    if (!header)
        LLMC_FAIL(LLMC_ERR_DATA, "%s: the file is empty; its first line must name the columns", reader->path);
    layout->header = true;
    layout->count = llmc_text_columns(header);
    LLMC_TRY(llmc_text_find_column(&layout->text, header, columns->text, reader->path));
    LLMC_TRY(llmc_text_find_column(&layout->pair, header, columns->text_pair, reader->path));
exit:
    return status;
}

/* Adds a copy of the line to the block. */
static llmc_status take_line(struct block *block, const struct llmc_line_reader *reader, const char *line,
                             const struct layout *layout)
{
    llmc_status status = LLMC_OK;
    char *copy;
    int32_t count = llmc_text_columns(line);
    if (layout->header && count != layout->count)
        LLMC_FAIL(LLMC_ERR_DATA, "%s:%zu: %d columns; the header has %d", reader->path, reader->number, count,
                  layout->count);
    LLMC_TRY(llmc_strdup(&copy, line));
    block->lines[block->count] = copy;
    block->texts[block->count] = copy;
    for (int32_t column = 0; layout->count > 1 && column < count; column++) {
        char *field = copy;
        copy += strcspn(copy, "\t");
        *copy++ = 0;
        if (column == layout->text)
            block->texts[block->count] = field;
        if (column == layout->pair)
            block->pairs[block->count] = field;
    }
    block->count++;
exit:
    return status;
}

llmc_status llmc_unlabeled_read(struct llmc_spool *spool, const char *path, const struct llmc_columns *columns,
                                const struct llmc_tokenizer *tokenizer, int32_t tokens_max)
{
    llmc_status status = LLMC_OK;
    struct llmc_line_reader reader = {0};
    struct block *block = NULL;
    struct layout layout;
    int64_t before = llmc_spool_source(spool).count;
    char *line;
    size_t nbytes;
    LLMC_TRY(llmc_alloc(&block, 1, sizeof *block));
    LLMC_TRY(llmc_line_reader_open(&reader, path));
    LLMC_TRY(read_layout(&reader, columns, &layout));
    for (;;) {
        LLMC_TRY(llmc_line_reader_next(&reader, &line, &nbytes));
        if (line && nbytes > 0)
            LLMC_TRY(take_line(block, &reader, line, &layout));
        if (block->count == BLOCK_LINES || !line)
            LLMC_TRY(flush(block, spool, layout.pair >= 0, tokenizer, tokens_max));
        if (!line)
            break;
    }
    if (llmc_spool_source(spool).count == before)
        LLMC_FAIL(LLMC_ERR_DATA, "data.unlabeled: %s: no texts in it", path);
exit:
    for (size_t i = 0; block && i < block->count; i++)
        free(block->lines[i]);
    free(block);
    llmc_line_reader_close(&reader);
    return status;
}
