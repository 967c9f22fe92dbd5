"""Learned steps against LSQ in PyTorch's autograd (Esser et al., 2020), and against numpy: where they start, what is
packed, how Adam moves them."""
import copy
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.utils import parametrize

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from bert import batch, make, ours, padded, reshape  # noqa: E402
from llmc import Checks, best_steps, pack_rows  # noqa: E402

# Largest difference of a gradient relative to that gradient's largest number: sums in FP32 of other orders.
GRADIENT_TOLERANCE = 1e-4
ERROR_TOLERANCE = 1.03  # mean over rows: candidates are 5 % apart, numpy's a tenth of that
ADAM_TOLERANCE = 1e-5    # ours in double, torch's in FP32
STEP_RATE, STEP_EPSILON = 10, 1e-12  # train/optimizer_steps.h and .c

checks = Checks()
expect = checks.expect


def limit_of(bits):
    return 2 ** (bits - 1) - 1


class LearnedRows(torch.nn.Module):
    """The paper's quantiser: round passes the gradient, clamp stops it; a step of 0 is that of the largest magnitude, which
    is not learned and stops nothing."""

    def __init__(self, bits, steps):
        super().__init__()
        self.limit = limit_of(bits)
        self.steps = torch.nn.Parameter(torch.tensor(steps)[:, None])

    def forward(self, w):
        steps = torch.where(self.steps > 0, self.steps, 1)
        v = torch.clamp(w / steps, -self.limit, self.limit)
        learned = (v + (torch.round(v) - v).detach()) * steps
        scale = w.detach().abs().amax(1, keepdim=True) / self.limit
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        fixed = w + (torch.round(w / scale) * scale - w).detach()
        return torch.where(self.steps > 0, learned, fixed)


def random_steps(rng, w, bits):
    """Some clip much, some little; a tenth is none."""
    steps = np.abs(w).max(1) / limit_of(bits) * rng.uniform(0.3, 1.1, len(w))
    steps[rng.random(len(w)) < 0.1] = 0
    return steps.astype(np.float32)


def quantise(model, reference, bits, rng):
    """Steps for both; returns those of PyTorch by name."""
    modules, learned = dict(reference.named_modules()), {}
    for name, count in bits.items():
        w = model.view(model.values, name)
        model.steps(name)[:] = random_steps(rng, w, count)
        learned[name] = LearnedRows(count, model.steps(name).copy())
        parametrize.register_parametrization(modules[name.removesuffix(".weight")], "weight", learned[name])
    return learned


def relative(got, expected):
    return float(np.abs(got - expected).max() / max(np.abs(expected).max(), 1e-12))


def check_gradients(name, plain, bits):
    rng = np.random.default_rng(5)
    model = ours(plain)
    model.fake(bits)
    reference = copy.deepcopy(plain)
    learned = quantise(model, reference, bits, rng)
    worst, stopped = (0.0, ""), 0
    for _ in range(3):
        texts, types = batch(rng, 61, [5, 1, 16, 3])
        label = rng.integers(0, 3, len(texts))
        reference.zero_grad()
        logits = reference(**padded(texts, types)).logits
        F.cross_entropy(logits, torch.tensor(label)).backward()
        got = model.forward(texts, types)
        _, dlogits = model.loss("none", got, None, label, weight=1.0)
        arena, _ = model.backward(dlogits)
        worst = max(worst, (relative(got, logits.detach().numpy()), "logits"))
        grads = {n.replace("parametrizations.weight.original", "weight"): p.grad.numpy()
                 for n, p in reference.named_parameters() if ".steps" not in n}
        for parameter, expected in grads.items():
            found = model.view(arena, parameter).reshape(expected.shape)
            largest = np.abs(grads[parameter.replace("key.bias", "query.bias")]).max()  # a key's bias has no true gradient
            worst = max(worst, (float(np.abs(found - expected).max() / largest), parameter))
            stopped += int((found == 0).sum()) if parameter in learned and "embeddings" not in parameter else 0
        for parameter, module in learned.items():
            worst = max(worst, (relative(model.dsteps(parameter), module.steps.grad[:, 0].numpy()), f"steps of {parameter}"))
    expect(worst[0] <= GRADIENT_TOLERANCE, f"{name}: worst gradient {worst[0]:.1e} ({worst[1]})")
    expect(stopped > 0, f"{name}: {stopped} gradients of weights stopped by the clip")
    model.free()


