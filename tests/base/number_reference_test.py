"""Conversions from F32 against numpy (F16) and PyTorch (BF16), bit by bit."""
import subprocess
import sys

import numpy as np
import torch

random = np.random.default_rng(1)
bits = np.concatenate([
    random.integers(0, 1 << 32, 2_000_000, dtype=np.uint32),  # everything, NaN among it
    (random.integers(90 << 23, 145 << 23, 2_000_000, dtype=np.uint32)),  # where halves live, both ends crossed
    (np.arange(0x70000, dtype=np.uint32) + 0x3300) << 12,  # ties of halves and their surroundings
    np.arange(1 << 16, dtype=np.uint32) << 16 | 0x8000,  # ties of BF16
    np.arange(1 << 12, dtype=np.uint32) + 0x33000000 - (1 << 11),  # around half of the least half
])
values = bits.view(np.float32)
nan = np.isnan(values)


def convert(number):
    done = subprocess.run([sys.argv[1], number], input=bits.tobytes(), stdout=subprocess.PIPE, check=True)
    return np.frombuffer(done.stdout, np.uint16)


with np.errstate(over="ignore", under="ignore", invalid="ignore"):
    half = values.astype(np.float16).view(np.uint16)
brain = torch.from_numpy(values.copy()).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
for number, expected, infinity in (("F16", half, 0x7C00), ("BF16", brain, 0x7F80)):
    found = convert(number)
    assert len(found) == len(bits)
    wrong = np.flatnonzero((found != expected) & ~nan)
    assert len(wrong) == 0, f"{number}: {len(wrong)} differ, first {bits[wrong[0]]:08x}: {found[wrong[0]]:04x}"
    assert np.all((found[nan] & 0x7FFF) > infinity), f"{number}: a NaN became a number"
    print(f"{number}: {len(bits)} values, {nan.sum()} of them NaN")
