"""Fake quantisation against numpy and PyTorch: weights bit for bit, inputs with their gradients, whole models."""
import copy
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.utils import parametrize

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from bert import batch, make, ours, padded, reshape  # noqa: E402
from llmc import Checks, pack_rows  # noqa: E402

# Largest difference of a parameter's gradient relative to that gradient's largest number.
GRADIENT_TOLERANCE = 1e-4
# An input within 1e-6 of the middle between two integers may round to either side, as FP32 sums differ in their last
# bits; one such step of 1/255 of a range is seen in every gradient. Of 8 batches one may meet it.
BATCHES, ROUNDED_OTHERWISE, ROUNDED_TOLERANCE = 8, 1, 5e-2
DSCALE_TOLERANCE = 1e-5  # FP32 products; relative to the sum of magnitudes

checks = Checks()
expect = checks.expect


def fake_rows(w, limit):
    """The exact formula in numpy's float32: one scale a row."""
    scale = np.abs(w).max(1, keepdims=True) / np.float32(limit)
    scale[scale == 0] = 1
    integers = np.clip(np.rint(w / scale), -limit, limit)
    return integers.astype(np.int8), scale[:, 0]


def check_weights(model):
    rng = np.random.default_rng(1)
    for bits in range(2, 9):
        limit = 2 ** (bits - 1) - 1
        w = rng.normal(0, 1, (67, 45)).astype(np.float32)
        w[3] = 0
        w[4, 1:] = 0
        w[5] = np.rint(w[5] * 10) / 2  # ties, when the scale is a power of two
        w[5, 0] = 0.25 * limit
        w[5, 1:] = np.clip(w[5, 1:], -0.25 * limit, 0.25 * limit)
        w[6] *= 1e-38  # denormal numbers
        w[7] *= 1e-44
        w[8] *= 1e37
        w[9] = -0.0
        integers, scales = pack_rows(w, bits)
        expected, expected_scales = fake_rows(w, limit)
        fake = model.cast_weight(w, limit)
        same = np.array_equal(integers, expected) and np.array_equal(scales, expected_scales)
        exact = np.array_equal((integers.astype(np.float32) * scales[:, None]).view(np.uint32), fake.view(np.uint32))
        spread = integers.min() == -limit and integers.max() == limit and len(np.unique(integers)) > 1.9 * limit
        expect(same and exact and spread, f"weights, {bits} bits: integers * scale are the simulated bits")
        theirs = torch.fake_quantize_per_channel_affine(torch.tensor(w), torch.tensor(scales),
                                                        torch.zeros(len(w), dtype=torch.int32), 0, -limit, limit).numpy()
        # torch multiplies with 1 / scale: neighbours of ties may fall to the other side
        normal = [r for r in range(len(w)) if r not in (6, 7)]  # 1 / scale of denormals is infinite
        other = theirs[normal] != fake[normal]
        near = np.abs(theirs - fake)[normal] <= 1.001 * scales[normal, None]
        expect(other.mean() < 2e-3 and near.all(), f"weights, {bits} bits: torch agrees but for {other.sum()} ties")
    expect(np.array_equal(model.cast_weight(w, 0), w), "weights without a limit are copied")


def check_inputs(model):
    rng = np.random.default_rng(2)
    for scale, zero_point in ((2.0 ** -5, 128), (2.0 ** -5, 0), (2.0 ** -5, 255), (0.0137, 77), (3.1, 3), (1e-4, 200)):
        low, high = -zero_point * scale, (255 - zero_point) * scale
        x = rng.uniform(low - 0.2 * (high - low), high + 0.2 * (high - low), (33, 19)).astype(np.float32)
        x[:, ::4] = (np.floor(x[:, ::4] / scale) + 0.5) * np.float32(scale)  # ties where the scale is a power of two
        dy = rng.normal(0, 1, x.shape).astype(np.float32)
        y = model.fake_input(x, scale, zero_point)
        xt = torch.tensor(x, requires_grad=True)
        yt = torch.fake_quantize_per_tensor_affine(xt, scale, zero_point, 0, 255)
        yt.backward(torch.tensor(dy))
        dx, dscale = model.fake_input_backward(x, dy, scale, zero_point)
        name = f"inputs, scale {scale:.3g}, zero point {zero_point}"
        expect(np.array_equal(y, yt.detach().numpy()), f"{name}: the values of torch")
        expect(np.array_equal(dx, xt.grad.numpy()) and (dx == 0).mean() > 0.1, f"{name}: the gradient of torch")

        x += np.float32(0.13 * scale)  # off the ties, which torch's learnable form rounds behind the zero point
        s = torch.tensor([scale], requires_grad=True)
        yt = torch._fake_quantize_learnable_per_tensor_affine(torch.tensor(x), s, torch.tensor([float(zero_point)]), 0, 255, 1.0)
        yt.backward(torch.tensor(dy))
        _, dscale = model.fake_input_backward(x, dy, scale, zero_point)
        magnitude = np.abs(dy * 255).sum()
        error = abs(dscale - s.grad.item()) / magnitude
        expect(error <= DSCALE_TOLERANCE, f"{name}: gradient of the scale {dscale:.4f}, torch's {s.grad.item():.4f}")


