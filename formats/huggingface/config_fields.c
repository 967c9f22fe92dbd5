/*
 * From BertConfig, PreTrainedConfig and GenerationConfig of transformers 2 to 5, and from what Google's and others'
 * BERT folders carry along.
 */
#include "formats/huggingface/config_fields.h"

#include "base/json_fields.h"

#define ANY(name) {name, LLMC_FIELD_ANY, NULL}
#define OFF(name) {name, LLMC_FIELD_OFF, NULL}
#define TEXT(name, allowed) {name, LLMC_FIELD_TEXT, allowed}

static const struct llmc_json_field fields[] = {
    /* read by config.c */
    ANY("model_type"), ANY("vocab_size"), ANY("max_position_embeddings"), ANY("type_vocab_size"), ANY("hidden_size"),
    ANY("num_hidden_layers"), ANY("num_attention_heads"), ANY("intermediate_size"), ANY("layer_norm_eps"),
    ANY("hidden_act"), ANY("id2label"), ANY("label2id"), ANY("num_labels"), ANY("_num_labels"), ANY("architectures"),
    ANY("problem_type"),

    /* what would be another model */
    TEXT("position_embedding_type", "absolute"), OFF("is_decoder"), OFF("is_encoder_decoder"),
    OFF("add_cross_attention"), OFF("pruned_heads"), OFF("quantization_config"), OFF("compression_config"),
    OFF("per_layer_config"), OFF("auto_map"), OFF("custom_pipelines"), OFF("transformers_weights"), OFF("adapters"),
    OFF("adapter_fusion"), OFF("attention_window"),

    /* training alone */
    ANY("hidden_dropout_prob"), ANY("attention_probs_dropout_prob"), ANY("classifier_dropout"),
    ANY("initializer_range"), ANY("gradient_checkpointing"), ANY("finetuning_task"),

    /* how transformers computes, not what */
    ANY("dtype"), ANY("torch_dtype"), ANY("use_bfloat16"), ANY("torchscript"), ANY("use_cache"),
    ANY("chunk_size_feed_forward"), ANY("attn_implementation"), ANY("_attn_implementation"),
    ANY("_attn_implementation_autoset"), ANY("_attn_implementation_internal"), ANY("tf_legacy_loss"), ANY("xla_device"),

    /* what transformers hands back besides the logits */
    ANY("output_attentions"), ANY("output_hidden_states"), ANY("output_past"), ANY("return_dict"),
    ANY("use_return_dict"), ANY("tie_last_hidden_states"),

    /* parts that a classifier does not have: the head of a language model, a decoder, the pooler of Google's files */
    ANY("tie_word_embeddings"), ANY("tie_encoder_decoder"), ANY("cross_attention_hidden_size"), ANY("directionality"),
    ANY("pooler_fc_size"), ANY("pooler_num_attention_heads"), ANY("pooler_num_fc_layers"),
    ANY("pooler_size_per_head"), ANY("pooler_type"), ANY("summary_type"), ANY("summary_use_proj"),
    ANY("summary_activation"), ANY("summary_last_dropout"), ANY("summary_first_dropout"),
    ANY("summary_proj_to_labels"),

    /* ids and texts that the tokenizer's files decide; text/tokenizer_config.c reads the class */
    ANY("tokenizer_class"),     ANY("pad_token_id"), ANY("bos_token_id"), ANY("eos_token_id"), ANY("sep_token_id"), ANY("cls_token_id"),
    ANY("mask_token_id"), ANY("unk_token_id"), ANY("decoder_start_token_id"), ANY("prefix"),

    /* generation */
    ANY("max_length"), ANY("min_length"), ANY("do_sample"), ANY("early_stopping"), ANY("num_beams"),
    ANY("num_beam_groups"), ANY("diversity_penalty"), ANY("temperature"), ANY("top_k"), ANY("top_p"), ANY("typical_p"),
    ANY("repetition_penalty"), ANY("encoder_repetition_penalty"), ANY("length_penalty"), ANY("no_repeat_ngram_size"),
    ANY("encoder_no_repeat_ngram_size"), ANY("bad_words_ids"), ANY("num_return_sequences"), ANY("output_scores"),
    ANY("return_dict_in_generate"), ANY("forced_bos_token_id"), ANY("forced_eos_token_id"),
    ANY("remove_invalid_values"), ANY("exponential_decay_length_penalty"), ANY("suppress_tokens"),
    ANY("begin_suppress_tokens"), ANY("epsilon_cutoff"), ANY("eta_cutoff"), ANY("num_assistant_tokens"),
    ANY("num_assistant_tokens_schedule"), ANY("assistant_confidence_threshold"), ANY("assistant_lookbehind"),
    ANY("target_lookbehind"),

    /* where the folder comes from */
    ANY("_name_or_path"), ANY("name_or_path"), ANY("_commit_hash"), ANY("transformers_version"),
    ANY("task_specific_params"), ANY("language"), ANY("name"), ANY("license"), ANY("model_max_length"),
    ANY("sentence_transformers"), ANY("transformers.js_config"), ANY("adapters_version"), ANY("is_local"),
    ANY("sbert_ce_default_activation_function"), ANY("llmc_inputs"),

    /* TinyBERT's */
    OFF("cell"), OFF("structure"), ANY("pre_trained"), ANY("training"), ANY("emb_size"),
};

llmc_status llmc_hf_config_fields_check(const json_t *root, const char *path)
{
    return llmc_json_fields_check(root, fields, sizeof fields / sizeof fields[0], path, "");
}
