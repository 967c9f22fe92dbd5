"""Pruning of the real MiniLM against numpy's sorting, and torch's global magnitude pruning."""
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils import prune

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testing"))
from bert import make_minilm, ours  # noqa: E402
from llmc import Checks  # noqa: E402

checks = Checks()


def main():
    reference = make_minilm()
    modules = {n: m for n, m in reference.named_modules() if isinstance(m, torch.nn.Linear) and n != "classifier"}
    names = [f"{n}.weight" for n in modules]
    model = ours(reference)
    start = model.values.copy()
    magnitudes = np.sort(np.concatenate([np.abs(model.view(start, n)).ravel() for n in names]))
    for sparsity in (0.0, 0.1, 0.5, 0.9, 0.99):
        model.prune(sparsity)
        mask = model.mask()
        pieces = {n: mask[o - model.dense_begin:][:r * c].reshape(r, c) for n, (o, r, c) in model.table.items()
                  if n in names}
        gone = sum(int((m == 0).sum()) for m in pieces.values())
        target = round(sparsity * magnitudes.size)
        checks.expect(gone == target == int((mask == 0).sum()), f"sparsity {sparsity}: {gone} of {magnitudes.size} weights gone")
        if not target:
            checks.expect(np.array_equal(start, model.values), "sparsity 0 changes nothing")
            continue
        largest = max(np.abs(model.view(start, n))[m == 0].max() for n, m in pieces.items() if (m == 0).any())
        smallest = min(np.abs(model.view(start, n))[m == 1].min() for n, m in pieces.items() if (m == 1).any())
        checks.expect(largest <= smallest and largest == magnitudes[target - 1],
                      f"sparsity {sparsity}: gone up to {largest:.4g}, kept from {smallest:.4g}")
        kept = all(np.array_equal(model.view(model.values, n), model.view(start, n) * m) for n, m in pieces.items())
        rest = all(np.array_equal(model.view(model.values, n), model.view(start, n)) for n in model.table if n not in names)
        checks.expect(kept and rest, f"sparsity {sparsity}: masked weights are zero, all others rest")
    pairs = [(m, "weight") for m in modules.values()]
    prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=target)
    different = sum(int((m.weight_mask.numpy() != pieces[f"{n}.weight"]).sum()) for n, m in modules.items())
    ties = 2 * int((magnitudes == magnitudes[target - 1]).sum())  # torch may take others of equals
    checks.expect(different <= ties, f"torch's masks differ in {different} places, all of them ties")
    model.free()
    sys.exit(checks.failures > 0)


main()
