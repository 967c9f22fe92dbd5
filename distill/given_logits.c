#include "distill/given_logits.h"

#include "base/memory.h"
#include "formats/hdf5/file.h"
#include "text/line_reader.h"
#include "text/lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Probabilities cut to two digits are off by so much each, those of many labels together by no more than the second (and
 * the sum by its own rounding); it is made 1. The least that counts, so that one 0 does not outweigh all other answers. */
#define DIGITS_TOLERANCE 1.01e-2
#define SUM_TOLERANCE 5e-2
#define PROBABILITY_MIN 1e-6

/* "PATH:LINE" or "PATH: row N", for messages. */
struct place {
    const char *path, *what;
    int64_t number;
};

/* Checks a row [labels] and makes logits of it. */
static llmc_status take_row(const struct llmc_given_logits *given, const struct place *place, float *row)
{
    int32_t labels = given->data->labels.count;
    double sum = 0;
    for (int32_t i = 0; i < labels; i++) {
        if (!isfinite(row[i]))
            return llmc_error(LLMC_ERR_DATA, "%s:%s%lld: the number of label \"%s\" is not finite", place->path, place->what,
                              (long long)place->number, given->data->labels.names[i]);
        sum += (double)row[i];
        if (given->probabilities && (row[i] < 0 || row[i] > 1))
            return llmc_error(LLMC_ERR_DATA, "%s:%s%lld: %g is no probability; allowed are numbers from 0 to 1, or holds: logits",
                              place->path, place->what, (long long)place->number, (double)row[i]);
    }
    if (given->probabilities && fabs(sum - 1) > fmin(DIGITS_TOLERANCE * labels, SUM_TOLERANCE))
        return llmc_error(LLMC_ERR_DATA, "%s:%s%lld: the probabilities sum to %g, not to 1; with logits write holds: logits",
                          place->path, place->what, (long long)place->number, sum);
    for (int32_t i = 0; given->probabilities && i < labels; i++)
        row[i] = (float)log(fmax((double)row[i] / sum, PROBABILITY_MIN));
    return LLMC_OK;
}

static llmc_status wrong_count(const struct llmc_given_logits *given, const char *more_than, int64_t rows)
{
    return llmc_error(LLMC_ERR_DATA, "%s: answers to %s%lld texts; there are %lld: %zu training texts%s", given->path,
                      more_than, (long long)rows, (long long)given->texts->count, given->data->train.count,
                      given->data->unlabeled ? " and those of data.unlabeled" : "");
}

/* ---- TSV ---- */

/* Where the columns stand. */
struct layout {
    int32_t count, text, pair;
    int32_t *labels; /* [labels] */
};

static bool names_column(const char *header, const char *name)
{
    size_t nbytes = name ? strlen(name) : 0;
    for (const char *at = header; nbytes > 0; at++) {
        size_t length = strcspn(at, "\t");
        if (length == nbytes && memcmp(at, name, nbytes) == 0)
            return true;
        at += length;
        if (*at == 0)
            break;
    }
    return false;
}

static llmc_status read_header(const struct llmc_given_logits *given, const char *header, struct layout *layout)
{
    llmc_status status = LLMC_OK;
    const struct llmc_data *data = given->data;
    bool texts = names_column(header, data->columns.text);
    *layout = (struct layout){.count = llmc_text_columns(header), .text = -1, .pair = -1};
    LLMC_TRY(llmc_alloc(&layout->labels, (size_t)data->labels.count, sizeof *layout->labels));
    for (int32_t i = 0; i < data->labels.count; i++)
        LLMC_TRY(llmc_text_find_column(&layout->labels[i], header, data->labels.names[i], given->path));
    if (texts) {
        LLMC_TRY(llmc_text_find_column(&layout->text, header, data->columns.text, given->path));
        LLMC_TRY(llmc_text_find_column(&layout->pair, header, data->columns.text_pair, given->path));
    }
exit:
    return status;
}

