"""Random BERT classifiers for tests: in transformers, as the fields and tensors of
a compressed checkpoint (llmc_file.py), and quantised."""
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from bert import reshape  # noqa: E402

words = "the a film movie plot is was not good bad gripping dull and but very ##ly ##ing ##s ##ed".split()
vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list("abcdefghijklmnopqrstuvwxyz.,!?") + words
random = np.random.default_rng(7)


def make_texts(count, longest, shortest=0):
    return [" ".join(random.choice(words[:15], random.integers(shortest, longest))) for _ in range(count)]


def make_model(hidden, layers, heads, ffn, labels, activation, positions=64, shapes=None, rank=0):
    """shapes: (heads, ffn) of each layer, heads of the width that `heads` of them make up. rank: that of the word embedding
    in factors, 0: in one piece; the model has their product."""
    torch.manual_seed(hidden)
    config = BertConfig(vocab_size=len(vocabulary) + 3, hidden_size=hidden, num_hidden_layers=layers,
                        num_attention_heads=heads, intermediate_size=ffn, max_position_embeddings=positions,
                        num_labels=labels, hidden_act=activation, initializer_range=0.3)
    model = BertForSequenceClassification(config).eval()
    if shapes:
        reshape(model, shapes)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.2)
            if "LayerNorm.weight" in name:
                parameter.uniform_(0.5, 1.5)
    fields = {"vocabulary": config.vocab_size, "positions": positions, "types": 2, "hidden": hidden,
              "layers": layers, "heads": heads, "ffn": ffn, "labels": labels, "activation": activation,
              "norm_epsilon": config.layer_norm_eps}
    if shapes:
        del fields["heads"], fields["ffn"]
        fields |= {"head_width": hidden // heads, "shapes": shapes}
    weights = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    if rank:
        fields["embedding_rank"] = rank
        rows = random.normal(0, 0.3, (config.vocab_size, rank)).astype(np.float32)
        projection = random.normal(0, rank ** -0.5, (hidden, rank)).astype(np.float32)
        model.bert.embeddings.word_embeddings.weight.data = torch.tensor(rows @ projection.T)
        weights["bert.embeddings.word_embeddings.weight"] = rows
        weights["bert.embeddings.word_projection.weight"] = projection
    return model, fields, weights


def quantise_weights(weights):
    """int8 and int4 weights, every second linear layer sparse; embeddings in 8 bits."""
    tensors, count = {}, 0
    for name, value in weights.items():
        if value.ndim == 1 or name == "classifier.weight":
            tensors[name] = value
            continue
        count += 1
        bits = 4 if count % 3 == 0 else 8
        limit = 2 ** (bits - 1) - 1
        scales = np.maximum(np.abs(value).max(1), np.float32(1e-6)) / np.float32(limit)  # [PAD] is a row of zeros
        integers = np.clip(np.rint(value / scales[:, None]), -limit, limit).astype(np.int8)
        tensor = (integers, scales.astype(np.float32), bits)
        tensors[name] = [tensor] if count % 2 and "embeddings" not in name else tensor
    return tensors


def choose_inputs(weights):
    inputs = {}
    for name, value in weights.items():
        if value.ndim == 2 and "embeddings" not in name and name != "classifier.weight":
            key = name.replace(".key.", ".query.").replace(".value.", ".query.")
            if key not in inputs:
                inputs[key] = (np.float32(random.uniform(0.02, 0.05)), int(random.integers(100, 156)))
            inputs[name] = inputs[key]
    return inputs
