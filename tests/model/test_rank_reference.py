"""A word embedding in factors: forward and gradients against PyTorch, whole and rounded; its start against numpy."""
import copy
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from bert import batch, make, ours, padded  # noqa: E402
from llmc import BF16, F16, F32, Checks, factor_words  # noqa: E402

# Of the largest number: FP32 sums in other orders; operands of the layers (not of the projection) in 16 bits.
TOLERANCES = {F32: 1e-4, F16: 2e-2, BF16: 1e-1}
START_TOLERANCE = 1e-4  # of the least weighted squared error: FP32 factors

RANK = 7
WORDS, PROJECTION = "bert.embeddings.word_embeddings.weight", "bert.embeddings.word_projection.weight"
checks = Checks()


def factor(reference, rank):
    """Gives a model of transformers two factors under our names."""
    embeddings = reference.bert.embeddings
    vocabulary, hidden = embeddings.word_embeddings.weight.shape
    embeddings.word_embeddings = torch.nn.Embedding(vocabulary, rank)
    embeddings.word_projection = torch.nn.Linear(rank, hidden, bias=False)
    embeddings.word_projection.weight.data.normal_(0, rank ** -0.5)
    embeddings.word_embeddings.weight.data.normal_(0, 0.05)
    embeddings.word_embeddings.register_forward_hook(lambda module, ids, rows: embeddings.word_projection(rows))
    return reference


def worst(model, reference, seed):
    rng = np.random.default_rng(seed)
    texts, types = batch(rng, 61, [5, 1, 16, 3])
    texts[0][1] = texts[2][3]  # a word twice
    label = rng.integers(0, 3, len(texts))
    reference.zero_grad()
    logits = reference(**padded(texts, types)).logits
    F.cross_entropy(logits, torch.tensor(label)).backward()
    got = model.forward(texts, types)
    _, dlogits = model.loss("none", got, None, label, weight=1.0)
    arena, _ = model.backward(dlogits)
    errors = {"logits": np.abs(got - logits.detach().numpy()).max() / np.abs(logits.detach().numpy()).max()}
    for name in (WORDS, PROJECTION, "bert.embeddings.position_embeddings.weight", "classifier.weight"):
        expected = reference.get_parameter(name).grad.numpy()
        errors[name] = np.abs(model.view(arena, name) - expected).max() / np.abs(expected).max()
    name = max(errors, key=errors.get)
    return float(errors[name]), name


def check_model(number, name):
    reference = factor(make(6, 3, vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                            intermediate_size=40, max_position_embeddings=16), RANK)
    model = ours(reference, number, embedding_rank=RANK)
    checks.expect(model.table[WORDS][1:] == (61, RANK) and model.table[PROJECTION][1:] == (24, RANK), f"{name}: shapes")
    error, where = max(worst(model, reference, seed) for seed in range(3))
    checks.expect(error <= TOLERANCES[number], f"{name}: worst of logits and gradients {error:.1e} ({where})")
    model.free()


def check_rounded():
    """Both factors in integers with steps: PyTorch with what ours rounds to; the clip stops gradients as in LSQ."""
    reference = factor(make(6, 3, vocab_size=61, hidden_size=24, num_hidden_layers=1, num_attention_heads=3,
                            intermediate_size=40, max_position_embeddings=16), RANK)
    model = ours(reference, embedding_rank=RANK)
    model.fake({WORDS: 3, PROJECTION: 4})
    rounded = copy.deepcopy(reference)
    rounded.bert.embeddings.word_embeddings._forward_hooks.clear()
    embeddings = rounded.bert.embeddings
    embeddings.word_embeddings.register_forward_hook(lambda module, ids, rows: embeddings.word_projection(rows))
    for name, limit in ((WORDS, 3), (PROJECTION, 7)):
        w = model.view(model.values, name)
        model.steps(name)[:] = np.abs(w).max(1) / limit * 0.6
        steps = torch.tensor(model.steps(name).copy())[:, None]
        parameter = rounded.get_parameter(name)
        parameter.data = torch.clamp(torch.round(parameter.data / steps), -limit, limit) * steps
    rng = np.random.default_rng(3)
    texts, types = batch(rng, 61, [5, 1, 16, 3])
    logits = rounded(**padded(texts, types)).logits
    logits.sum().backward()
    got = model.forward(texts, types)
    arena, _ = model.backward(np.ones_like(got))
    error = np.abs(got - logits.detach().numpy()).max()
    for name, limit in ((WORDS, 3), (PROJECTION, 7)):
        inside = np.abs(model.view(model.values, name) / model.steps(name)[:, None]) <= limit
        expected = rounded.get_parameter(name).grad.numpy() * inside
        error = max(error, np.abs(model.view(arena, name) - expected).max() / np.abs(expected).max())
        checks.expect(0 < inside.mean() < 1, f"{name}: {1 - inside.mean():.0%} clipped")
    checks.expect(error <= TOLERANCES[F32], f"rounded factors: worst of logits and gradients {error:.1e}")
    model.free()


def check_start():
    rng = np.random.default_rng(9)
    words = (rng.normal(0, 1, (300, 40)) * 0.8 ** np.arange(40) @ rng.normal(0, 1, (40, 40))).astype(np.float32)
    counts = rng.integers(1, 1000, 300)
    root = np.sqrt(counts)[:, None]
    values = np.linalg.svd(root * words, compute_uv=False)
    for rank in (1, 7, 39, 40):
        rows, projection = factor_words(words, rank, counts)
        error = ((root * (words - rows.astype(np.float64) @ projection.T.astype(np.float64))) ** 2).sum()
        least, whole = (values[rank:] ** 2).sum(), (values ** 2).sum()
        orthonormal = np.abs(projection.T @ projection - np.eye(rank)).max()
        checks.expect(error <= least * (1 + START_TOLERANCE) + 1e-9 * whole and orthonormal < 1e-5,
                      f"rank {rank}: {error / whole:.2e} of the squares is lost, {least / whole:.2e} must be")


for number, name in ((F32, "fp32"), (F16, "fp16"), (BF16, "bf16")):
    check_model(number, name)
check_rounded()
check_start()
sys.exit(checks.failures > 0)