/* Whether the tokens of the row's text are those of the text that it answers. */
static llmc_status check_text(const struct llmc_given_logits *given, const struct place *place, int64_t row, char *text,
                              char *pair, struct llmc_batch *batch)
{
    llmc_status status = LLMC_OK;
    int32_t *ids = NULL, count;
    LLMC_TRY(llmc_batch_gather(batch, given->texts, &row, 1));
    LLMC_TRY(llmc_alloc(&ids, (size_t)given->tokens_max, sizeof *ids));
    LLMC_TRY(llmc_tokenizer_encode(given->data->tokenizer, text, strlen(text), pair, pair ? strlen(pair) : 0,
                                   given->tokens_max, ids, NULL, &count));
    if (count != batch->tokens || memcmp(ids, batch->ids, (size_t)count * sizeof *ids) != 0)
        LLMC_FAIL(LLMC_ERR_DATA, "%s:%s%lld: another text than the one that it must answer, text %lld: \"%.60s\"", place->path,
                  place->what, (long long)place->number, (long long)row + 1, text);
exit:
    free(ids);
    return status;
}

static llmc_status read_line(const struct llmc_given_logits *given, const struct layout *layout, const struct place *place,
                             char *line, int64_t row, struct llmc_batch *batch, float *out)
{
    llmc_status status = LLMC_OK;
    int32_t count = llmc_text_columns(line);
    char *text = NULL, *pair = NULL;
    if (count != layout->count)
        LLMC_FAIL(LLMC_ERR_DATA, "%s:%lld: %d columns; the header has %d", place->path, (long long)place->number, count,
                  layout->count);
    for (int32_t column = 0; column < count; column++) {
        char *field = line, *end;
        line += strcspn(line, "\t");
        *line++ = 0;
        text = column == layout->text ? field : text;
        pair = column == layout->pair ? field : pair;
        for (int32_t i = 0; i < given->data->labels.count; i++) {
            if (column != layout->labels[i])
                continue;
            out[i] = strtof(field, &end);
            if (end == field || *end)
                LLMC_FAIL(LLMC_ERR_DATA, "%s:%lld: \"%.40s\" is no number", place->path, (long long)place->number, field);
        }
    }
    LLMC_TRY(take_row(given, place, out));
    if (text)
        LLMC_TRY(check_text(given, place, row, text, pair, batch));
exit:
    return status;
}

static llmc_status read_tsv(const struct llmc_given_logits *given, struct llmc_logits_file *file)
{
    llmc_status status = LLMC_OK;
    struct llmc_line_reader reader = {0};
    struct layout layout = {0};
    struct llmc_batch batch = {0};
    float *row = NULL;
    char *line;
    size_t nbytes;
    int64_t text = 0;
    LLMC_TRY(llmc_alloc(&row, (size_t)given->data->labels.count, sizeof *row));
    LLMC_TRY(llmc_line_reader_open(&reader, given->path));
    LLMC_TRY(llmc_line_reader_next(&reader, &line, &nbytes));
    if (!line)
        LLMC_FAIL(LLMC_ERR_DATA, "%s: the file is empty; its first line must name the labels", given->path);
    LLMC_TRY(read_header(given, line, &layout));
    for (;;) {
        LLMC_TRY(llmc_line_reader_next(&reader, &line, &nbytes));
        if (!line)
            break;
        if (nbytes == 0) /* at the end, as in files of texts */
            continue;
        if (text == given->texts->count) {
            status = wrong_count(given, "more than ", text);
            goto exit;
        }
        const struct place place = {given->path, "", (int64_t)reader.number};
        LLMC_TRY(read_line(given, &layout, &place, line, text++, &batch, row));
        if (file)
            LLMC_TRY(llmc_logits_file_add(file, row, 1));
    }
    if (text != given->texts->count)
        status = wrong_count(given, "", text);
exit:
    free(row);
    free(layout.labels);
    llmc_batch_release(&batch);
    llmc_line_reader_close(&reader);
    return status;
}

/* ---- HDF5 ---- */

/* place [labels] = where each label of the data stands in the file. */
static llmc_status find_labels(const struct llmc_given_logits *given, struct llmc_h5 *h5, int32_t *place)
{
    llmc_status status = LLMC_OK;
    const struct llmc_labels *labels = &given->data->labels;
    char *text = NULL;
    int32_t number = 0, found = 0;
    for (int32_t i = 0; i < labels->count; i++)
        place[i] = -1;
    LLMC_TRY(llmc_h5_read_text(h5, "", "labels", &text));
    for (char *name = text, *end; *name; name = end, number++) {
        end = name + strcspn(name, "\n");
        if (*end)
            *end++ = 0;
        int32_t label = llmc_labels_find(labels, name);
        if (label < 0)
            LLMC_FAIL(LLMC_ERR_DATA, "%s: labels: the data have no label \"%s\"", given->path, name);
        if (place[label] >= 0)
            LLMC_FAIL(LLMC_ERR_DATA, "%s: labels: \"%s\" is named twice", given->path, name);
        place[label] = number;
        found++;
    }
    if (found != labels->count)
        LLMC_FAIL(LLMC_ERR_DATA, "%s: labels: %d names; the data have %d labels", given->path, found, labels->count);
exit:
    free(text);
    return status;
}

