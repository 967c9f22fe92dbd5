"""Batches of padded tokens, made before the clock starts."""
import random
import sys
from collections import namedtuple
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import texts  # noqa: E402

# inputs: arguments of the model; labels [S]; targets [S, L]: the cached logits; tokens: without padding
Batch = namedtuple("Batch", "inputs labels targets tokens")

TARGET_LOGIT = 2.0  # in place of a teacher's: both sides of the comparison make it from the label


def _pad(ids, labels, label_count, drop_full_mask):
    longest = max(map(len, ids))
    padded = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros(len(ids), longest, dtype=torch.long)
    for row, tokens in enumerate(ids):
        padded[row, :len(tokens)] = torch.tensor(tokens)
        mask[row, :len(tokens)] = 1
    labels = torch.tensor(labels)
    targets = torch.where(torch.nn.functional.one_hot(labels, label_count).bool(), TARGET_LOGIT, -TARGET_LOGIT)
    inputs = dict(input_ids=padded, attention_mask=mask)
    if drop_full_mask and mask.all():
        del inputs["attention_mask"]
    return Batch(inputs, labels, targets, sum(map(len, ids)))


def read(path, model, size, shuffle_seed=None, limit=None, drop_full_masks=False):
    """The first `limit` batches in the file's order, or of its rows in a seeded order; and the number of labels."""
    rows = texts.read_rows(path)
    ids = texts.token_ids(texts.load_tokenizer(model), [sentence for sentence, _ in rows])
    labels = texts.label_indices(rows)
    order = list(range(len(rows)))
    if shuffle_seed is not None:
        random.Random(shuffle_seed).shuffle(order)
    groups = [order[first:first + size] for first in range(0, len(order), size)][:limit]
    label_count = max(labels) + 1
    return [_pad([ids[i] for i in group], [labels[i] for i in group], label_count, drop_full_masks)
            for group in groups], label_count
