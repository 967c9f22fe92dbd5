"""Measures of answers against scikit-learn, scipy and torch, on random answers."""
import ctypes
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, f1_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from llmc import Checks, library, pointer  # noqa: E402

# Sums of thousands of doubles, and the logarithm of the gamma function in place of exact binomials.
TOLERANCE = 1e-9
# Probabilities are FP32, and torch sums them in another order.
FLOAT_TOLERANCE = 1e-6
checks = Checks()


def quality(answers, probabilities, teacher, teacher_probabilities, label, labels):
    figures = np.zeros(8)
    arrays = [np.ascontiguousarray(a, t) for a, t in ((answers, np.int32), (probabilities, np.float32), (teacher, np.int32),
                                                      (teacher_probabilities, np.float32), (label, np.int32))]
    kinds = [ctypes.c_float if a.dtype == np.float32 else ctypes.c_int32 for a in arrays]
    result = library().harness_quality(*map(pointer, arrays, kinds), ctypes.c_int64(len(label)), labels,
                                       pointer(figures, ctypes.c_double))
    assert result == 0
    return dict(zip(("accuracy", "deviation", "f1", "agreement", "divergence", "calibration", "p", "net"), figures))


def calibration_error(answers, probabilities, label):
    """By scikit-learn's bins; the weights are the bins' texts."""
    confidence = probabilities[np.arange(len(label)), answers].astype(np.float64)
    right = answers == label
    share, mean = calibration_curve(right, confidence, n_bins=15)
    counts = np.histogram(confidence, np.linspace(0, 1, 16))[0]
    return np.abs(share - mean) @ counts[counts > 0] / len(label)


def check(labels, count, seed, absent=0):
    """The first `absent` labels are neither there nor answered."""
    rng = np.random.default_rng(seed)
    label = rng.integers(absent, labels, count)
    logits = rng.normal(size=(count, labels)) * 2
    logits[np.arange(count), label] += 1.5
    logits[:, :absent] -= 50
    other = logits + rng.normal(size=logits.shape)
    probabilities, teacher = (torch.softmax(torch.tensor(x, dtype=torch.float32), 1) for x in (other, logits))
    answers, teacher_answers = probabilities.argmax(1).numpy(), teacher.argmax(1).numpy()
    got = quality(answers, probabilities.numpy(), teacher_answers, teacher.numpy(), label, labels)
    right, teacher_right = answers == label, teacher_answers == label
    gained, lost = int((right & ~teacher_right).sum()), int((~right & teacher_right).sum())
    accuracy = accuracy_score(label, answers)
    want = {
        "accuracy": accuracy,
        "deviation": np.sqrt(accuracy * (1 - accuracy) / count),
        "f1": f1_score(label, answers, average="binary" if labels == 2 else "macro"),
        "agreement": accuracy_score(teacher_answers, answers),
        "divergence": float(torch.nn.functional.kl_div(probabilities.double().log(), teacher.double(),
                                                       reduction="batchmean")),
        "calibration": calibration_error(answers, probabilities.numpy(), label),
        "p": binomtest(gained, gained + lost).pvalue if gained + lost else 1.0,
        "net": gained - lost,
    }
    for name, value in want.items():
        tolerance = FLOAT_TOLERANCE if name in ("divergence", "calibration") else TOLERANCE
        checks.expect(abs(got[name] - value) < tolerance, f"{labels} labels, {count} texts: {name} {got[name]:.6f}")


for case in ((2, 872, 1), (6, 500, 2), (77, 3080, 3), (2, 10, 4), (77, 3080, 5, 5)):
    check(*case)
same = np.array([0, 1, 1, 0])
sure = np.eye(2, dtype=np.float32)[same]
figures = quality(same, sure, same, sure, same, 2)
checks.expect(figures["p"] == 1 and figures["divergence"] == 0 and figures["calibration"] == 0,
              "the same answers, sure and right: p 1, no divergence, no calibration error")
sys.exit(checks.failures > 0)