static llmc_status check_hashes(const struct llmc_given_logits *given, struct llmc_h5 *h5)
{
    llmc_status status = LLMC_OK;
    const struct llmc_data *data = given->data;
    struct llmc_rows rows = {0};
    struct llmc_labels labels = {0};
    int64_t *hashes = NULL;
    const int64_t shape[1] = {given->texts->count};
    if (!llmc_h5_has(h5, "crc32"))
        return LLMC_OK;
    LLMC_TRY(llmc_alloc(&hashes, (size_t)shape[0], sizeof *hashes));
    LLMC_TRY(llmc_h5_read(h5, "crc32", LLMC_I64, 1, shape, hashes));
    LLMC_TRY(llmc_rows_read(&rows, data->train_path, &data->columns, &labels));
    for (size_t i = 0; i < rows.count; i++) {
        uLong crc = crc32_z(0, (const Bytef *)rows.texts[i], strlen(rows.texts[i]));
        if (rows.pairs) {
            crc = crc32_z(crc, (const Bytef *)"\t", 1);
            crc = crc32_z(crc, (const Bytef *)rows.pairs[i], strlen(rows.pairs[i]));
        }
        if ((int64_t)crc != hashes[i])
            LLMC_FAIL(LLMC_ERR_DATA, "%s: crc32: row %zu answers another text than \"%.60s\"", given->path, i + 1, rows.texts[i]);
    }
exit:
    free(hashes);
    llmc_rows_release(&rows);
    llmc_labels_release(&labels);
    return status;
}

static llmc_status read_h5(const struct llmc_given_logits *given, struct llmc_logits_file *file)
{
    llmc_status status = LLMC_OK;
    struct llmc_h5 *h5 = NULL;
    int32_t labels = given->data->labels.count, *place = NULL;
    enum llmc_number number;
    int rank;
    int64_t shape[LLMC_H5_RANK_MAX];
    float *logits = NULL, *row = NULL;
    LLMC_TRY(llmc_alloc(&place, (size_t)labels, sizeof *place));
    LLMC_TRY(llmc_alloc(&row, (size_t)labels, sizeof *row));
    LLMC_TRY(llmc_h5_open(&h5, given->path));
    LLMC_TRY(find_labels(given, h5, place));
    LLMC_TRY(llmc_h5_describe(h5, "logits", &number, &rank, shape));
    if (number != LLMC_F32 || rank != 2 || shape[1] != labels)
        LLMC_FAIL(LLMC_ERR_DATA, "%s: logits: allowed is float32 of shape [%lld, %d]", given->path,
                  (long long)given->texts->count, labels);
    if (shape[0] != given->texts->count) {
        status = wrong_count(given, "", shape[0]);
        goto exit;
    }
    LLMC_TRY(check_hashes(given, h5));
    LLMC_TRY(llmc_alloc_unset(&logits, (size_t)(shape[0] * labels), sizeof *logits));
    LLMC_TRY(llmc_h5_read(h5, "logits", LLMC_F32, 2, shape, logits));
    for (int64_t text = 0; text < shape[0]; text++) {
        const struct place where = {given->path, " row ", text + 1};
        for (int32_t i = 0; i < labels; i++)
            row[i] = logits[text * labels + place[i]];
        LLMC_TRY(take_row(given, &where, row));
        if (file)
            LLMC_TRY(llmc_logits_file_add(file, row, 1));
    }
exit:
    llmc_h5_abandon(&h5);
    free(place);
    free(row);
    free(logits);
    return status;
}

llmc_status llmc_given_logits_read(const struct llmc_given_logits *given, struct llmc_logits_file *file)
{
    size_t length = strlen(given->path);
    bool tsv = (length > 4 && strcmp(given->path + length - 4, ".tsv") == 0) ||
               (length > 7 && strcmp(given->path + length - 7, ".tsv.gz") == 0);
    if (file)
        file->done = 0; /* one under way is begun anew: reading is short */
    return tsv ? read_tsv(given, file) : read_h5(given, file);
}
