"""Importances of heads and neurons against autograd with gates as parameters; what structured pruning leaves against
transformers' BERT with the other gates at zero."""
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from bert import batch, make_small, ours, padded, reshape, shapes  # noqa: E402
from llmc import Checks  # noqa: E402

# Gates are sums of products of FP32 gradients, which agree to a few bits.
GATE_TOLERANCE = 1e-5
LOGITS_TOLERANCE = 2e-5  # as of whole models in tests/model
SCALE = 1024.0  # loss scaling: a power of 2 changes no digit

checks = Checks()


class Gated:
    """transformers' model with a gate before the weight behind each head and each neuron."""

    def __init__(self, reference):
        self.reference = reference
        width = reference.config.hidden_size // reference.config.num_attention_heads
        self.heads = [torch.ones(heads, requires_grad=True) for heads, _ in shapes(reference)]
        self.neurons = [torch.ones(ffn, requires_grad=True) for _, ffn in shapes(reference)]
        for layer, heads, neurons in zip(reference.bert.encoder.layer, self.heads, self.neurons):
            layer.attention.output.dense.register_forward_pre_hook(
                lambda _, x, gates=heads: (x[0] * gates.repeat_interleave(width),))
            layer.output.dense.register_forward_pre_hook(lambda _, x, gates=neurons: (x[0] * gates,))

    def gates(self):
        return [gate for pair in zip(self.heads, self.neurons) for gate in pair]

    def close(self, kept):
        """Gates at zero for what is not in `kept`; layers that are not are left out."""
        with torch.no_grad():
            for place, heads, neurons in kept:
                for gates, places in ((self.heads[place], heads), (self.neurons[place], neurons)):
                    gates.zero_()
                    gates[places] = 1
        layers = self.reference.bert.encoder.layer
        self.reference.bert.encoder.layer = torch.nn.ModuleList(layers[place] for place, _, _ in kept)


def check_importance(name, reference, kind):
    rng = np.random.default_rng(4)
    model, gated = ours(reference), Gated(reference)
    importance, expected = model.importance(), 0
    labels = reference.config.num_labels
    for lengths in ([5, 9, 3], [12, 2], [7, 7, 7, 1]):
        texts, types = batch(rng, 101, lengths)
        teacher = rng.normal(size=(len(lengths), labels)).astype(np.float32)
        logits = model.forward(texts, types)
        _, dlogits = model.loss("mse", logits, teacher, np.zeros(len(lengths)), scale=SCALE)
        model.backward(dlogits)
        model.add_importance(importance, kind, SCALE)
        torch.set_grad_enabled(True)
        loss = torch.nn.functional.mse_loss(reference(**padded(texts, types)).logits, torch.tensor(teacher))
        g = torch.cat(torch.autograd.grad(loss, gated.gates())).numpy().astype(np.float64)
        expected = expected + (g * g if kind == "fisher" else np.abs(g))
    checks.expect(importance[0] == 3 and importance.size == 1 + expected.size, f"{name}: {importance.size} numbers, 3 batches")
    far = np.abs(importance[1:] - expected).max() / expected.max()
    checks.expect(far < GATE_TOLERANCE, f"{name}, {kind}: {far:.1e} of the largest away from autograd")
    return model, gated, importance


def check_kept(name, reference, keep):
    model, gated, importance = check_importance(name, reference, "fisher")
    whole = sum(4 * 48 * 12 * heads + 2 * 48 * ffn for heads, ffn in shapes(reference))
    kept = model.keep(importance, keep)
    left = sum(4 * 48 * 12 * len(heads) + 2 * 48 * len(neurons) for _, heads, neurons in kept)
    checks.expect(left <= keep * whole, f"{name}: {left / whole:.1%} of the weights stay in "
                  + ", ".join(f"layer {place}: {len(heads)}/{len(neurons)}" for place, heads, neurons in kept))
    gated.close(kept)
    texts, types = batch(np.random.default_rng(9), 101, [8, 1, 20, 5])
    with torch.no_grad():
        wanted = reference(**padded(texts, types)).logits.numpy()
    far = np.abs(model.forward(texts, types, keep=False) - wanted).max()
    checks.expect(far < LOGITS_TOLERANCE, f"{name}: logits {far:.1e} away from those with closed gates")
    model.free()


def main():
    check_importance("small", make_small(), "taylor")[0].free()
    check_kept("small", make_small(), 0.7)
    check_kept("small, a third", make_small(seed=3), 0.33)
    check_kept("layers that differ", reshape(make_small(seed=5), [(4, 128), (1, 33), (3, 96)]), 0.5)
    check_kept("one layer", make_small(seed=6), 0.12)
    sys.exit(checks.failures > 0)


main()
