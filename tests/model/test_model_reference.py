"""Forward and backward against transformers' BertForSequenceClassification and PyTorch's autograd."""
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from bert import batch, make, make_minilm, make_small, ours, padded, reshape  # noqa: E402
from llmc import BF16, EMBEDDING, F16, F32, HIDDEN, MIDDLE, QKV  # noqa: E402

# FP32 sums in another order, through up to six layers.
LOGITS_TOLERANCE = 1e-4
GRADIENT_TOLERANCE = 1e-4  # largest difference of a parameter's gradient, relative to that gradient's largest number
# Operands have 11 (FP16) and 8 (BF16) significant bits; errors add up over layers.
HALF_GRADIENT_TOLERANCE = {F16: 2e-2, BF16: 1.5e-1}

failures = 0


def expect(ok, text):
    global failures
    print(("ok      " if ok else "FAILED  ") + text)
    failures += not ok


def gradients_of(reference):
    return {n: p.grad.numpy() for n, p in reference.named_parameters()}


def compare_gradients(name, model, arena, reference, tolerance):
    worst, where = 0.0, ""
    grads = gradients_of(reference)
    assert set(grads) == set(model.table), set(grads) ^ set(model.table)
    for parameter, expected in grads.items():
        got = model.view(arena, parameter).reshape(expected.shape)
        if parameter.endswith("key.bias"):  # its true gradient is zero: softmax does not see a shift of all scores
            scale = np.abs(grads[parameter.replace("key", "query")]).max()
        else:
            scale = np.abs(expected).max() or 1.0  # a tap below the head leaves it without gradient
        error = float(np.abs(got - expected).max() / scale)
        if not error <= worst:
            worst, where = error, parameter
    expect(worst <= tolerance, f"{name}: worst gradient error {worst:.1e} ({where})")


def check_losses(reference, texts, types, labels, name, number=F32, tolerance=GRADIENT_TOLERANCE, threads=2):
    rng = np.random.default_rng(7)
    label = rng.integers(0, labels, len(texts))
    teacher = rng.normal(0, 2, (len(texts), labels)).astype(np.float32)
    model = ours(reference, number, threads)
    for kind, weight, temperature in (("none", 1.0, 1.0), ("kl", 0.3, 2.5), ("mse", 0.2, 1.0)):
        reference.zero_grad()
        logits = reference(**padded(texts, types)).logits
        expected = weight * F.cross_entropy(logits, torch.tensor(label))
        if kind == "kl":
            expected = expected + (1 - weight) * temperature ** 2 * F.kl_div(
                F.log_softmax(logits / temperature, -1), F.softmax(torch.tensor(teacher) / temperature, -1),
                reduction="batchmean")
        if kind == "mse":
            expected = expected + (1 - weight) * F.mse_loss(logits, torch.tensor(teacher))
        expected.backward()
        got_logits = model.forward(texts, types)
        scale = 1.0 if number == F32 else 256.0
        loss, dlogits = model.loss(kind, got_logits, teacher, label, temperature, weight, scale)
        arena, _ = model.backward(dlogits)
        if number == F32:
            error = float(np.abs(got_logits - logits.detach().numpy()).max())
            expect(error <= LOGITS_TOLERANCE, f"{name}, {kind}: logits differ by {error:.1e}")
            expect(abs(loss - expected.item()) <= LOGITS_TOLERANCE, f"{name}, {kind}: loss {loss:.6f} {expected.item():.6f}")
        compare_gradients(f"{name}, {kind}", model, arena / scale, reference, tolerance)
    model.free()


def tapped(reference, place, layer, inputs):
    """What transformers has at a tap, [T, cols], still part of its graph."""
    out = reference(**inputs, output_hidden_states=True)
    if place == QKV:
        part, x = reference.bert.encoder.layer[layer].attention.self, out.hidden_states[layer]
        x = torch.cat([part.query(x), part.key(x), part.value(x)], -1)
    elif place == MIDDLE:
        kept = []
        hook = reference.bert.encoder.layer[layer].attention.register_forward_hook(lambda *a: kept.append(a[2][0]))
        reference(**inputs)
        hook.remove()
        x = kept[0]
    else:
        x = out.hidden_states[0 if place == EMBEDDING else layer + 1]
    return x[inputs["attention_mask"].bool()]


def check_taps(reference, texts, types, name, number=F32, tolerance=GRADIENT_TOLERANCE):
    """The values at every place; the gradients of sum(g * logits + sum over taps of (g_i * values_i))."""
    rng = np.random.default_rng(9)
    inputs, last = padded(texts, types), len(reference.bert.encoder.layer) - 1
    places = [(EMBEDDING, 0), (HIDDEN, last), (QKV, 0), (HIDDEN, 0), (QKV, last), (HIDDEN, 0), (MIDDLE, 1)]
    model = ours(reference, number)
    model.taps(places)
    scale = 1.0 if number == F32 else 256.0
    for mixed in (True, False):
        reference.zero_grad()
        dlogits = rng.normal(0, mixed, (len(texts), reference.config.num_labels))
        expected = (reference(**inputs).logits * torch.tensor(dlogits)).sum()
        gradients, values = [], []
        for place, layer in places:
            x = tapped(reference, place, layer, inputs)
            gradients.append(rng.normal(0, 1e-2, x.shape))
            values.append(x.detach().numpy())
            expected = expected + (x * torch.tensor(gradients[-1])).sum()
        expected.backward()
        model.forward(texts, types)
        if number == F32:
            for keep in (True, False):  # without keep, layers overwrite each other
                model.forward(texts, types, keep=keep)
                error = max(np.abs(model.tapped(i, v.shape[1]) - v).max() for i, v in enumerate(values))
                expect(error <= LOGITS_TOLERANCE, f"{name}, keep {keep}: values at taps differ by {error:.1e}")
            model.forward(texts, types)
        model.tap_gradients([scale * g for g in gradients])
        arena, _ = model.backward(scale * dlogits)
        compare_gradients(f"{name}, taps{' and logits' if mixed else ''}", model, arena / scale, reference, tolerance)
    model.free()


