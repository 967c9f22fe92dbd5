"""Sensitivity against the Jacobian of the logits from PyTorch's autograd."""
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from bert import batch, make, ours, padded  # noqa: E402
from llmc import Checks  # noqa: E402

TOLERANCE = 1e-3  # squares of FP32 gradients, relative to a parameter's largest
# Random signs stand for the sum over logits: of 400 draws of 3 signs, sums over a parameter are this near.
DRAWN_TOLERANCE = 0.15

checks = Checks()


def jacobian_squares(reference, texts, types):
    """Mean over texts of the sum over logits of squared gradients, by name."""
    sums = {name: 0.0 for name, _ in reference.named_parameters()}
    for text, kind in zip(texts, types):
        logits = reference(**padded([text], [kind])).logits[0]
        for logit in logits:
            reference.zero_grad()
            logit.backward(retain_graph=True)
            for name, p in reference.named_parameters():
                sums[name] = sums[name] + p.grad.numpy().astype(np.float64) ** 2 / len(texts)
    return sums


def shape(labels):
    return make(4, labels, vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                intermediate_size=40, max_position_embeddings=16)


rng = np.random.default_rng(4)
texts, types = batch(rng, 61, [5, 1, 16, 3, 7])
reference = shape(1)
expected = jacobian_squares(reference, texts, types)
model = ours(reference)
squares = model.sensitivity(texts, types, 1)
worst = max((float(np.abs(model.view(squares, name).reshape(e.shape) - e).max() / max(e.max(), 1e-9)), name)
            for name, e in expected.items() if "key.bias" not in name)  # which has no true gradient
checks.expect(worst[0] <= TOLERANCE, f"one text and logit a pass: exact to {worst[0]:.1e} ({worst[1]})")
model.free()

reference = shape(3)
expected = jacobian_squares(reference, texts, types)
model = ours(reference)
squares = model.sensitivity(texts * 400, types * 400, 4)
worst = max((abs(float(model.view(squares, name).sum() / e.sum()) - 1), name)
            for name, e in expected.items() if "key.bias" not in name)
checks.expect(worst[0] <= DRAWN_TOLERANCE, f"random signs, batches of 4: sums to {worst[0]:.3f} ({worst[1]})")
model.free()
sys.exit(checks.failures > 0)
