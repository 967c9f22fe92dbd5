"""The runtime against transformers in FP32, and in integers against the
documented arithmetic in numpy: usage test_runtime_reference.py PRINT_LOGITS"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from transformers import BertTokenizerFast

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import llmc_file
from random_model import choose_inputs, make_model, make_texts, quantise_weights, vocabulary

PRINT_LOGITS = sys.argv[1]
FP32_TOLERANCE = 1e-4
INTEGER_TOLERANCE = 1e-3
LEVELS = {"best": "", "avx512_vnni": "amx_int8", "avx_vnni": "avx512", "avx2": "avx512,avx_vnni", "portable": "avx2"}


def make_tokenizer(folder):
    path = os.path.join(folder, "vocab.txt")
    with open(path, "w") as file:
        file.write("\n".join(vocabulary) + "\n")
    return BertTokenizerFast(vocab_file=path, vocab=path, do_lower_case=True)


def run(path, lines, threads=2, call=1000, disable=""):
    done = subprocess.run([PRINT_LOGITS, path, str(threads), str(call)], input="\n".join(lines) + "\n",
                          capture_output=True, text=True, env=os.environ | {"LLMC_DISABLE_CPU_FEATURES": disable})
    assert done.returncode == 0, done.stderr
    return np.array([[float.fromhex(x) for x in line.split("\t")] for line in done.stdout.splitlines()])


def check_independence(path, lines, logits):
    """Threads, grouping and processor level do not change a bit."""
    for threads, call in ((1, 1000), (2, 1), (3, 7), (4, 1), (2, 1000)):
        assert np.array_equal(run(path, lines, threads, call), logits), (threads, call)
    for level, disable in LEVELS.items():
        for threads in 1, 2, 3, 4:
            assert np.array_equal(run(path, lines, threads, 7, disable), logits), (level, threads)


def compare(name, got, expected, tolerance):
    worst = np.abs(got - expected).max()
    print(f"{name}: largest difference {worst:.2e}, logits up to {np.abs(expected).max():.2f}")
    assert worst < tolerance


def encode(tokenizer, line, tokens_max):
    text, _, pair = line.partition("\t")
    return tokenizer(text, pair if "\t" in line else None, truncation="longest_first", max_length=tokens_max,
                     return_tensors="pt")


def test_fp32(folder, tokenizer, pairs=False, number=np.float32, **shape):
    model, fields, weights = make_model(**shape)
    if number is np.float16:
        weights = {name: value.astype(np.float16) for name, value in weights.items()}
        model.load_state_dict({name: torch.tensor(value.astype(np.float32)) for name, value in weights.items()},
                              strict=False)
    path = os.path.join(folder, "model.llmc")
    tokens_max = 48
    labels = [f"label {i}" for i in range(fields["labels"])]
    llmc_file.write(path, fields, weights, {}, vocabulary, labels, tokens_max)
    lines = make_texts(60, 70)
    if pairs:  # transformers takes an empty second text for none
        lines = [a + "\t" + b for a, b in zip(lines, make_texts(60, 40, 1))]
    with torch.no_grad():
        expected = np.concatenate([model(**encode(tokenizer, line, tokens_max)).logits.numpy() for line in lines])
    got = run(path, lines)
    compare(f"fp32 {shape} {number.__name__}", got, expected, FP32_TOLERANCE)
    check_independence(path, lines, got)


class Documented:
    """The forward pass in float64 with the header's integer arithmetic in int64."""

    def __init__(self, fields, tensors, inputs):
        self.fields, self.inputs = fields, inputs
        self.tensors = {name: value[0] if isinstance(value, list) else value for name, value in tensors.items()}

    def linear(self, name, x):
        weight, bias = self.tensors[name + ".weight"], self.tensors[name + ".bias"].astype(np.float64)
        if name + ".weight" not in self.inputs:
            return x @ weight.astype(np.float64).T + bias
        scale, zero_point = self.inputs[name + ".weight"]
        q = np.clip(np.rint(x.astype(np.float32) * (np.float32(1) / scale)) + zero_point, 0, 255).astype(np.int64)
        integers, scales, _ = weight
        sums = q @ integers.astype(np.int64).T - zero_point * integers.astype(np.int64).sum(1)
        return sums.astype(np.float64) * (scale * scales).astype(np.float64) + bias

    def norm(self, name, x):
        centred = x - x.mean(-1, keepdims=True)
        x = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + self.fields["norm_epsilon"])
        return x * self.tensors[name + ".weight"] + self.tensors[name + ".bias"]

    def embedding(self, name, rows):
        integers, scales, _ = self.tensors[f"bert.embeddings.{name}.weight"]
        return integers[rows].astype(np.float64) * scales[rows][:, None].astype(np.float64)

    def logits(self, ids, types):
        gelu = lambda x: torch.nn.functional.gelu(torch.tensor(x)).numpy()
        words = self.embedding("word_embeddings", ids)
        if "embedding_rank" in self.fields:
            words = words @ self.embedding("word_projection", slice(None)).T
        x = (words + self.embedding("position_embeddings", np.arange(len(ids)))
             + self.embedding("token_type_embeddings", types))
        x = self.norm("bert.embeddings.LayerNorm", x)
        even = [(self.fields.get("heads"), None)] * self.fields["layers"]
        for i, (heads, _) in enumerate(self.fields.get("shapes", even)):
            at = f"bert.encoder.layer.{i}."
            q, k, v = (self.linear(at + "attention.self." + part, x).reshape(len(ids), heads, -1).transpose(1, 0, 2)
                       for part in ("query", "key", "value"))
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            context = (scores / scores.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(ids), -1)
            x = self.norm(at + "attention.output.LayerNorm", self.linear(at + "attention.output.dense", context) + x)
            wide = gelu(self.linear(at + "intermediate.dense", x))
            x = self.norm(at + "output.LayerNorm", self.linear(at + "output.dense", wide) + x)
        return self.linear("classifier", np.tanh(self.linear("bert.pooler.dense", x[:1])))[0]


