"""Steps of the optimiser against torch.optim; half precision against FP32; loss scaling; masks; the schedule."""
import copy
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import get_linear_schedule_with_warmup

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from bert import batch, make_minilm, make_small, ours, padded, reshape  # noqa: E402
from llmc import BF16, F16, F32, Checks, learning_rate  # noqa: E402

STEPS = 10
# Of each of ten losses: FP32 gradients in another order (5e-7 measured). Issue 3 asks for 1e-4.
LOSS_TOLERANCE = 3e-6
# Mean difference of the weights over the mean way that they went. Not each weight: AdamW makes a full step of a
# gradient that is rounding noise (the key's bias has no other).
WEIGHTS_TOLERANCE = 2e-4
WORDS = "bert.embeddings.word_embeddings.weight"
# Words of the small vocabulary and the steps whose batches have them: once; soon again; after long rests.
RARE, RARE_STEPS, RARE_STEPS_ALL = (85, 86, 87), ((2,), (2, 9, 60), (2, 3, 180, 290)), 400
RARE_STEPS_SKIPPED = (1, 9, 30, 61)
# Mean difference over the mean way: roundings of the weights (7e-6 measured). SparseAdam, which moves the rows of the
# batch only, misses half of it and more.
RARE_TOLERANCE = 3e-5
NORM_TOLERANCE = 2e-5  # relative, of the gradient's norm
CURVE_STEPS = 40
# Largest distance of a loss from FP32's over 40 steps, where it falls by half: operands have 11 and 8
# significant bits (9e-5 and 7e-4 measured).
CURVE_TOLERANCE = {F16: 1e-3, BF16: 1e-2}
NAMES = {F32: "fp32", F16: "fp16", BF16: "bf16"}

checks = Checks()
expect = checks.expect


class TorchOptimizer:
    """AdamW in the groups of transformers, but without decay of the word embedding."""

    def __init__(self, reference, lr, weight_decay, clip_norm):
        self.parameters, self.clip_norm = list(reference.parameters()), clip_norm
        groups = [dict(params=[], weight_decay=weight_decay), dict(params=[], weight_decay=0.0)]
        for name, p in reference.named_parameters():
            rests = name.endswith("bias") or "LayerNorm" in name or "word_embeddings" in name
            groups[rests]["params"].append(p)
        self.adamw = torch.optim.AdamW(groups, lr=lr, eps=1e-8)

    def step(self):
        """Returns the gradient's norm before clipping."""
        if self.clip_norm:
            norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip_norm).item()
        else:
            norm = sum(p.grad.double().square().sum().item() for p in self.parameters) ** 0.5
        self.adamw.step()
        self.adamw.zero_grad()
        return norm


def torch_loss(kind, logits, teacher, label):
    """The losses of the test: cross-entropy alone, or 0.3 of it beside 0.7 of KL at T = 2 or of MSE."""
    loss = F.cross_entropy(logits, torch.tensor(label))
    if kind == "kl":
        loss = 0.3 * loss + 0.7 * 4 * F.kl_div(F.log_softmax(logits / 2, -1), F.softmax(torch.tensor(teacher) / 2, -1),
                                               reduction="batchmean")
    if kind == "mse":
        loss = 0.3 * loss + 0.7 * F.mse_loss(logits, torch.tensor(teacher))
    return loss


def our_loss(kind, model, logits, teacher, label, scale=1.0):
    return model.loss(kind, logits, teacher, label, temperature=2.0 if kind == "kl" else 1.0,
                      weight=1.0 if kind == "none" else 0.3, scale=scale)


def fixed_batches(vocabulary, labels, lengths, count=3):
    """Batches of uneven lengths with labels that can be learned, and a teacher's logits."""
    rng = np.random.default_rng(1)
    batches = []
    for i in range(count):
        texts, types = batch(rng, vocabulary, np.roll(lengths, i))
        label = np.array([t[0] % labels for t in texts])
        batches.append((texts, types, label, rng.normal(0, 2, (len(texts), labels)).astype(np.float32)))
    return batches


