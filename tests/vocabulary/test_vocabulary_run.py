"""The stage vocabulary in a run of llmc-distill: rows and pieces that stay, the loss of the first step behind it against
transformers, a second one, kill -9 with the same bits, the file, and what is refused. Arguments and tiny BERT as those of
tests/cli/test_distill.py, with letters and a few other pieces in its vocabulary."""
import json
import random
import signal
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
import test_distill  # noqa: E402
from test_distill import BAD, GOOD, LLMC, PLAIN, World, bytes_of, expect, make_rows, metrics_of, write_tsv  # noqa: E402

LOSS_TOLERANCE = 1e-5  # FP32 through two layers
KILLS = 3
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = list(string.ascii_lowercase) + ["##" + c for c in string.ascii_lowercase]
WORDS = sorted(word for word in GOOD + BAD + PLAIN + ["fil", "##ot", "ove", "##ly", "##ot!", "super", "unseen"] if len(word) > 1)
PIECES = SPECIAL[:4] + ["[unused1]", "!", "##!"] + SPECIAL[4:] + LETTERS + WORDS
LEAST = len(SPECIAL) + 1 + len(LETTERS)
HEAD = """name: vocabulary
seed: 3
threads: 2
precision: fp32
checkpoint_seconds: 0
data: {folder: few, tokens_max: 24}
teacher: {folder: answering}
student: {layers: 2, from_layers: [0, 2]}
stages:
  - {stage: logits}
"""


def write_teacher(folder):
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("".join(w + "\n" for w in PIECES))
    torch.manual_seed(1)
    BertForSequenceClassification(BertConfig(
        vocab_size=len(PIECES) + 3, hidden_size=96, num_hidden_layers=4, num_attention_heads=4, intermediate_size=384,
        max_position_embeddings=32, num_labels=2, id2label={0: "0", 1: "1"})).save_pretrained(folder)


def configure(world, stages, head=HEAD):
    (world.root / "config.yaml").write_text(head + stages)


def pieces_of(path):
    with h5py.File(path) as file:
        return bytes(file["vocabulary"][...]).decode().splitlines()


def parameters_of(path):
    with h5py.File(path) as file:
        found = {}
        file["parameters"].visititems(lambda name, o: found.update({name: o[...]}) if isinstance(o, h5py.Dataset) else None)
        return found


def expected_loss(world, rows, checkpoint):
    """Of the first step behind the stage: the teacher's logits by all pieces, the student's by those that stay."""
    teacher = BertForSequenceClassification.from_pretrained(world.root / "data/answering").eval()
    pieces, weights = pieces_of(checkpoint), parameters_of(checkpoint)
    student = BertForSequenceClassification(BertConfig(
        vocab_size=len(pieces), hidden_size=96, num_hidden_layers=2, num_attention_heads=4, intermediate_size=384,
        max_position_embeddings=24, num_labels=2)).eval()
    state = {name: torch.tensor(np.squeeze(value, 0) if value.ndim == 2 and ("bias" in name or "LayerNorm" in name)
                                else value) for name, value in weights.items()}
    missing = student.load_state_dict(state, strict=False)
    assert not missing.missing_keys and not missing.unexpected_keys, missing
    (world.root / "small.txt").write_text("".join(piece + "\n" for piece in pieces))
    tokenizers = [BertTokenizerFast(vocab=str(path)) for path in (world.root / "data/answering/vocab.txt",
                                                                  world.root / "small.txt")]
    logits = [[], []]
    lengths = [0, 0]
    with torch.no_grad():
        for text, _ in rows:
            for i, (tokenizer, model) in enumerate(zip(tokenizers, (teacher, student))):
                ids = torch.tensor([tokenizer(text, truncation=True, max_length=24)["input_ids"]])
                lengths[i] += ids.numel()
                logits[i].append(model(ids).logits)
    return float(F.mse_loss(torch.cat(logits[0]), torch.cat(logits[1]))), lengths


def check_first_loss(world):
    rows = make_rows(30, 5)
    (world.root / "data/few").mkdir()
    for name in ("train", "dev"):
        write_tsv(world.root / f"data/few/{name}.tsv", rows)
    configure(world, f"  - {{stage: distill, epochs: 3}}\n  - {{stage: vocabulary, pieces: {LEAST + 6}}}\n"
                     "  - {stage: distill, epochs: 1, loss: mse}\n  - {stage: export}\n  - {stage: verify}\n")
    result = world.run()
    expect(result.returncode == 0, f"a run {result.stderr[-300:] if result.returncode else ''}")
    expect(f"keeps {LEAST + 6} of {len(PIECES)} word pieces" in result.stderr, "the stage says what it kept")
    folder = world.root / "runs/vocabulary"
    before, after = folder / "02-distill.h5", folder / "03-vocabulary.h5"
    kept = pieces_of(after)
    expect(pieces_of(before) == PIECES and len(kept) == LEAST + 6 and set(SPECIAL + LETTERS) <= set(kept),
           "special tokens and letters stay")
    expect(kept == [piece for piece in PIECES if piece in kept] and not {"[unused1]", "##!", "##ot!"} & set(kept),
           "in their order; what no text can have goes")
    words = "bert.embeddings.word_embeddings.weight"
    old, new = parameters_of(before), parameters_of(after)
    expect(np.array_equal(new[words], old[words][[PIECES.index(piece) for piece in kept]]), "rows stay what they were")
    expect(all(np.array_equal(new[name], old[name]) for name in old if name != words), "all else too")
    loss = metrics_of(folder)["04-distill.metrics.jsonl"][0]["loss"]
    expected, lengths = expected_loss(world, rows, after)
    expect(abs(loss / expected - 1) < LOSS_TOLERANCE, f"the first step's loss is {loss}, expected {expected:.6f}")
    expect(lengths[1] > 1.2 * lengths[0], f"with more tokens: {lengths}")
    report = {row["name"]: row for row in json.loads((folder / "report.json").read_text())["stages"]}
    parameters = [report[name]["parameters"] for name in ("02-distill", "03-vocabulary", "06-verify")]
    expect(parameters[0] - parameters[1] == 96 * (len(PIECES) + 3 - len(kept)) and parameters[1] == parameters[2],
           f"the report counts the rows: {parameters}")
    macs = [report[name]["macs_per_example"] for name in ("02-distill", "03-vocabulary")]
    expect(macs[1] > macs[0], f"and that texts are of more pieces: {macs[0]:.0f} and {macs[1]:.0f} multiply-adds")
    expect(report["03-vocabulary"]["file_bytes"] < report["02-distill"]["file_bytes"], "and the bytes")
    with h5py.File(folder / "model.llmc") as file:
        expect(bytes(file["vocabulary"][...]).decode().splitlines() == kept and file["words"].shape == (len(kept), 96),
               "the file has the pieces that stayed")


