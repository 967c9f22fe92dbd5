"""The data sets of experiments/parity, and the files that both sides read."""
import gzip
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Set:
    train: str
    dev: str           # TREC and Banking77 have no dev set: the test set measures, nothing is chosen on it
    text: str
    label: str
    epochs: int
    rate: float        # peak of the learning rate
    pair: str = ""
    every: int = 1     # one training row in so many


SETS = {
    "mrpc": Set("train.tsv.gz", "dev.tsv", "#1 String", "Quality", 4, 5e-5, pair="#2 String"),
    "trec": Set("train.tsv", "test.tsv", "sentence", "label", 4, 5e-5),
    "banking77": Set("train.tsv.gz", "test.tsv", "sentence", "label", 5, 1e-4),
    "sst2": Set("train.tsv", "dev.tsv", "sentence", "label", 3, 5e-5, every=10),
}


def _rows(path, columns):
    """GLUE's layout: a header line, no quoting."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="\n") as file:
        header = file.readline().rstrip("\r\n").split("\t")
        places = [header.index(column) for column in columns]
        lines = (line.rstrip("\r\n").split("\t") for line in file)
        return [tuple(fields[place] for place in places) for fields in lines]


def write_files(data, name, thin, folder):
    """train.tsv and dev.tsv with the columns sentence, pair (where there is one) and label; returns their rows'
    numbers. `thin` keeps one training row in so many of those that the set takes."""
    of = SETS[name]
    columns = [of.text] + ([of.pair] if of.pair else []) + [of.label]
    header = ["sentence"] + (["pair"] if of.pair else []) + ["label"]
    counts = {}
    for file, source, every in (("train.tsv", of.train, of.every * thin), ("dev.tsv", of.dev, 1)):
        rows = _rows(Path(data) / name / source, columns)[::every]
        text = "".join("\t".join(row) + "\n" for row in [header, *rows])
        (folder / file).write_text(text, encoding="utf-8", newline="\n")
        counts[file] = len(rows)
    return counts["train.tsv"], counts["dev.tsv"]


def read_files(folder):
    """{"train.tsv": [(texts, label)], "dev.tsv": ...}: texts are one or two, labels as they are written."""
    found = {}
    for file in ("train.tsv", "dev.tsv"):
        lines = (Path(folder) / file).read_text(encoding="utf-8").split("\n")[1:-1]
        found[file] = [(tuple(line.split("\t")[:-1]), line.split("\t")[-1]) for line in lines]
    return found