def check_steps(name, start, kind, batches, lr, clip_norm):
    reference = copy.deepcopy(start)
    before = {n: p.detach().clone() for n, p in reference.named_parameters()}
    theirs = TorchOptimizer(reference, lr, 0.1, clip_norm)
    model = ours(reference)
    model.optimizer(weight_decay=0.1, clip_norm=clip_norm)
    worst, worst_norm, losses = 0.0, 0.0, []
    for step in range(STEPS):
        texts, types, label, teacher = batches[step % len(batches)]
        expected = torch_loss(kind, reference(**padded(texts, types)).logits, teacher, label)
        expected.backward()
        norm = theirs.step()
        loss, dlogits = our_loss(kind, model, model.forward(texts, types), teacher, label)
        model.backward(dlogits)
        skipped, got_norm, _ = model.step(lr)
        assert not skipped
        losses.append(loss)
        worst = max(worst, abs(loss - expected.item()))
        worst_norm = max(worst_norm, abs(got_norm / norm - 1))
        if clip_norm:
            assert norm > clip_norm, "the test must clip"
    expect(worst <= LOSS_TOLERANCE, f"{name}: {STEPS} losses within {worst:.1e} (from {losses[0]:.3f} to {losses[-1]:.3f})")
    expect(worst_norm <= NORM_TOLERANCE, f"{name}: gradient norms within {worst_norm:.1e}")
    model.catch_up()
    moved = different = 0.0
    for parameter, p in reference.named_parameters():
        got = model.view(model.values, parameter).reshape(p.shape)
        moved += np.abs((p.detach() - before[parameter]).numpy()).sum(dtype=float)
        different += np.abs(p.detach().numpy() - got).sum(dtype=float)
    expect(different <= WEIGHTS_TOLERANCE * moved, f"{name}: weights within {different / moved:.1e} of their way")
    used = {i for texts, *_ in batches for t in texts for i in t}
    unused = [i for i in range(reference.config.vocab_size) if i not in used]
    expect(len(unused) > 0 and np.array_equal(model.view(model.values, WORDS)[unused], before[WORDS].numpy()[unused]),
           f"{name}: {len(unused)} unused rows of the word embedding rest")
    model.free()


def check_rare_words(start):
    """Words that few batches have: their rows are moved on by their moments when a batch has them again and at the end,
    as in AdamW, which here takes the gradients from us, so that only its rule can differ. The learning rate rises from
    0 and falls to 0, and skipped steps do not count."""
    model = ours(start)
    scale = 2.0 ** 10
    model.optimizer(weight_decay=0.1, scaling=True, scale=scale)
    words = model.view(model.values, WORDS)
    before = words.copy()
    theirs = torch.tensor(before, requires_grad=True)
    adamw = torch.optim.AdamW([theirs], lr=1e-3, weight_decay=0.0)
    rng, at = np.random.default_rng(3), {word: steps for word, steps in zip(RARE, RARE_STEPS)}
    for step in range(RARE_STEPS_ALL):
        text = [int(i) for i in rng.integers(1, min(RARE), 12)]
        text += [word for word, steps in at.items() if step in steps]
        logits = model.forward([text, text[::-1]])
        label = [step % 2, step % 3 % 2]
        if step in RARE_STEPS_SKIPPED:
            model.backward(our_loss("none", model, logits, None, label, np.nan)[1])
            skipped, _, scale = model.step(1.0)
            assert skipped
            logits = model.forward([text, text[::-1]])
        _, dlogits = our_loss("none", model, logits, None, label, scale)
        gradients, _ = model.backward(dlogits)
        theirs.grad = torch.tensor(model.view(gradients, WORDS) / scale)
        adamw.param_groups[0]["lr"] = rate = learning_rate(1e-3, 0.1, step, RARE_STEPS_ALL)
        adamw.step()
        skipped, _, scale = model.step(rate)
        assert not skipped
        if step == RARE_STEPS_ALL - 1:
            model.catch_up()
        for word, steps in at.items():
            if step in (max(steps), RARE_STEPS_ALL - 1):
                way = np.abs(theirs.detach().numpy()[word] - before[word]).mean()
                far = np.abs(theirs.detach().numpy()[word] - words[word]).mean()
                expect(far <= RARE_TOLERANCE * way, f"word in steps {steps}, after step {step}: within {far / way:.1e} "
                                                    f"of its way of {way:.1e}")
    model.free()


