"""NBSVM against the same method written with scikit-learn, on topics of random words."""
import ctypes
import sys
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.svm import LinearSVC

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from llmc import Checks, library, pointer  # noqa: E402

CLS, SEP, FIRST_WORD = 2, 3, 5
# liblinear stops at its own tolerance and leaves the bias out of no penalty either, but scores near 0 may fall on either
# side: so many answers of a hundred may differ.
DIFFERENT = 1.5
checks = Checks()


def make_texts(labels, count, pairs, seed):
    """Words that are a little likelier under one label, and the same number of texts a label."""
    rng = np.random.default_rng(seed)
    topics = rng.dirichlet(np.full(300, 0.3), labels)
    label = rng.integers(0, labels, count)
    texts = [[FIRST_WORD + rng.choice(300, rng.integers(3, 20), p=0.4 * topics[y] + 0.6 / 300) for _ in range(1 + pairs)]
             for y in label]
    return texts, label


def ours(texts, label, labels, train):
    ids, types, offsets = [], [], [0]
    for parts in texts:
        ids.append(CLS)
        types.append(0)
        for t, words in enumerate(parts):
            ids += [*words, SEP]
            types += [t] * (len(words) + 1)
        offsets.append(len(ids))
    ids, types, offsets, label = (np.array(a, t) for a, t in ((ids, np.int32), (types, np.uint8), (offsets, np.int64),
                                                             (label, np.int32)))
    answers = np.zeros(len(label), np.int32)
    assert library().harness_nbsvm(pointer(offsets, ctypes.c_int64), pointer(ids, ctypes.c_int32),
                                   pointer(types, ctypes.c_uint8), pointer(label, ctypes.c_int32),
                                   ctypes.c_int64(len(label)), ctypes.c_int64(train), labels,
                                   pointer(answers, ctypes.c_int32)) == 0
    return answers


def reference(texts, label, labels, train):
    words = [[[f"{t}_{w}" for w in part] for t, part in enumerate(parts)] for parts in texts]
    grams = [[g for part in parts for g in part + list(map(" ".join, zip(part, part[1:])))] for parts in words]
    x = CountVectorizer(analyzer=lambda g: g, binary=True).fit(grams[:train]).transform(grams).astype(np.float64)
    scores = np.zeros((len(label), labels))
    for y in [1] if labels == 2 else range(labels):
        side = label[:train] == y
        p, q = 1 + x[:train][side].sum(0).A1, 1 + x[:train][~side].sum(0).A1
        ratio = np.log(p / p.sum() / (q / q.sum()))
        svm = LinearSVC(C=1.0, tol=1e-4, max_iter=20000).fit(x[:train].multiply(ratio).tocsr(), side)
        weights = 0.75 * np.abs(svm.coef_[0]).mean() + 0.25 * svm.coef_[0]
        scores[:, y] = x @ (ratio * weights) + 0.25 * svm.intercept_[0]
    return scores.argmax(1)


for labels, count, pairs in ((2, 1500, 0), (5, 1500, 0), (3, 900, 1)):
    texts, label = make_texts(labels, count, pairs, labels)
    train = count * 2 // 3
    a, b = ours(texts, label, labels, train), reference(texts, label, labels, train)
    different = 100 * (a != b)[train:].mean()
    accuracies = [100 * (answers == label)[train:].mean() for answers in (a, b)]
    checks.expect(different <= DIFFERENT, f"{labels} labels{', pairs' if pairs else ''}: {different:.1f} % of the answers differ")
    checks.expect(accuracies[0] > 100 / labels + 10 and abs(accuracies[0] - accuracies[1]) <= DIFFERENT,
                  f"accuracy {accuracies[0]:.1f} %, scikit-learn's {accuracies[1]:.1f} %")
sys.exit(checks.failures > 0)