class FakeRows(torch.nn.Module):
    """A weight that looks quantised in forward and not in backward."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def forward(self, w):
        scale = w.detach().abs().amax(1, keepdim=True) / self.limit
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        fake = torch.clamp(torch.round(w.detach() / scale), -self.limit, self.limit) * scale
        return w + (fake - w).detach()


def limit_of(bits):
    return 2 ** (bits - 1) - 1


def quantise(reference, bits, scales, zero_points):
    """Puts fake quantisation into a model of transformers: weights with bits, and where all weights of a site have
    some, their input. Returns the learnable scales by site."""
    learnable = [torch.nn.Parameter(torch.tensor([s])) for s in scales] if scales is not None else None

    def hook(site):
        return lambda module, inputs: (torch._fake_quantize_learnable_per_tensor_affine(
            inputs[0], learnable[site], torch.tensor([float(zero_points[site])]), 0, 255, 1.0),)

    def linear(site, *modules):
        if learnable and all(bits.get(names[module]) for module in modules):
            for module in modules:
                module.register_forward_pre_hook(hook(site))
        else:
            rest.append(site)

    rest, names = [], {module: name + ".weight" for name, module in reference.named_modules()}
    for i, layer in enumerate(reference.bert.encoder.layer):
        linear(4 * i, layer.attention.self.query, layer.attention.self.key, layer.attention.self.value)
        linear(4 * i + 1, layer.attention.output.dense)
        linear(4 * i + 2, layer.intermediate.dense)
        linear(4 * i + 3, layer.output.dense)
    linear(4 * len(reference.bert.encoder.layer), reference.bert.pooler.dense)
    for module, name in names.items():
        if bits.get(name):
            parametrize.register_parametrization(module, "weight", FakeRows(limit_of(bits[name])))
    for site in rest if learnable else []:
        learnable[site] = None
    return learnable


def worst_gradient(model, arena, dscales, reference, learnable):
    grads = {n.replace("parametrizations.weight.original", "weight"): p.grad.numpy()
             for n, p in reference.named_parameters()}
    assert set(grads) == set(model.table), set(grads) ^ set(model.table)
    worst, where = 0.0, ""
    for name, expected in grads.items():
        got = model.view(arena, name).reshape(expected.shape)
        largest = np.abs(grads[name.replace("key.bias", "query.bias")]).max()  # a key's bias has no true gradient
        error = float(np.abs(got - expected).max() / largest)
        if not error <= worst:
            worst, where = error, name
    if learnable:
        expected = np.array([p.grad.item() if p is not None else 0.0 for p in learnable])
        error = float(np.abs(dscales - expected).max() / np.abs(expected).max())
        if not error <= worst:
            worst, where = error, "scales"
    return worst, where


def even_bits(reference, weights, embeddings):
    """Those of all linear weights and of the embeddings; 0: none."""
    bits = {name: weights for name, p in reference.named_parameters()
            if p.ndim == 2 and "embeddings" not in name and name != "classifier.weight"}
    bits |= {f"bert.embeddings.{table}_embeddings.weight": embeddings for table in ("word", "position")}
    return {name: count for name, count in bits.items() if count}


def make_plain():
    return make(6, 3, vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
                max_position_embeddings=16)


def check_model(name, plain, bits, inputs):
    rng = np.random.default_rng(3)
    model = ours(plain)
    scales = zero_points = None
    if inputs:  # ranges that cut some inputs off
        scales = rng.uniform(0.012, 0.02, model.sites).astype(np.float32)
        zero_points = rng.integers(100, 150, model.sites).astype(np.float32)
    model.fake(bits, scales, zero_points)
    reference = copy.deepcopy(plain)
    learnable = quantise(reference, bits, scales, zero_points)
    errors = []
    for _ in range(BATCHES):
        texts, types = batch(rng, 61, [5, 1, 16, 3])
        label = rng.integers(0, 3, len(texts))
        reference.zero_grad()
        for p in learnable or []:
            if p is not None:
                p.grad = None
        logits = reference(**padded(texts, types)).logits
        F.cross_entropy(logits, torch.tensor(label)).backward()
        got = model.forward(texts, types)
        _, dlogits = model.loss("none", got, None, label, weight=1.0)
        arena, dscales = model.backward(dlogits)
        errors.append(worst_gradient(model, arena, dscales, reference, learnable))
    errors.sort()
    changed = np.abs(got - plain(**padded(texts, types)).logits.detach().numpy()).max()
    expect(changed > 1e-4, f"{name}: quantisation moves logits by {changed:.1e}")
    usual, (worst, where) = errors[-1 - ROUNDED_OTHERWISE][0], errors[-1]
    expect(usual <= GRADIENT_TOLERANCE and worst <= ROUNDED_TOLERANCE,
           f"{name}: gradient errors {errors[0][0]:.1e} to {usual:.1e}, worst {worst:.1e} ({where})")
    model.free()


def main():
    model = ours(make(6, 3, vocab_size=61, hidden_size=24, num_hidden_layers=1, num_attention_heads=3,
                      intermediate_size=40, max_position_embeddings=16))
    check_weights(model)
    check_inputs(model)
    model.free()
    plain = make_plain()
    check_model("weights of 8 bits", plain, even_bits(plain, 8, 0), False)
    check_model("weights of 4 bits, embeddings of 8", plain, even_bits(plain, 4, 8), False)
    check_model("weights of 8 bits and inputs", plain, even_bits(plain, 8, 0), True)
    check_model("all", plain, even_bits(plain, 8, 8), True)
    # Each weight has bits of its own, and some have none: their inputs are not rounded.
    layers = reshape(make_plain(), [(1, 40), (4, 13)])
    bits = even_bits(layers, 8, 6)
    bits = {name: 3 + i % 6 for i, name in enumerate(bits)} | {"bert.embeddings.position_embeddings.weight": 5}
    for name in ("layer.0.attention.self.key", "layer.1.intermediate.dense", "layer.1.output.dense"):
        del bits[f"bert.encoder.{name}.weight"]
    check_model("bits that differ", layers, bits, False)
    check_model("bits that differ, and inputs", layers, bits, True)
    sys.exit(checks.failures > 0)


main()