def check_packing(model):
    rng = np.random.default_rng(6)
    for bits in range(2, 9):
        w = rng.normal(0, 1, (67, 45)).astype(np.float32)
        w[3] = 0
        steps = random_steps(rng, w, bits)
        steps[4] = 1e-38  # far too small: everything is clipped
        integers, scales = pack_rows(w, bits, steps)
        fake = model.cast_weight(w, limit_of(bits), steps)
        chosen = np.where(steps > 0, steps, np.abs(w).max(1) / np.float32(limit_of(bits)))
        chosen[chosen == 0] = 1
        expected = np.clip(np.rint(w / chosen[:, None]), -limit_of(bits), limit_of(bits))
        expect(np.array_equal(scales, chosen) and np.array_equal(integers, expected)
               and np.array_equal(integers.astype(np.float32) * scales[:, None], fake + 0.0),
               f"{bits} bits: integers * steps are the simulated bits")


def error_of(w, steps, limit):
    steps = steps[:, None]
    return ((w - np.clip(np.rint(w / steps), -limit, limit) * steps) ** 2).sum(1)


def check_start():
    rng = np.random.default_rng(7)
    for bits in (2, 3, 4, 6):
        w = rng.standard_t(4, (40, 384)).astype(np.float32)
        w[1:4] *= np.array([[1e-30], [1e30], [1e-15]], np.float32)
        w[0] = 0
        steps = best_steps(w, bits)
        wide = w.astype(np.float64)
        largest = np.abs(wide).max(1) / limit_of(bits)
        least = np.min([error_of(wide[1:], largest[1:] * 0.995 ** i, limit_of(bits)) for i in range(640)], 0)
        ours_, absmax = error_of(wide[1:], steps[1:].astype(np.float64), limit_of(bits)), error_of(wide[1:], largest[1:], limit_of(bits))
        normal = [r for r in range(len(least)) if r not in (0, 1)]  # squares of 1e-30 and 1e30 leave FP32
        expect(steps[0] == 1 and (ours_ / least)[normal].mean() <= ERROR_TOLERANCE and np.isfinite(steps).all()
               and (steps > 0).all(),
               f"{bits} bits: the start has {ours_[normal].sum() / absmax[normal].sum():.2f} of the squared error of the largest magnitude")


def check_adam(plain, bits):
    """Steps of all rows in torch.optim.Adam, on logarithms; words that some batches lack catch up."""
    rng = np.random.default_rng(8)
    model = ours(plain)
    model.fake(bits)
    for name, count in bits.items():
        model.steps(name)[:] = best_steps(model.view(model.values, name), count)
    model.optimizer()
    logs = {name: torch.nn.Parameter(torch.tensor(np.log(model.steps(name).astype(np.float64)))) for name in bits}
    adam = torch.optim.Adam(logs.values(), lr=1, eps=STEP_EPSILON)
    start = {name: model.steps(name).copy() for name in bits}
    for step in range(12):
        texts, types = batch(rng, 61, [4, 2, 3])
        got = model.forward(texts, types)
        _, dlogits = model.loss("none", got, None, rng.integers(0, 3, 3), weight=1.0)
        model.backward(dlogits)
        for name, log in logs.items():
            log.grad = torch.tensor((model.dsteps(name) * model.steps(name)).astype(np.float64))
        rate = 1e-3 * (1 + step % 3)
        adam.param_groups[0]["lr"] = STEP_RATE * rate
        model.step(rate)
        adam.step()
    model.catch_up()
    moved = max(np.abs(np.log(model.steps(name) / start[name])).max() for name in bits)
    worst = max((np.abs(np.log(model.steps(name)) - logs[name].detach().numpy()).max(), name) for name in bits)
    expect(moved > 0.05 and worst[0] <= ADAM_TOLERANCE, f"Adam on logarithms: {worst[0]:.1e} of {moved:.2f} ({worst[1]})")
    model.free()


def bits_of(reference, weights, embeddings):
    bits = {name: weights for name, p in reference.named_parameters()
            if p.ndim == 2 and "embeddings" not in name and name != "classifier.weight"}
    return bits | {f"bert.embeddings.{table}_embeddings.weight": embeddings for table in ("word", "position")}


def main():
    plain = make(6, 3, vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
                 max_position_embeddings=16)
    model = ours(plain)
    check_packing(model)
    model.free()
    check_start()
    check_gradients("2 bits", plain, bits_of(plain, 2, 2))
    check_gradients("4 bits, embeddings of 3", plain, bits_of(plain, 4, 3))
    layers = reshape(plain, [(1, 40), (4, 13)])
    bits = {name: 2 + i % 5 for i, name in enumerate(bits_of(layers, 8, 6))}
    del bits["bert.encoder.layer.0.attention.self.key.weight"]
    check_gradients("bits and layers that differ", layers, bits)
    check_adam(layers, bits)
    sys.exit(checks.failures > 0)


main()
