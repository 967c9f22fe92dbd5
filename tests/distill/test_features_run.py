"""Losses beyond the logits in a run of llmc-distill: the loss of the first step against transformers and PyTorch, phases,
kill -9 with the same bits, what is refused; narrower students, projected and at random. Arguments and tiny BERT as those of
tests/cli/test_distill.py."""
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import torch
import torch.nn.functional as F
from transformers import BertForSequenceClassification

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import test_distill  # noqa: E402
from test_distill import World, bytes_of, expect, make_rows, metrics_of, write_bert, write_tsv  # noqa: E402

# FP32 through four layers; the largest part is a sum of squares over 400 tokens of 96 numbers.
LOSS_TOLERANCE = 1e-5
KILLS = 4
HEAD = """name: features
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
WEIGHTS = "logits_weight: 0.5, hidden_weight: 0.3, embedding_weight: 2, relations_weight: 0.7, relation_heads: 12"


def expected_loss(world, rows):
    """What the first step's loss is by the formulas of the headers: the student is layers 0 and 2 of the teacher."""
    folder = world.root / "data/answering"
    words = (folder / "vocab.txt").read_text().split()
    teacher, student = [BertForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval() for _ in "ab"]
    student.bert.encoder.layer = torch.nn.ModuleList([student.bert.encoder.layer[i] for i in (0, 2)])
    student.bert.embeddings.word_embeddings.weight.data = teacher.bert.embeddings.word_embeddings.weight.data
    logits, hidden, relations, tokens = [], torch.zeros(3), 0, 0
    with torch.no_grad():
        for text, _ in rows:
            ids = torch.tensor([[words.index(w) for w in ["[CLS]", *text.split(), "[SEP]"]]])
            ours, theirs = [m(ids, output_hidden_states=True) for m in (student, teacher)]
            logits.append((ours.logits, theirs.logits))
            tokens += ids.numel()
            # embedding output; layer 0 follows layer 1, which stood before layer 2; the last follows the last
            for i, (a, b) in enumerate(((0, 0), (1, 2), (2, 4))):
                hidden[i] += F.mse_loss(ours.hidden_states[a], theirs.hidden_states[b], reduction="sum")
            for part in ("query", "key", "value"):
                logs = []
                for model, x in ((student, ours.hidden_states[1]), (teacher, theirs.hidden_states[3])):
                    x = getattr(model.bert.encoder.layer[-1].attention.self, part)(x)[0].unflatten(-1, (12, 8)).transpose(0, 1)
                    logs.append(F.log_softmax(x @ x.transpose(1, 2) / 8 ** 0.5, -1))
                relations += F.kl_div(*logs, log_target=True, reduction="sum") / 12
    hidden = hidden / (tokens * 96)
    distance = F.mse_loss(*[torch.cat(x) for x in zip(*logits)])
    return float(0.5 * distance + 2 * hidden[0] + 0.3 * (hidden[1] + hidden[2]) + 0.7 * relations / tokens)


def configure(world, stages, head=HEAD):
    (world.root / "config.yaml").write_text(head + stages)


def check_first_loss(world):
    rows = make_rows(30, 5)
    (world.root / "data/few").mkdir()
    for name in ("train", "dev"):
        write_tsv(world.root / f"data/few/{name}.tsv", rows)
    configure(world, f"  - {{stage: distill, epochs: 1, {WEIGHTS}}}\n")
    result = world.run()
    expect(result.returncode == 0, f"a run with all losses {result.stderr[-300:] if result.returncode else ''}")
    loss = metrics_of(world.root / "runs/features")["02-distill.metrics.jsonl"][0]["loss"]
    expected = expected_loss(world, rows)
    expect(abs(loss / expected - 1) < LOSS_TOLERANCE, f"the first step's loss is {loss}, expected {expected:.6f}")