def check_dropout():
    """Dropout against autograd is impossible, as its masks are ours: so against finite differences of our own
    forward with the same key, and its rate."""
    reference = make(11, vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                     intermediate_size=64, max_position_embeddings=16)
    model = ours(reference)
    rng = np.random.default_rng(3)
    texts, types = batch(rng, 50, [9, 4, 12])
    direction = rng.normal(0, 1, model.values.shape).astype(np.float32)
    dlogits = rng.normal(0, 1, (3, 2)).astype(np.float32)
    plain = model.forward(texts, types)
    start = model.values.copy()
    model.forward(texts, types, dropout=0.2, key=5)
    arena, _ = model.backward(dlogits)
    values = []
    step = 2e-3
    for sign in (1, -1):
        model.values[:] = start + sign * step * direction
        values.append(float((model.forward(texts, types, dropout=0.2, key=5) * dlogits).sum()))
    model.values[:] = start
    slope, expected = (values[0] - values[1]) / (2 * step), float((arena.astype(np.float64) * direction).sum())
    expect(abs(slope - expected) <= 2e-2 * abs(expected), f"dropout: slope {slope:.4f}, gradient says {expected:.4f}")
    expect(not np.allclose(plain, model.forward(texts, types, dropout=0.2, key=5)), "dropout changes logits")
    same = model.forward(texts, types, dropout=0.2, key=6)
    expect(np.array_equal(same, model.forward(texts, types, dropout=0.2, key=6)), "dropout: same key, same logits")
    mean = np.mean([model.forward(texts, types, dropout=0.02, key=k) for k in range(400)], axis=0)
    expect(np.abs(mean - plain).max() < 0.1, f"dropout: mean over keys near the plain logits ({np.abs(mean - plain).max():.3f})")
    model.free()


def check_bad_batches(reference):
    model = ours(reference)
    limit = reference.config.max_position_embeddings
    for texts, types, what in (([[0, reference.config.vocab_size]], [[0, 0]], "id"), ([[0, -1]], [[0, 0]], "id"),
                               ([[0, 1]], [[0, 9]], "type"), ([[0] * (limit + 1)], [[0] * (limit + 1)], "tokens"),
                               ([[1], []], [[0], []], "tokens")):
        try:
            model.forward(texts, types)
            expect(False, f"a batch with a bad {what} was taken")
        except RuntimeError as error:
            expect(what in str(error), f"refused: {error}")
    model.free()


def main():
    rng = np.random.default_rng(1)
    small = dict(vocab_size=101, hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=80,
                 max_position_embeddings=40)
    for act in ("gelu", "gelu_new", "relu"):
        reference = make(2, labels=3, hidden_act=act, **small)
        texts, types = batch(rng, 101, [1, 17, 3, 40, 8, 16, 2])
        check_losses(reference, texts, types, 3, f"small {act}")
    check_losses(reference, texts, types, 3, "one thread", threads=1)
    odd = make(4, labels=2, vocab_size=37, hidden_size=30, num_hidden_layers=1, num_attention_heads=3,
               intermediate_size=50, max_position_embeddings=300)
    texts, types = batch(rng, 37, [290, 5])
    check_losses(odd, texts, types, 2, "odd sizes, long text")
    check_bad_batches(reference)
    # heads that make up less and more than hidden, a feed-forward part of one number
    layers = reshape(make_small(), [(1, 80), (5, 17), (3, 1)])
    texts, types = batch(rng, 101, [1, 17, 3, 40, 8, 16, 2])
    check_losses(layers, texts, types, 3, "layers that differ")
    check_losses(layers, texts, types, 3, "layers that differ, one thread", threads=1)
    check_taps(layers, texts, types, "layers that differ")

    real = make_minilm()
    texts, types = batch(rng, 30522, [13, 7, 25, 66, 4, 18, 9])
    check_losses(real, texts, types, 2, "MiniLM-L6")
    for number, tolerance in HALF_GRADIENT_TOLERANCE.items():
        check_losses(real, texts, types, 2, {F16: "fp16", BF16: "bf16"}[number], number, tolerance)
        check_taps(real, texts, types, {F16: "fp16", BF16: "bf16"}[number], number, tolerance)
    # as pruning leaves them: with and without whole panels of 32
    layers = reshape(real, [(12, 1536), (7, 1000), (1, 64), (4, 333), (11, 1536), (3, 96)])
    check_losses(layers, texts, types, 2, "MiniLM-L6 with layers that differ")
    for number, tolerance in HALF_GRADIENT_TOLERANCE.items():
        check_losses(layers, texts, types, 2, {F16: "fp16", BF16: "bf16"}[number] + ", layers that differ", number,
                     tolerance)
    check_dropout()
    sys.exit(failures > 0)


main()
