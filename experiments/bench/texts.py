"""Labelled texts, their tokens, and the batch files that all workers of a comparison read.

A batch file is a TSV with the columns sentence and label whose rows stand in the order of the batches: batch k is rows
k * size onward. Tokens come from the library `tokenizers` alone: importing transformers would make this process large,
and Linux counts the size of a parent in the peak memory of its children.
"""
import os
import random
from pathlib import Path

from tokenizers import Tokenizer

TOKENS_MAX = 512


def load_tokenizer(model, tokens_max=TOKENS_MAX):
    tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    tokenizer.no_padding()  # tokenizer.json may ask for either
    tokenizer.enable_truncation(tokens_max)
    return tokenizer


def token_ids(tokenizer, sentences):
    return [encoding.ids for encoding in tokenizer.encode_batch(sentences)]


def find_texts(repository):
    """SST-2 where LLMC_DATA has it, else the default data; returns its name too."""
    folder = os.environ.get("LLMC_DATA")
    if folder and (Path(folder) / "sst2" / "train.tsv").exists():
        return "SST-2", Path(folder) / "sst2" / "train.tsv"
    return "movie", Path(repository) / "data" / "movie" / "train.tsv"


def read_rows(path, sentence="sentence", label="label"):
    """[(sentence, label)] of these columns, with the labels as they are written."""
    with open(path, encoding="utf-8", newline="\n") as file:
        header = file.readline().rstrip("\n").split("\t")
        sentence, label = header.index(sentence), header.index(label)
        fields = (line.rstrip("\n").split("\t") for line in file)
        return [(row[sentence], row[label]) for row in fields]


def write_rows(path, rows):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("sentence\tlabel\n")
        file.writelines(f"{sentence}\t{label}\n" for sentence, label in rows)


def label_indices(rows):
    """Classes counted from 0 in the order of the sorted names, as llmc counts them."""
    names = sorted({label for _, label in rows})
    return [names.index(label) for _, label in rows]


def grouped_by_length(rows, tokenizer, count, batch, seed):
    """A seeded sample of whole batches of texts of like lengths, the batches in a random order."""
    chance = random.Random(seed)
    count = min(count, len(rows)) // batch * batch
    if count == 0:
        raise ValueError(f"{len(rows)} texts are fewer than a batch of {batch}")
    sample = chance.sample(rows, count)
    lengths = [len(ids) for ids in token_ids(tokenizer, [sentence for sentence, _ in sample])]
    order = sorted(range(count), key=lengths.__getitem__)
    batches = [order[first:first + batch] for first in range(0, count, batch)]
    chance.shuffle(batches)
    return [sample[row] for rows_of_batch in batches for row in rows_of_batch]


def by_length(rows, tokenizer):
    """All rows, short texts first, and where each stood."""
    lengths = [len(ids) for ids in token_ids(tokenizer, [sentence for sentence, _ in rows])]
    order = sorted(range(len(rows)), key=lengths.__getitem__)
    return [rows[row] for row in order], order


def repeated_words(tokenizer, count, tokens):
    """Texts of exactly `tokens` tokens with [CLS] and [SEP], of words that are one token each."""
    words = ["good", "film", "bad", "story", "the", "and", "long", "time"]
    rows = [(" ".join(words[(row + i) % len(words)] for i in range(tokens - 2)), str(row % 2)) for row in range(count)]
    lengths = {len(ids) for ids in token_ids(tokenizer, [sentence for sentence, _ in rows[:len(words)]])}
    if lengths != {tokens}:
        raise ValueError(f"the model's vocabulary makes {lengths} tokens of texts that were to have {tokens}")
    return rows