def check_kills(world):
    """Twice, by bytes and by count, with training between, qat behind, and one row for unseen letters."""
    head = HEAD.replace("folder: few", "folder: texts").replace("fp32", "fp16")
    configure(world, "  - {stage: distill, epochs: 1}\n  - {stage: vocabulary, bytes: 16500}\n  - {stage: prune, epochs: 0.3}\n"
                     "  - {stage: vocabulary, count_min: 60, unseen: share}\n  - {stage: qat, epochs: 0.5, weight_bits: 4, "
                     "embedding_bits: 4}\n  - {stage: export}\n  - {stage: verify}\n", head)
    result = world.run(runs="whole")
    expect(result.returncode == 0, f"two vocabulary stages {result.stderr[-400:] if result.returncode else ''}")
    folder = world.root / "whole/vocabulary"
    first, second = pieces_of(folder / "03-vocabulary.h5"), pieces_of(folder / "05-vocabulary.h5")
    nbytes = sum(len(piece) + 1 + 2 * 96 for piece in first)
    expect(16200 < nbytes <= 16500 and LEAST <= len(second) < len(first) and set(second) < set(first),
           f"{len(first)} pieces of {nbytes} bytes, then {len(second)}")
    for name in ("05-vocabulary.h5", "06-qat.h5"):
        rows = parameters_of(folder / name)["bert.embeddings.word_embeddings.weight"]
        unseen = rows[[second.index(piece) for piece in ("j", "q", "z", "##q", "##z")]]
        expect((unseen == unseen[0]).all() and not np.array_equal(unseen[0], rows[second.index("##e")]),
               f"{name}: letters that no text has share a row")
    rng = random.Random(7)
    for _ in range(KILLS):
        process = subprocess.Popen(world.command(runs="killed"), cwd=world.root, env=world.env, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.2, 1.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    result = world.run(runs="killed")
    expect(result.returncode == 0 and bytes_of(world.root / "killed/vocabulary") == bytes_of(folder),
           f"killed {KILLS} times, the run ends with the same bits {'' if result.returncode == 0 else result.stderr[-300:]}")
    expect(metrics_of(world.root / "killed/vocabulary") == metrics_of(folder), "and the same metrics")
    exported = subprocess.run([LLMC, "export", folder / "model.llmc", "--to", "safetensors", "-o", world.root / "hf"],
                              capture_output=True, text=True)
    model = BertForSequenceClassification.from_pretrained(world.root / "hf") if exported.returncode == 0 else None
    expect(model is not None and model.config.vocab_size == len(second), f"the file is exported {exported.stderr}")


def check_refusals(world):
    def refused(what, words, stages, status=5):
        configure(world, stages)
        result = world.run(runs="refused")
        message = result.stderr.strip().splitlines()[-1]
        expect(result.returncode == status and all(word in message for word in words)
               and ("starts" not in result.stderr or status != 5), f"{what}: exit {result.returncode}: {message[:230]}")

    distill = "  - {stage: distill, epochs: 0.1}\n"
    refused("before a student", ["stages.2", "vocabulary needs a student"], "  - {stage: vocabulary, pieces: 100}\n" + distill)
    refused("too few pieces", ["pieces is 20", f"allowed are {LEAST} and more"], distill + "  - {stage: vocabulary, pieces: 20}\n")
    refused("no budget", ["allowed is one of them"], distill + "  - {stage: vocabulary}\n")
    refused("two budgets", ["pieces is 80", "bytes 9000", "allowed is one of them"],
            distill + "  - {stage: vocabulary, pieces: 80, bytes: 9000}\n")
    configure(world, distill + "  - {stage: vocabulary, bytes: 2000}\n")
    result = world.run(runs="refused")
    expect(result.returncode == 5 and "bytes is 2000; allowed are" in result.stderr, f"too few bytes: {result.stderr[-120:].strip()}")
    refused("losses token by token behind it", ["hidden_weight", "gives the student other tokens"],
            distill + "  - {stage: vocabulary, pieces: 70}\n  - {stage: distill, epochs: 0.1, hidden_weight: 1}\n")


with tempfile.TemporaryDirectory() as folder:
    world = World(Path(folder))
    write_teacher(world.root / "data/answering")
    check_first_loss(world)
    check_kills(world)
    check_refusals(world)
sys.exit(test_distill.failures > 0)
