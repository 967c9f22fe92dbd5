/* The files of a Hugging Face folder that hold texts: config.json and the tokenizer's. */
#include "architecture/task.h"
#include "base/file.h"
#include "formats/export/huggingface.h"
#include "text/encode.h"
#include "text/wordpiece.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What tokenizer_config.json calls BERT's special tokens. */
static const char *const special_keys[LLMC_SPECIALS] = {"pad_token", "unk_token", "cls_token", "sep_token",
                                                        "mask_token"};

/* Writes and drops `json`; NULL stands for a failure to make it. */
static llmc_status write_json(json_t *json, size_t flags, const char *path)
{
    char *text = json ? json_dumps(json, flags) : NULL;
    json_decref(json);
    if (!text)
        return llmc_error(LLMC_ERR_MEMORY, "%s: cannot make this JSON text", path);
    llmc_status status = llmc_file_write(path, text, strlen(text));
    free(text);
    return status;
}

/* {"[PAD]": 0, ...}: of equal pieces the last counts. NULL: no memory. */
static json_t *make_vocabulary(const struct llmc_compressed *content)
{
    json_t *vocabulary = json_object();
    const char *piece = content->vocabulary, *end = piece + content->vocabulary_nbytes;
    for (json_int_t id = 0; vocabulary && piece < end; id++) {
        char *text;
        size_t nbytes = (size_t)((const char *)memchr(piece, '\n', (size_t)(end - piece)) - piece);
        bool kept = (text = strndup(piece, nbytes)) && json_object_set_new(vocabulary, text, json_integer(id)) == 0;
        free(text);
        if (!kept) {
            json_decref(vocabulary);
            vocabulary = NULL;
        }
        piece += nbytes + 1;
    }
    return vocabulary;
}

/* {"bert.pooler.dense": {"scale": S, "zero_point": Z}, ...}: what the runtime rounds the inputs of linear layers to. */
static json_t *make_inputs(const struct llmc_compressed *content)
{
    json_t *inputs = json_object();
    for (int32_t i = 0; i < content->tensor_count; i++) {
        const struct llmc_compressed_tensor *tensor = &content->tensors[i];
        char name[LLMC_PARAMETER_NAME_NBYTES];
        if (!tensor->has_input)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(strlen(tensor->name) - strlen(".weight")), tensor->name);
        json_object_set_new(inputs, name, json_pack("{s:f, s:i}", "scale", (double)tensor->input_scale, "zero_point",
                                                    tensor->input_zero_point));
    }
    return inputs;
}

llmc_status llmc_export_hf_config(const struct llmc_compressed *content, const char *path)
{
    const struct llmc_architecture *a = &content->architecture;
    char class[64];
    snprintf(class, sizeof class, "%s%s", llmc_encoder_bert.model, llmc_task_single_label.model);
    json_t *vocabulary = make_vocabulary(content);
    json_t *names = json_object(), *ids = json_object();
    for (int32_t i = 0; i < a->labels; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        json_object_set_new(names, key, json_string(content->labels[i]));
        json_object_set_new(ids, content->labels[i], json_integer(i));
    }
    json_t *json = json_pack(
        "{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:O, s:o, s:o, s:o}", "architectures",
        class, "model_type", llmc_encoder_bert.model_type, "vocab_size", a->vocabulary, "max_position_embeddings",
        a->positions, "type_vocab_size", a->types, "hidden_size", a->hidden, "num_hidden_layers", a->layers,
        "num_attention_heads", a->layer[0].heads, "intermediate_size", a->layer[0].ffn, "hidden_act", llmc_activation_name(a->activation),
        "layer_norm_eps", (double)a->norm_epsilon, "pad_token_id", json_object_get(vocabulary, llmc_special_names[LLMC_PAD]), "id2label",
        names, "label2id", ids, "llmc_inputs", make_inputs(content));
    json_decref(vocabulary);
    return write_json(json, JSON_INDENT(2), path);
}

