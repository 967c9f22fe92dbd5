/*
 * keep_pieces FOLDER DATA.tsv TEXT PAIR TOKENS_MAX pieces|bytes|count_min N OUT.txt: keeps so many word pieces of a Hugging
 * Face folder's tokenizer by the texts of a file (column PAIR "": none) and writes them to OUT.txt. Standard output: a JSON
 * object of figures, then a line for each text: the ids that the text has by the kept pieces, made from those that it had.
 */
#include "base/memory.h"
#include "text/join.h"
#include "vocabulary/choose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static llmc_status print_texts(const struct llmc_text_source *texts)
{
    llmc_status status = LLMC_OK;
    struct llmc_batch batch = {0};
    for (int64_t row = 0; row < texts->count; row++) {
        LLMC_TRY(llmc_batch_gather(&batch, texts, &row, 1));
        for (int32_t i = 0; i < batch.tokens; i++)
            printf("%d:%d ", batch.ids[i], batch.types[i]);
        printf("\n");
    }
exit:
    llmc_batch_release(&batch);
    return status;
}

static llmc_status write_pieces(const char *path, const struct llmc_tokenizer *tokenizer)
{
    size_t nbytes;
    const char *pieces = llmc_tokenizer_vocabulary(tokenizer, &nbytes);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(pieces, 1, nbytes, file) != nbytes || fclose(file) != 0)
        return llmc_error(LLMC_ERR_IO, "%s: cannot write", path);
    return LLMC_OK;
}

int main(int argc, char **argv)
{
    llmc_status status = LLMC_OK;
    struct llmc_tokenizer *tokenizer = NULL, *smaller = NULL;
    struct llmc_rows rows = {0};
    struct llmc_labels labels = {0};
    struct llmc_dataset dataset = {0};
    struct llmc_pieces_words words = {0};
    struct llmc_pieces_choice choice = {0};
    struct llmc_text_source texts, joined = {0};
    if (argc != 9)
        LLMC_FAIL(LLMC_ERR_ARGUMENT, "usage: keep_pieces FOLDER DATA.tsv TEXT PAIR TOKENS_MAX pieces|bytes|count_min N OUT.txt");
    int64_t most = atoll(argv[7]);
    int32_t tokens_max = atoi(argv[5]);
    const struct llmc_columns columns = {.text = argv[3], .text_pair = argv[4]};
    const struct llmc_pieces_budget budget = {.pieces = strcmp(argv[6], "pieces") == 0 ? most : 0,
                                              .bytes = strcmp(argv[6], "bytes") == 0 ? most : 0,
                                              .count_min = strcmp(argv[6], "count_min") == 0 ? most : 0,
                                              .row_nbytes = 196};
    LLMC_TRY(llmc_tokenizer_load(&tokenizer, argv[1]));
    LLMC_TRY(llmc_rows_read(&rows, argv[2], &columns, &labels));
    LLMC_TRY(llmc_dataset_encode(&dataset, &rows, tokenizer, tokens_max));
    texts = llmc_dataset_source(&dataset);
    LLMC_TRY(llmc_pieces_count_words(&words, &texts, tokenizer, NULL));
    LLMC_TRY(llmc_pieces_choose(&choice, tokenizer, &words, &budget));
    LLMC_TRY(llmc_pieces_tokenizer(&smaller, tokenizer, &choice));
    LLMC_TRY(write_pieces(argv[8], smaller));
    int32_t used = 0;
    for (int32_t i = 0; i < choice.count; i++)
        used += choice.counts[i] > 0;
    printf("{\"kept\": %d, \"used\": %d, \"words\": %lld, \"before\": %lld, \"after\": %lld}\n", choice.count, used,
           (long long)words.count, (long long)words.tokens, (long long)(words.tokens - words.pieces + choice.tokens));
    LLMC_TRY(llmc_joined_source(&joined, &texts, tokenizer, smaller, tokens_max));
    LLMC_TRY(print_texts(&joined));
exit:
    if (status != LLMC_OK)
        fprintf(stderr, "%s\n", llmc_error_message());
    llmc_text_source_close(&joined);
    llmc_pieces_choice_release(&choice);
    llmc_pieces_words_release(&words);
    llmc_dataset_release(&dataset);
    llmc_labels_release(&labels);
    llmc_rows_release(&rows);
    llmc_tokenizer_free(smaller);
    llmc_tokenizer_free(tokenizer);
    return llmc_status_exit(status);
}