def prune(fields, weights):
    """A head of the first layer and half of the neurons of all layers have no effect."""
    width = fields.get("head_width") or fields["hidden"] // fields["heads"]
    weights["bert.encoder.layer.0.attention.output.dense.weight"][:, width:2 * width] = 0
    for i in range(fields["layers"]):
        weights[f"bert.encoder.layer.{i}.output.dense.weight"][:, 1::2] = 0


def test_integers(folder, tokenizer, pruned=False, **shape):
    _, fields, weights = make_model(**shape)
    if pruned:
        prune(fields, weights)
    tensors, inputs = quantise_weights(weights), choose_inputs(weights)
    path = os.path.join(folder, "model.llmc")
    llmc_file.write(path, fields, tensors, inputs, vocabulary, ["no", "yes"], 48)
    lines = make_texts(40, 50)
    documented = Documented(fields, tensors, inputs)
    expected = []
    for line in lines:
        batch = encode(tokenizer, line, 48)
        expected.append(documented.logits(batch["input_ids"][0].numpy(), batch["token_type_ids"][0].numpy()))
    got = run(path, lines)
    # A value that lies on a rounding boundary may fall to either side in FP32 and
    # in double precision: then a whole text moves a little. Most must agree closely.
    differences = np.abs(got - np.array(expected)).max(1)
    close = np.mean(differences < INTEGER_TOLERANCE)
    print(f"integers{' pruned' * pruned} {shape}: median difference {np.median(differences):.2e}, largest {differences.max():.2e}, "
          f"{close:.0%} below {INTEGER_TOLERANCE}")
    assert np.median(differences) < INTEGER_TOLERANCE / 100 and close >= 0.9
    check_independence(path, lines, got)
    if "embedding_rank" in fields:
        return
    # Files of old versions give the same bits.
    llmc_file.write_groups(path, fields, tensors, inputs, vocabulary, ["no", "yes"], 48)
    assert np.array_equal(run(path, lines), got)


with tempfile.TemporaryDirectory() as folder:
    tokenizer = make_tokenizer(folder)
    test_fp32(folder, tokenizer, hidden=48, layers=2, heads=4, ffn=96, labels=2, activation="gelu")
    test_fp32(folder, tokenizer, hidden=30, layers=3, heads=3, ffn=77, labels=5, activation="gelu_new", pairs=True)
    test_fp32(folder, tokenizer, hidden=20, layers=1, heads=1, ffn=33, labels=17, activation="relu",
              number=np.float16)
    test_integers(folder, tokenizer, hidden=64, layers=2, heads=4, ffn=128, labels=2, activation="gelu")
    test_integers(folder, tokenizer, hidden=30, layers=2, heads=3, ffn=41, labels=2, activation="gelu")
    # Words in factors: whole steps of integers and not, and the full rank.
    test_fp32(folder, tokenizer, hidden=48, layers=2, heads=4, ffn=96, labels=2, activation="gelu", rank=13)
    for rank in (1, 64, 40):
        test_integers(folder, tokenizer, hidden=64, layers=2, heads=4, ffn=128, labels=2, activation="gelu", rank=rank)
    # Layers that differ: with heads that make up less and more than hidden, and one number between the two layers.
    shapes = [(2, 96), (5, 17), (1, 1)]
    test_fp32(folder, tokenizer, hidden=48, layers=3, heads=4, ffn=96, labels=2, activation="gelu", shapes=shapes)
    test_integers(folder, tokenizer, hidden=48, layers=3, heads=4, ffn=96, labels=2, activation="gelu", shapes=shapes)
    test_integers(folder, tokenizer, pruned=True, hidden=30, layers=2, heads=3, ffn=41, labels=2, activation="gelu",
                  shapes=[(3, 40), (2, 9)])
    test_integers(folder, tokenizer, pruned=True, hidden=30, layers=2, heads=3, ffn=41, labels=2, activation="gelu")