def curve(start, number, batches, scaling):
    model = ours(start, number)
    model.optimizer(weight_decay=0.01, clip_norm=1.0, scaling=scaling, scale=2.0 ** 16)
    losses, scale = [], 2.0 ** 16 if scaling else 1.0
    while len(losses) < CURVE_STEPS:
        texts, types, label, teacher = batches[len(losses) % len(batches)]
        loss, dlogits = our_loss("none", model, model.forward(texts, types), teacher, label, scale)
        model.backward(dlogits)
        skipped, _, scale = model.step(learning_rate(1e-3, 0.1, len(losses), CURVE_STEPS))
        if not skipped:
            losses.append(loss)
    model.free()
    return np.array(losses)


def check_curves(start, batches):
    full = curve(start, F32, batches, False)
    fall = full[:3].mean() - full[-3:].mean()
    expect(fall > 0.5, f"fp32: the loss falls from {full[:3].mean():.3f} to {full[-3:].mean():.3f}")
    expect(np.array_equal(full, curve(start, F32, batches, False)), "fp32: the same bits twice")
    for number in (F16, BF16):
        distance = np.abs(curve(start, number, batches, number == F16) - full).max()
        expect(0 < distance <= CURVE_TOLERANCE[number], f"{NAMES[number]}: losses within {distance:.1e} of fp32's")


def check_overflow(start, batches):
    """A scale that overflows FP16: skipped steps leave no trace, halve it, and training goes on below."""
    model = ours(start, F16)
    model.optimizer(weight_decay=0.01, clip_norm=1.0, scaling=True, scale=2.0 ** 40)
    m, v = model.moments()
    scale, skips, losses = 2.0 ** 40, 0, []
    untouched = halves = True
    while len(losses) < 12:
        texts, types, label, teacher = batches[0]
        loss, dlogits = our_loss("none", model, model.forward(texts, types), teacher, label, scale)
        model.backward(dlogits)
        before = [a.copy() for a in (model.values, m, v)]
        skipped, _, after = model.step(1e-3)
        if skipped:
            skips += 1
            halves &= after == scale / 2
            untouched &= all(np.array_equal(a, b) for a, b in zip(before, (model.values, m, v)))
        else:
            losses.append(loss)
            untouched &= not np.array_equal(before[0], model.values)
        scale = after
    expect(5 < skips < 40, f"overflow: scale 2^40 fell to 2^{np.log2(scale):.0f} in {skips} skipped steps")
    expect(halves, "overflow: every skipped step halves the scale")
    expect(untouched, "overflow: skipped steps change no weight and no moment")
    expect(losses[-1] < losses[0] - 0.1, f"overflow: training goes on ({losses[0]:.3f} to {losses[-1]:.3f})")

    # An activation above 65,504 overflows whatever the scale is.
    name = "bert.encoder.layer.1.output.dense.bias"
    kept = model.view(model.values, name).copy()
    model.view(model.values, "bert.encoder.layer.0.intermediate.dense.bias")[...] += 1e6
    texts, types, label, teacher = batches[0]
    _, dlogits = our_loss("none", model, model.forward(texts, types), teacher, label, scale)
    model.backward(dlogits)
    skipped, norm, after = model.step(1e-3)
    expect(skipped and after == scale / 2 and not np.isfinite(norm), "overflow in forward: skipped, scale halved")
    expect(np.array_equal(kept, model.view(model.values, name)), "overflow in forward: weights rest")
    model.free()

    model = ours(start)
    model.optimizer()
    model.view(model.values, "classifier.bias")[0, 0] = np.inf
    _, dlogits = our_loss("none", model, model.forward(texts, types), teacher, label)
    model.backward(dlogits)
    try:
        model.step(1e-3)
        expect(False, "fp32: gradients that are not finite were taken")
    except RuntimeError as error:
        expect("diverged" in str(error), f"fp32: {error}")
    model.free()


