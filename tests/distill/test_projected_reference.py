"""Students of another width: principal directions against NumPy's eigenvectors, parameters by a projection against the same
in NumPy, and what comes out: exactly the wide model where the projection only reorders its numbers, near it where a few
directions carry it."""
import ctypes
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from bert import batch, make_small, ours, padded  # noqa: E402
from llmc import Checks, Model, library, pointer  # noqa: E402

ORTHOGONAL_TOLERANCE = 1e-12  # sums in double
VARIANCE_TOLERANCE = 5e-3     # of what the best directions hold; 24 iterations leave those apart that are nearly equal
LOGITS_TOLERANCE = 2e-4       # FP32 through three layers, and norms fitted by sums in double over FP32 numbers
PARAMETER_TOLERANCE = 1e-5    # FP32 sums over 48 numbers

checks = Checks()


def check_directions(rng):
    for n, count in ((8, 8), (40, 13), (96, 47), (20, 6)):
        x = rng.normal(0, 1, (300, n)) * np.geomspace(1, 1e-2, n) @ np.linalg.qr(rng.normal(0, 1, (n, n)))[0]
        if n == 20:  # fewer directions than are asked for: the others are any
            x[:] = np.outer(x[:, 0], x[0])
        covariance = np.ascontiguousarray(x.T @ x)
        found = np.zeros((count, n))
        library().harness_principal(pointer(covariance, ctypes.c_double), n, count, ctypes.c_uint64(3),
                                    pointer(found, ctypes.c_double))
        best = np.linalg.eigvalsh(covariance)[::-1][:count].sum()
        off = np.abs(found @ found.T - np.eye(count)).max()
        held = np.trace(found @ covariance @ found.T) / best
        checks.expect(off < ORTHOGONAL_TOLERANCE and held > 1 - VARIANCE_TOLERANCE,
                      f"{count} directions of {n}: orthonormal within {off:.1e}, hold {held:.6f} of the best variance")


def narrower(reference, hidden):
    c = reference.config
    return Model(vocabulary=c.vocab_size, positions=c.max_position_embeddings, types=c.type_vocab_size, hidden=hidden,
                 layers=[(c.num_attention_heads, c.intermediate_size)] * c.num_hidden_layers,
                 head_width=c.hidden_size // c.num_attention_heads, labels=c.num_labels, epsilon=c.layer_norm_eps)


def check_reordered(rng, reference, texts, types):
    wide, same = ours(reference), narrower(reference, 48)
    with torch.no_grad():
        expected = reference(**padded(texts, types)).logits.numpy()
    for name, p in (("identity", np.eye(48)), ("permutation", np.eye(48)[rng.permutation(48)])):
        same.project(wide, texts, types, p)
        error = np.abs(same.forward(texts, types) - expected).max()
        checks.expect(error < LOGITS_TOLERANCE, f"{name}: the logits of transformers within {error:.1e}")
        weight = "bert.encoder.layer.1.intermediate.dense.weight"
        difference = np.abs(same.view(same.values, weight) - wide.view(wide.values, weight) @ p).max()
        checks.expect(difference < PARAMETER_TOLERANCE, f"{name}: W P within {difference:.1e}")
        weight = "bert.encoder.layer.2.attention.output.dense.weight"
        difference = np.abs(same.view(same.values, weight) - p.T @ wide.view(wide.values, weight)).max()
        checks.expect(difference < PARAMETER_TOLERANCE, f"{name}: P^T W within {difference:.1e}")
    wide.free(), same.free()


def check_narrow(rng, texts, types):
    """Embeddings and what layers write lie in 20 dimensions: 21 numbers carry it nearly, 12 less, a random model not."""
    reference = make_small(4)
    inside = np.linalg.qr(rng.normal(0, 1, (48, 20)))[0]
    inside = torch.tensor(inside @ inside.T, dtype=torch.float32)
    with torch.no_grad():
        for name, p in reference.named_parameters():
            if "embeddings" in name and "Norm" not in name:
                p.copy_(p @ inside * 4)
            if name.endswith("output.dense.weight"):
                p.copy_(inside @ p)
            if name.endswith("output.dense.bias"):
                p.copy_(inside @ p)
            if "Norm" in name:
                p.fill_(float("weight" in name))
        expected = reference(**padded(texts, types)).logits.numpy()
    wide, errors = ours(reference), {}
    spread = np.abs(expected - expected.mean(0)).mean()
    for hidden in (24, 12):
        narrow = narrower(reference, hidden)
        narrow.project(wide, texts, types)
        first = narrow.values.copy()
        narrow.project(wide, texts, types)
        checks.expect(np.array_equal(first, narrow.values), f"to {hidden} numbers: the same bits again")
        x = narrow.forward(texts, types)
        errors[hidden] = np.abs((x - x.mean(0)) - (expected - expected.mean(0))).mean() / spread
        narrow.free()
    checks.expect(errors[24] < errors[12] and errors[24] < 0.9,
                  f"logits: with 24 numbers off by {errors[24]:.2f} of their spread, with 12 by {errors[12]:.2f}")
    wide.free()


def main():
    rng = np.random.default_rng(1)
    check_directions(rng)
    texts, types = batch(rng, 101, [int(n) for n in rng.integers(2, 40, 24)])
    check_reordered(rng, make_small(), texts, types)
    check_narrow(rng, texts, types)
    sys.exit(checks.failures > 0)


main()
