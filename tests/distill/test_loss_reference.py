"""Cross-entropy and the distillation losses with their gradients against PyTorch in double."""
import ctypes
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from llmc import Checks, library, pointer  # noqa: E402

LOSS_TOLERANCE = 1e-10  # relative: both sum in double
GRADIENT_TOLERANCE = 2e-7  # relative to the largest: each of two parts is rounded to FP32 when it is added

checks = Checks()
LIB = library()


def ours(kind, logits, teacher, label, temperature, weight, scale):
    dlogits = np.full_like(logits, 7)  # the harness zeroes it; what losses add to is known
    loss = LIB.harness_loss({"kl": 0, "mse": 1, "none": 2}[kind], pointer(logits, ctypes.c_float),
                            pointer(teacher, ctypes.c_float), pointer(label, ctypes.c_int32), *logits.shape,
                            ctypes.c_double(temperature), ctypes.c_double(weight), ctypes.c_double(scale),
                            pointer(dlogits, ctypes.c_float))
    return loss, dlogits


def reference(kind, logits, teacher, label, temperature, weight):
    x = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    t = torch.tensor(teacher, dtype=torch.float64)
    loss = weight * F.cross_entropy(x, torch.tensor(label, dtype=torch.int64), ignore_index=-1)
    if kind == "kl":
        loss = loss + (1 - weight) * temperature ** 2 * F.kl_div(
            F.log_softmax(x / temperature, -1), F.softmax(t / temperature, -1), reduction="batchmean")
    if kind == "mse":
        loss = loss + (1 - weight) * F.mse_loss(x, t)
    loss.backward()
    return loss.item(), x.grad.numpy()


def main():
    rng = np.random.default_rng(1)
    for labels, size in ((2, 1), (2, 32), (3, 7), (50, 5)):
        label = rng.integers(0, labels, size).astype(np.int32)
        label[1::3] = -1  # texts without a label, which cross-entropy leaves out
        for spread in (1e-3, 2.0, 60.0):  # 60: some probabilities are too small for FP32
            logits, teacher = rng.normal(0, spread, (2, size, labels)).astype(np.float32)
            worst_loss = worst_gradient = 0.0
            for kind, weight, temperature in (("none", 1.0, 1.0), ("kl", 0.0, 1.0), ("kl", 0.0, 2.0), ("kl", 0.3, 4.5),
                                              ("kl", 0.9, 0.5), ("mse", 0.0, 1.0), ("mse", 0.25, 1.0)):
                for scale in (1.0, 65536.0):
                    loss, gradient = ours(kind, logits, teacher, label, temperature, weight, scale)
                    expected, slope = reference(kind, logits, teacher, label, temperature, weight)
                    worst_loss = max(worst_loss, abs(loss - expected) / max(abs(expected), 1e-3))
                    worst_gradient = max(worst_gradient, np.abs(gradient / scale - slope).max() / np.abs(slope).max())
            checks.expect(worst_loss <= LOSS_TOLERANCE and worst_gradient <= GRADIENT_TOLERANCE,
                          f"{size} texts of {labels} labels, logits around {spread}: losses within {worst_loss:.1e}, "
                          f"gradients within {worst_gradient:.1e}")
    nothing, gradient = ours("none", logits, teacher, np.full(size, -1, np.int32), 1.0, 1.0, 1.0)
    checks.expect(nothing == 0 and (gradient == 0).all(), "no labels at all: no loss, no gradient")
    same, _ = ours("kl", teacher, teacher, label, 2.0, 0.0, 1.0)
    checks.expect(abs(same) < 1e-12, "a student that answers as its teacher has no loss")
    sys.exit(checks.failures > 0)


main()
