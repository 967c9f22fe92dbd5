"""The losses of hidden states and attention relations against PyTorch's autograd: alone, and down to the parameters of a
student whose teacher is a model of transformers too."""
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from bert import batch, make, make_small, ours, padded, reshape  # noqa: E402
from llmc import BF16, EMBEDDING, F16, F32, HIDDEN, QKV, Checks, library  # noqa: E402

LOSS_TOLERANCE = 2e-6  # relative: FP32 products and exponentials, sums of the loss in double
GRADIENT_TOLERANCE = 2e-5  # of the largest number: FP32 sums over up to 128 keys
# Projection, difference and gradient are rounded to 11 (FP16) and 8 (BF16) significant bits.
HALF_TOLERANCE = {F16: 4e-3, BF16: 3e-2}
CHAIN_TOLERANCE = 1e-4  # as test_model_reference.py has it: FP32 through up to three layers

checks = Checks()


def rounded(x, number):
    kind = {F32: torch.float32, F16: torch.float16, BF16: torch.bfloat16}[number]
    return torch.tensor(x, dtype=torch.float32).to(kind).double()


def hidden_loss(student, teacher, projection):
    return F.mse_loss(student @ projection.T, teacher)


def relations_loss(student, teacher, offsets, heads):
    """MiniLMv2's loss on packed [T, 3A]: the mean over relation heads and tokens, summed over Q, K and V."""
    loss = 0
    for ours_, theirs in zip(student.chunk(3, -1), teacher.chunk(3, -1)):
        for begin, end in zip(offsets[:-1], offsets[1:]):
            logs = []
            for x in (ours_, theirs):
                x = x[begin:end].unflatten(-1, (heads, -1)).transpose(0, 1)
                logs.append(F.log_softmax(x @ x.transpose(1, 2) / x.shape[-1] ** 0.5, -1))
            loss = loss + F.kl_div(*logs, log_target=True, reduction="sum")
    return loss / (heads * len(student))


def worst(got, expected):
    return float(np.abs(got - expected.numpy()).max() / np.abs(expected.numpy()).max())


def check_hidden(model, rng):
    for tokens, cols, teacher_cols in ((1, 5, 7), (37, 48, 48), (129, 33, 96), (64, 96, 64)):
        for number in (F32, F16, BF16):
            student, teacher = rng.normal(0, 1, (tokens, cols)), rng.normal(0, 1, (tokens, teacher_cols))
            projection = rng.normal(0, cols ** -0.5, (teacher_cols, cols))
            x, w = rounded(student, number).requires_grad_(), rounded(projection, F32).requires_grad_()
            expected = 0.7 * hidden_loss(x, rounded(teacher, number), w)
            expected.backward()
            for version in range(library().harness_versions()):
                loss, dstudent, dprojection = model.hidden_loss(student, teacher, projection, 0.7, 256.0, number, version)
                error = max(worst(dstudent / 256, x.grad), worst(dprojection / 256, w.grad))
                off = abs(loss / expected.item() - 1)
                allowed = HALF_TOLERANCE.get(number, GRADIENT_TOLERANCE)
                checks.expect(error <= allowed and off <= max(LOSS_TOLERANCE, allowed * (number != F32)),
                              f"hidden {tokens} x {cols}, teacher {teacher_cols}, format {number}, version {version}: "
                              f"loss off by {off:.1e}, gradients by {error:.1e}")


def check_relations(model, rng):
    for lengths, heads, size, teacher_size in (([1], 1, 3, 5), ([7, 1, 16, 33], 4, 12, 12), ([128, 20], 3, 16, 32),
                                               ([40, 9], 12, 5, 8)):
        offsets = np.cumsum([0] + lengths)
        for number in (F32, F16, BF16):
            for spread in (0.3, 3.0):  # 3: some relations are nearly certain
                student = rng.normal(0, spread, (offsets[-1], 3 * heads * size))
                teacher = rng.normal(0, spread, (offsets[-1], 3 * heads * teacher_size))
                x = rounded(student, number).requires_grad_()
                expected = 0.7 * relations_loss(x, rounded(teacher, number), offsets, heads)
                expected.backward()
                for version in range(library().harness_versions()):
                    loss, dstudent = model.relations_loss(student, teacher, offsets, heads, 0.7, 256.0, number, version)
                    off = abs(loss - expected.item()) / max(expected.item(), 1e-6)
                    error = worst(dstudent / 256, x.grad) if np.abs(x.grad.numpy()).max() else np.abs(dstudent).max()
                    checks.expect(error <= GRADIENT_TOLERANCE and off <= GRADIENT_TOLERANCE,
                                  f"relations of {lengths} tokens, {heads} heads of {size} and {teacher_size}, spread "
                                  f"{spread}, format {number}, version {version}: loss off by {off:.1e}, gradient by {error:.1e}")
    loss, dstudent = model.relations_loss(teacher, teacher, offsets, heads)
    checks.expect(abs(loss) < 1e-6 and np.abs(dstudent).max() < 1e-6, "a student with its teacher's relations has no loss")


