#include "architecture/encoder.h"

#define ROW(name, kind, rows, cols, site) \
    {name, LLMC_PARAMETER_##kind, LLMC_EXTENT_##rows, LLMC_EXTENT_##cols, LLMC_SITE_##site}
#define VECTOR(name, width) ROW(name, VECTOR, ONE, width, NONE)

const struct llmc_encoder llmc_encoder_bert = {
    .model_type = "bert",
    .model = "Bert",
    .embedding_prefix = "bert.embeddings.",
    .layer_prefix = "bert.encoder.layer.",
    .embeddings = {
        [LLMC_WORDS] = ROW("word_embeddings.weight", EMBEDDING, VOCABULARY, WORD, NONE),
        [LLMC_POSITIONS] = ROW("position_embeddings.weight", EMBEDDING, POSITIONS, HIDDEN, NONE),
        [LLMC_TYPES] = ROW("token_type_embeddings.weight", TYPES, TYPES, HIDDEN, NONE),
        [LLMC_EMBEDDING_NORM_WEIGHT] = VECTOR("LayerNorm.weight", HIDDEN),
        [LLMC_EMBEDDING_NORM_BIAS] = VECTOR("LayerNorm.bias", HIDDEN),
    },
    .layer = {
        [LLMC_QUERY_WEIGHT] = ROW("attention.self.query.weight", LINEAR, ATTENTION, HIDDEN, QKV),
        [LLMC_KEY_WEIGHT] = ROW("attention.self.key.weight", LINEAR, ATTENTION, HIDDEN, QKV),
        [LLMC_VALUE_WEIGHT] = ROW("attention.self.value.weight", LINEAR, ATTENTION, HIDDEN, QKV),
        [LLMC_QUERY_BIAS] = VECTOR("attention.self.query.bias", ATTENTION),
        [LLMC_KEY_BIAS] = VECTOR("attention.self.key.bias", ATTENTION),
        [LLMC_VALUE_BIAS] = VECTOR("attention.self.value.bias", ATTENTION),
        [LLMC_ATTENTION_OUTPUT_WEIGHT] =
            ROW("attention.output.dense.weight", LINEAR, HIDDEN, ATTENTION, ATTENTION_OUTPUT),
        [LLMC_ATTENTION_OUTPUT_BIAS] = VECTOR("attention.output.dense.bias", HIDDEN),
        [LLMC_ATTENTION_NORM_WEIGHT] = VECTOR("attention.output.LayerNorm.weight", HIDDEN),
        [LLMC_ATTENTION_NORM_BIAS] = VECTOR("attention.output.LayerNorm.bias", HIDDEN),
        [LLMC_INTERMEDIATE_WEIGHT] = ROW("intermediate.dense.weight", LINEAR, FFN, HIDDEN, INTERMEDIATE),
        [LLMC_INTERMEDIATE_BIAS] = VECTOR("intermediate.dense.bias", FFN),
        [LLMC_OUTPUT_WEIGHT] = ROW("output.dense.weight", LINEAR, HIDDEN, FFN, OUTPUT),
        [LLMC_OUTPUT_BIAS] = VECTOR("output.dense.bias", HIDDEN),
        [LLMC_OUTPUT_NORM_WEIGHT] = VECTOR("output.LayerNorm.weight", HIDDEN),
        [LLMC_OUTPUT_NORM_BIAS] = VECTOR("output.LayerNorm.bias", HIDDEN),
    },
    .head = {
        [LLMC_POOLER_WEIGHT] = ROW("bert.pooler.dense.weight", LINEAR, HIDDEN, HIDDEN, POOLER),
        [LLMC_POOLER_BIAS] = VECTOR("bert.pooler.dense.bias", HIDDEN),
        [LLMC_CLASSIFIER_WEIGHT] = ROW("classifier.weight", CLASSIFIER, LABELS, HIDDEN, NONE),
        [LLMC_CLASSIFIER_BIAS] = VECTOR("classifier.bias", LABELS),
        [LLMC_WORD_PROJECTION] = ROW("bert.embeddings.word_projection.weight", LINEAR, HIDDEN, WORD, NONE),
    },
};