def check_phases(world):
    """First features, then logits, then prune and qat with features; killed again and again: the same bits. The student's
    own width, so that its projections are no identity."""
    head = HEAD.replace("folder: few", "folder: texts").replace("fp32", "fp16").replace(
        "from_layers: [0, 2]", "hidden: 48, heads: 4, ffn: 96")
    configure(world, "  - {stage: distill, epochs: 1, learning_rate: 1.0e-3, logits_weight: 0, hidden_weight: 1, relations_weight: 1}\n"
                     "  - {stage: distill, epochs: 0.3}\n  - {stage: prune, epochs: 0.3, hidden_weight: 1}\n"
                     "  - {stage: qat, epochs: 0.3, relations_weight: 1, relation_heads: 6}\n  - {stage: export}\n", head)
    expect(world.run(runs="whole").returncode == 0, "features alone, logits alone, prune and qat with features")
    first = [line["loss"] for line in metrics_of(world.root / "whole/features")["02-distill.metrics.jsonl"]]
    expect(sum(first[-5:]) < 0.9 * sum(first[:5]), f"the loss of features falls from {first[0]:.3f} to {first[-1]:.3f}")
    rng = random.Random(7)
    for _ in range(KILLS):
        process = subprocess.Popen(world.command(runs="killed"), cwd=world.root, env=world.env, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.2, 1.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
    result = world.run(runs="killed")
    expect(result.returncode == 0 and bytes_of(world.root / "killed/features") == bytes_of(world.root / "whole/features"),
           f"killed {KILLS} times, the run ends with the same bits {'' if result.returncode == 0 else result.stderr[-300:]}")
    expect(metrics_of(world.root / "killed/features") == metrics_of(world.root / "whole/features"), "and the same metrics")


def check_narrow_start(world):
    """A student of half the width that starts from its teacher's principal directions, and one that starts at random."""
    head = HEAD.replace("folder: few", "folder: texts").replace("folder: answering", "folder: bert").replace(
        "stages:\n", "stages:\n  - {stage: teacher, epochs: 5, learning_rate: 1.0e-3}\n")
    losses = {}
    for name, student in (("projected", "hidden: 48, ffn: 200, from_layers: [0, 2]"), ("random", "hidden: 48, ffn: 200, heads: 4")):
        configure(world, "  - {stage: distill, epochs: 0.5, learning_rate: 5.0e-4}\n  - {stage: export}\n  - {stage: verify}\n",
                  head.replace("from_layers: [0, 2]", student).replace("name: features", f"name: {name}"))
        result = world.run(runs="narrow")
        expect(result.returncode == 0, f"a narrower student, {name} {result.stderr[-300:] if result.returncode else ''}")
        losses[name] = [line["loss"] for line in metrics_of(world.root / f"narrow/{name}")["03-distill.metrics.jsonl"]]
    mean = {name: sum(some[4:]) / len(some[4:]) for name, some in losses.items()}
    expect(mean["projected"] < 0.7 * mean["random"], f"from the fifth step on, the projected one's loss is {mean['projected']:.2g}, "
           f"the random one's {mean['random']:.2g}")
    with h5py.File(world.root / "narrow/projected/03-distill.h5") as file:
        shape = file["parameters/bert.encoder.layer.1.attention.self.query.weight"].shape
        ffn = file["parameters/bert.encoder.layer.1.intermediate.dense.weight"].shape
    expect(shape == (96, 48) and ffn == (200, 48), f"it has all heads of its teacher, {shape}, and the neurons asked for, {ffn}")


def check_refusals(world):
    def refused(what, words, keys):
        configure(world, f"  - {{stage: distill, epochs: 1, {keys}}}\n")
        result = world.run(runs="refused")
        message = result.stderr.strip().splitlines()[-1]
        expect(result.returncode == 5 and all(word in message for word in words) and "starts" not in result.stderr,
               f"{what}: exit {result.returncode}: {message[:230]}")

    refused("nothing to learn", ["02-distill", "logits_weight is 0", "hidden_weight"], "logits_weight: 0")
    refused("a layer too few", ["teacher_layers names 1", "student of 2"], "hidden_weight: 1, teacher_layers: [3]")
    refused("a layer that is not there", ["teacher_layers", "no layer 4", "-1 to 3"], "hidden_weight: 1, teacher_layers: [4, 3]")
    refused("no such relations", ["relation_layer", "no layer 4", "0 to 3"], "relations_weight: 1, relation_layer: 4")
    refused("relation heads", ["relation_heads is 5", "96"], "relations_weight: 1, relation_heads: 5")
    refused("behind a vocabulary", ["04-prune", "token by token", "03-vocabulary", "allowed is 0"],
            "relations_weight: 1}\n  - {stage: vocabulary, count_min: 1}\n  - {stage: prune, hidden_weight: 1")
    refused("a weight below 0", ["hidden_weight", "from 0"], "hidden_weight: -1")


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        write_bert(world.root / "data/answering", head=True)
        path = world.root / "data/answering/config.json"
        config = json.loads(path.read_text())
        config["id2label"], config["label2id"] = {"0": "0", "1": "1"}, {"0": 0, "1": 1}
        path.write_text(json.dumps(config))
        check_first_loss(world)
        check_phases(world)
        check_narrow_start(world)
        check_refusals(world)
    sys.exit(test_distill.failures > 0)


main()