def tapped(reference, inputs, places):
    """transformers' activations at the taps, packed, and the logits."""
    out, packed = reference(**inputs, output_hidden_states=True), inputs["attention_mask"].bool()
    values = []
    for place, layer in places:
        if place == QKV:
            part, x = reference.bert.encoder.layer[layer].attention.self, out.hidden_states[layer]
            values.append(torch.cat([part.query(x), part.key(x), part.value(x)], -1)[packed])
        else:
            values.append(out.hidden_states[0 if place == EMBEDDING else layer + 1][packed])
    return values, out.logits


def check_chain(student, teacher, layers, heads, name, number=F32, tolerance=CHAIN_TOLERANCE):
    """All losses at once. layers: pairs of student's and teacher's, whose hidden states and, of the last, relations are
    compared."""
    rng = np.random.default_rng(5)
    texts, types = batch(rng, 101, [1, 17, 3, 40, 8, 16, 2])
    offsets, inputs = np.cumsum([0] + [len(t) for t in texts]), padded(texts, types)
    places = [[(EMBEDDING, 0), *[(HIDDEN, pair[i]) for pair in layers], (QKV, layers[-1][i])] for i in (0, 1)]
    projections = [rng.normal(0, 0.2, (teacher.config.hidden_size, student.config.hidden_size)) for _ in places[0][:-1]]
    weights = [torch.tensor(p, dtype=torch.float32).requires_grad_() for p in projections]
    with torch.no_grad():
        theirs, target = tapped(teacher, inputs, places[1])
    values, logits = tapped(student, inputs, places[0])
    expected = F.mse_loss(logits, target) + 0.5 * relations_loss(values[-1], theirs[-1], offsets, heads)
    for value, their, weight in zip(values, theirs, weights):
        expected = expected + 0.3 * hidden_loss(value, their, weight)
    student.zero_grad()
    expected.backward()

    models = [ours(student, number), ours(teacher, number)]
    for model, where in zip(models, places):
        model.taps(where)
    answers = [model.forward(texts, types, keep=keep) for model, keep in zip(models, (True, False))]
    scale, gradients = 256.0, []
    loss, dlogits = models[0].loss("mse", answers[0], answers[1], np.zeros(len(texts)), scale=scale)
    for i, (value, their) in enumerate(zip(values, theirs)):
        pair = models[0].tapped(i, value.shape[1]), models[1].tapped(i, their.shape[1])
        if i < len(weights):
            part, gradient, dprojection = models[0].hidden_loss(*pair, projections[i], 0.3, scale, number)
            error = worst(dprojection / scale, weights[i].grad)
            checks.expect(error <= tolerance, f"{name}: gradient of projection {i} off by {error:.1e}")
        else:
            part, gradient = models[0].relations_loss(*pair, offsets, heads, 0.5, scale, number)
        loss += part
        gradients.append(gradient)
    models[0].tap_gradients(gradients)
    arena, _ = models[0].backward(dlogits)
    checks.expect(abs(loss / expected.item() - 1) <= tolerance, f"{name}: loss {loss:.6f}, expected {expected.item():.6f}")
    errors, named = {}, dict(student.named_parameters())
    for parameter, p in named.items():
        got = models[0].view(arena, parameter).reshape(p.shape) / scale
        # a key's bias below the tap has none: softmax does not see a shift of all scores
        unit = named[parameter.replace("key.bias", "query.bias")].grad.abs().max().item()
        errors[parameter] = float(np.abs(got - p.grad.numpy()).max()) / unit
    where = max(errors, key=errors.get)
    checks.expect(errors[where] <= tolerance, f"{name}: worst gradient error {errors[where]:.1e} ({where})")
    for model in models:
        model.free()


def main():
    rng = np.random.default_rng(1)
    model = ours(make_small())
    check_hidden(model, rng)
    check_relations(model, rng)
    model.free()
    teacher = make_small()
    narrow = make(3, 3, vocab_size=101, hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=50,
                  max_position_embeddings=40)
    check_chain(narrow, teacher, [(0, 0), (1, 2)], 12, "a narrower student")
    check_chain(reshape(make_small(7), [(1, 80), (5, 17), (3, 1)]), teacher, [(1, 0), (2, 2)], 6, "heads that differ")
    for number, tolerance in {F16: 3e-2, BF16: 3e-1}.items():  # activations and gradients of all layers are rounded too
        check_chain(narrow, teacher, [(0, 0), (1, 2)], 12, {F16: "fp16", BF16: "bf16"}[number], number, tolerance)
    sys.exit(checks.failures > 0)


main()
