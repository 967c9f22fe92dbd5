"""Classifiers of transformers as teachers: their outputs are matched to the labels of the data, or llmc-distill asks.

usage: test_labels.py LLMC_DISTILL
"""
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

DISTILL = str(Path(sys.argv[1]).resolve())
GOOD, BAD = ["good", "fine", "nice"], ["bad", "poor", "awful"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *GOOD, *BAD, "film", "the", "was"]
CONFIG = """name: t
threads: 1
data: {folder: texts, train: train.tsv, dev: dev.tsv, text: sentence, label: label, tokens_max: 16}
teacher: {folder: bert}
student: {layers: 1, from_layers: [0]}
stages:
  - {stage: teacher, epochs: 1, learning_rate: 1.0e-3}
"""
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.set_num_threads(1)  # threads of tiny products wait for one another where other programs run


def make_text(chance, good):
    return "the film was " + chance.choice(GOOD if good else BAD)


class World:
    def __init__(self, root):
        self.root, self.runs, self.failures = root, 0, 0
        (root / "data/texts").mkdir(parents=True)
        (root / "c.yaml").write_text(CONFIG)

    def write_data(self, bad, good):
        """Texts whose labels have these names."""
        chance = random.Random(1)
        for name, count in (("train", 200), ("dev", 60)):
            rows = [chance.random() < 0.5 for _ in range(count)]
            (self.root / f"data/texts/{name}.tsv").write_text(
                "sentence\tlabel\n" + "".join(f"{make_text(chance, row)}\t{good if row else bad}\n" for row in rows))

    def write_teacher(self, good=1, **config):
        """A classifier that answers output `good` to good texts, and 1 - good to bad ones."""
        torch.manual_seed(0)
        folder = self.root / "data/bert"
        folder.mkdir(exist_ok=True)
        (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
        tokenizer = BertTokenizer(str(folder / "vocab.txt"))
        model = BertForSequenceClassification(BertConfig(
            vocab_size=len(PIECES), hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
            max_position_embeddings=32, hidden_dropout_prob=0, attention_probs_dropout_prob=0, **config))
        optimizer, chance = torch.optim.Adam(model.parameters(), 1e-3), random.Random(3)
        for _ in range(40 if model.config.num_labels > 1 else 0):
            rows = [chance.random() < 0.5 for _ in range(16)]
            batch = tokenizer([make_text(chance, row) for row in rows], return_tensors="pt", padding=True)
            torch.nn.functional.cross_entropy(model(**batch).logits, torch.tensor([good if row else 1 - good for row in rows])).backward()
            optimizer.step()
            optimizer.zero_grad()
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    def check(self, what, *sets, labels=None, words=(), exit=0, accuracy="100.00 %"):
        """The run ends with this exit status, says `words`, and has these labels and this accuracy."""
        self.runs += 1
        command = [DISTILL, "c.yaml", "--runs", f"r{self.runs}", *(part for text in sets for part in ("--set", text))]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True,
                              env={**os.environ, "LLMC_DATA": str(self.root / "data")})
        path = self.root / f"r{self.runs}/t/labels.txt"
        ok = done.returncode == exit and all(word in done.stderr for word in words)
        if labels:
            ok = ok and path.read_text().split() == labels and (not accuracy or f"dev accuracy {accuracy}" in done.stderr)
        print(("ok      " if ok else "FAILED  ") + what + ("" if ok else f": exit {done.returncode}: {done.stderr}"), flush=True)
        self.failures += not ok


def main():
    with tempfile.TemporaryDirectory() as root:
        world = World(Path(root))
        world.write_data("negative", "positive")
        world.write_teacher(good=0, id2label={0: "POSITIVE", 1: "NEGATIVE"})
        world.check("names that differ by case, in another order", labels=["positive", "negative"])
        world.write_data("0", "1")
        world.check("numbers for names are a question", exit=5, words=['"POSITIVE", "NEGATIVE"', '"0", "1"', "teacher.labels", "teacher.head: new"])
        world.check("data.label_names answers it", "data.label_names=['0=negative', '1=positive']", labels=["positive", "negative"])
        world.check("a name for a label that is not there", "data.label_names=['2=mixed']", exit=5,
                    words=["data.label_names: 2=mixed", "train.tsv has no such label"])
        world.check("teacher.labels does as well", "teacher.labels=['1', '0']", labels=["1", "0"])
        world.check("a wrong answer is warned of", "teacher.labels=['0', '1']", labels=["0", "1"], accuracy="0.00 %", words=["warning", "teacher.labels"])
        world.check("a new head has the labels of the data", "teacher.head=new", labels=["0", "1"])
        world.write_teacher()
        world.check("LABEL_n is the number n", labels=["0", "1"])
        world.write_data("negative", "positive")
        world.check("LABEL_n for names is a question", exit=5, words=['"LABEL_0", "LABEL_1"', '"negative", "positive"'])
        world.write_teacher(problem_type="multi_label_classification")
        world.check("several labels at once are refused", exit=9, words=["config.json", "problem_type", "teacher.head: new"])
        world.check("but not with a new head", "teacher.head=new", labels=["negative", "positive"])
        world.write_teacher(num_labels=1)
        world.check("one output is refused", exit=9, words=["config.json", "id2label", "one output"])
        world.write_teacher(id2label={0: "negative", 1: "positive", 2: "mixed"})
        world.check("a label that the data do not use", labels=["negative", "positive", "mixed"])
        world.write_teacher(id2label={0: "negative", 1: "mixed"})
        world.check("a label that the classifier has not", exit=5, words=['"negative", "mixed"', "teacher.labels"])
        world.write_data("negative", "negative")
        world.check("one class", exit=6, words=["train.tsv", 'all rows have the label "negative"'])
        sys.exit(1 if world.failures else 0)


main()