llmc_status llmc_export_hf_vocabulary(const struct llmc_compressed *content, const char *path)
{
    return llmc_file_write(path, content->vocabulary, content->vocabulary_nbytes);
}

llmc_status llmc_export_hf_tokenizer_config(const struct llmc_compressed *content, const char *path)
{
    const struct llmc_tokenizer_rules *rules = &content->rules;
    json_t *json = json_pack("{s:s, s:b, s:b, s:b, s:i}", "tokenizer_class", "BertTokenizer", "do_lower_case",
                             rules->lowercase, "strip_accents", rules->strip_accents, "tokenize_chinese_chars",
                             rules->split_chinese, "model_max_length", content->tokens_max);
    for (int i = 0; i < LLMC_SPECIALS; i++)
        json_object_set_new(json, special_keys[i], json_string(llmc_special_names[i]));
    return write_json(json, JSON_INDENT(2), path);
}

/* One entry of a template: a special token or a text, with the type of its tokens. */
static json_t *template_part(const char *kind, const char *id, int type)
{
    return json_pack("{s:{s:s, s:i}}", kind, "id", id, "type_id", type);
}

/* [CLS] A [SEP], and [CLS] A [SEP] B [SEP], in the words of Hugging Face's tokenizers. */
static json_t *make_processor(const json_t *vocabulary)
{
    json_t *single = json_array(), *pair = json_array(), *tokens = json_object();
    json_array_append_new(single, template_part("SpecialToken", llmc_special_names[LLMC_CLS], 0));
    json_array_append_new(single, template_part("Sequence", "A", 0));
    json_array_append_new(single, template_part("SpecialToken", llmc_special_names[LLMC_SEP], 0));
    json_array_extend(pair, single);
    json_array_append_new(pair, template_part("Sequence", "B", 1));
    json_array_append_new(pair, template_part("SpecialToken", llmc_special_names[LLMC_SEP], 1));
    for (int i = LLMC_CLS; i <= LLMC_SEP; i++) {
        const char *name = llmc_special_names[i];
        json_object_set_new(tokens, name, json_pack("{s:s, s:[O], s:[s]}", "id", name, "ids",
                                                    json_object_get(vocabulary, name), "tokens", name));
    }
    return json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", single, "pair", pair,
                     "special_tokens", tokens);
}

llmc_status llmc_export_hf_tokenizer(const struct llmc_compressed *content, const char *path)
{
    const struct llmc_tokenizer_rules *rules = &content->rules;
    json_t *vocabulary = make_vocabulary(content), *added = json_array();
    for (int i = 0; i < LLMC_SPECIALS; i++) {
        json_t *id = json_object_get(vocabulary, llmc_special_names[i]);
        if (id) /* [MASK] may be missing */
            json_array_append_new(added, json_pack("{s:O, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id, "content",
                                                   llmc_special_names[i], "single_word", 0, "lstrip", 0, "rstrip", 0,
                                                   "normalized", 0, "special", 1));
    }
    json_t *processor = make_processor(vocabulary);
    json_t *json = json_pack(
        "{s:s, s:n, s:n, s:o, s:{s:s, s:b, s:b, s:b, s:b}, s:{s:s}, s:o, s:{s:s, s:s, s:b}, s:{s:s, s:s, s:s, s:i, s:o}}",
        "version", "1.0", "truncation", "padding", "added_tokens", added, "normalizer", "type", "BertNormalizer",
        "clean_text", rules->clean, "handle_chinese_chars", rules->split_chinese, "strip_accents", rules->strip_accents,
        "lowercase", rules->lowercase, "pre_tokenizer", "type", "BertPreTokenizer", "post_processor", processor,
        "decoder", "type", "WordPiece", "prefix", "##", "cleanup", 1, "model", "type", "WordPiece", "unk_token",
        llmc_special_names[LLMC_UNK], "continuing_subword_prefix", "##", "max_input_chars_per_word",
        LLMC_WORD_CHARACTERS_MAX, "vocab", vocabulary);
    return write_json(json, JSON_COMPACT, path);
}