def check_growth(start, batches):
    model = ours(start)
    model.optimizer(scaling=True, scale=2.0 ** 10)
    model.growth_interval(3)
    texts, types, label, teacher = batches[0]
    scale, scales = 2.0 ** 10, []
    for step in range(10):
        loss_scale = np.nan if step == 4 else scale  # this step is bad and starts the count anew
        _, dlogits = our_loss("none", model, model.forward(texts, types), teacher, label, loss_scale)
        model.backward(dlogits)
        _, _, scale = model.step(1e-4)
        scales.append(int(np.log2(scale)))
    expect(scales == [10, 10, 11, 11, 10, 10, 10, 11, 11, 11], f"growth: log2 of the scale after each step {scales}")
    model.free()


def check_masks(start, batches):
    model = ours(start)
    mask, rng = model.mask(), np.random.default_rng(2)
    names = [n for n in model.table if n.endswith("weight") and ("dense" in n or "self" in n)]
    for name in names:
        offset, rows, cols = model.table[name]
        begin = offset - model.dense_begin
        mask[begin:begin + rows * cols] = rng.random(rows * cols) < 0.4
        model.values[offset:offset + rows * cols] *= mask[begin:begin + rows * cols]
    model.optimizer(weight_decay=0.1)
    before = model.values.copy()
    for texts, types, label, teacher in batches * 2:
        _, dlogits = our_loss("none", model, model.forward(texts, types), teacher, label)
        model.backward(dlogits)
        model.step(1e-3)
    pruned = mask == 0
    dense = model.values[model.dense_begin:]
    expect(pruned.sum() > 1000 and not dense[pruned].any(), f"masks: {pruned.sum()} pruned weights are still zero")
    classifier = model.view(model.values, "classifier.weight") != model.view(before, "classifier.weight")
    kept = [n for n in names if (model.view(model.values, n) != model.view(before, n)).mean() < 0.3]
    expect(classifier.all() and not kept, "masks: the other weights move")
    model.free()


def check_schedule():
    worst = 0.0
    for warmup, steps in ((0.0, 10), (0.1, 37), (0.06, 1000), (0.5, 7), (1.0, 9), (0.99, 1)):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
        schedule = get_linear_schedule_with_warmup(optimizer, int(warmup * steps), steps)
        for step in range(steps + 1):
            worst = max(worst, abs(schedule.get_last_lr()[0] - learning_rate(0.3, warmup, step, steps)))
            optimizer.step()
            schedule.step()
    expect(worst <= 1e-12, f"learning rates within {worst:.1e} of transformers'")


def main():
    small = make_small()
    batches = fixed_batches(90, 3, [1, 17, 3, 40, 8, 16, 2, 11])
    for kind in ("none", "kl", "mse"):
        for clip_norm in (0.0, 0.5):
            check_steps(f"small, {kind}, clip {clip_norm}", small, kind, batches, 1e-3, clip_norm)
    layers = reshape(make_small(), [(1, 80), (5, 17), (3, 1)])
    check_steps("layers that differ", layers, "none", batches, 1e-3, 0.2)
    minilm = make_minilm()
    real = fixed_batches(30522, 2, [13, 7, 25, 4, 18, 9])
    check_steps("MiniLM-L6, none, clip 0.2", minilm, "none", real, 5e-5, 0.2)
    check_steps("MiniLM-L6, kl, clip 0.0", minilm, "kl", real, 5e-5, 0.0)
    check_rare_words(small)
    check_curves(small, batches)
    check_overflow(small, batches)
    check_growth(small, batches)
    check_masks(small, batches)
    check_schedule()
    sys.exit(checks.failures > 0)


main()
