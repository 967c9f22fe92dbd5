"""The C harness (harness.h) as a Python class, and what reference tests share."""
import ctypes
import os
import sys
from pathlib import Path

import numpy as np

F32, F16, BF16 = 0, 1, 2
GELU, GELU_TANH, RELU = 0, 1, 2
EMBEDDING, HIDDEN, MIDDLE, QKV = 0, 1, 2, 3  # places of taps


def library():
    lib = ctypes.CDLL(os.environ.get("LLMC_TESTING_LIBRARY", "build/tests/testing/libllmc_testing.so"))
    lib.harness_error.restype = ctypes.c_char_p
    lib.harness_values.restype = ctypes.POINTER(ctypes.c_float)
    lib.harness_loss.restype = ctypes.c_double
    lib.harness_moments.restype = ctypes.POINTER(ctypes.c_float)
    lib.harness_steps.restype = ctypes.POINTER(ctypes.c_float)
    lib.harness_importance_count.restype = ctypes.c_int64
    lib.harness_mask.restype = ctypes.POINTER(ctypes.c_uint8)
    lib.harness_learning_rate.restype = ctypes.c_double
    return lib


def pointer(array, kind):
    return None if array is None else array.ctypes.data_as(ctypes.POINTER(kind))


def find_package_folder(name):
    """The folder of an installed package, without importing it."""
    for entry in sys.path:
        if (Path(entry) / name).is_dir():
            return Path(entry) / name
    raise SystemExit(f"package {name} is not installed")


class Model:
    """A BERT classifier of ours. Arrays go in and out as numpy."""

    def __init__(self, *, vocabulary, positions, types, hidden, layers, head_width, labels, activation=GELU,
                 epsilon=1e-12, number=F32, threads=2, embedding_rank=0):
        """layers: a list of (heads, ffn)."""
        self.lib = library()
        self.hidden, self.labels = hidden, labels
        shape = (ctypes.c_int32 * 9)(vocabulary, positions, types, hidden, len(layers), head_width, labels, activation,
                                     embedding_rank)
        widths = (ctypes.c_int32 * (2 * len(layers)))(*[number for layer in layers for number in layer])
        self.handle = ctypes.c_void_p()
        self.check(self.lib.harness_create(ctypes.byref(self.handle), shape, widths, ctypes.c_float(epsilon), number, threads))
        total, begin = ctypes.c_int64(), ctypes.c_int64()
        values = self.lib.harness_values(self.handle, ctypes.byref(total), ctypes.byref(begin))
        self.values = np.ctypeslib.as_array(values, (total.value,))
        self.dense_begin = begin.value
        self.sites = self.lib.harness_site_count(self.handle)
        self.table = {}
        name = ctypes.create_string_buffer(96)
        offset, rows, cols = ctypes.c_int64(), ctypes.c_int64(), ctypes.c_int64()
        index = 0
        while self.lib.harness_parameter(self.handle, index, name, ctypes.byref(offset), ctypes.byref(rows),
                                         ctypes.byref(cols)) == 0:
            self.table[name.value.decode()] = (offset.value, rows.value, cols.value)
            index += 1

    def check(self, result):
        if result != 0:
            raise RuntimeError(self.lib.harness_error().decode())

    def view(self, arena, name):
        offset, rows, cols = self.table[name]
        return arena[offset:offset + rows * cols].reshape(rows, cols)

    def load(self, state):
        """Takes the values of a Hugging Face state dict; every parameter must be there."""
        for name in self.table:
            view = self.view(self.values, name)
            view[...] = state[name].detach().float().numpy().reshape(view.shape)

    def fake(self, bits, scales=None, zero_points=None):
        """bits: by name of the parameter; those without one stay as they are."""
        counts = (ctypes.c_int32 * len(self.table))(*[bits.get(name, 0) for name in self.table])
        scales = None if scales is None else np.ascontiguousarray(scales, np.float32)
        zero_points = None if zero_points is None else np.ascontiguousarray(zero_points, np.float32)
        self.check(self.lib.harness_fake(self.handle, counts, pointer(scales, ctypes.c_float), pointer(zero_points, ctypes.c_float)))

    def forward(self, texts, types=None, dropout=0.0, key=0, keep=True):
        """texts: a list of lists of ids. Returns logits [S, L]."""
        self.ids = np.array([i for t in texts for i in t], np.int32)
        self.types = np.array([i for t in (types or [[0] * len(t) for t in texts]) for i in t], np.uint8)
        self.offsets = np.cumsum([0] + [len(t) for t in texts]).astype(np.int32)
        logits = np.zeros((len(texts), self.labels), np.float32)
        self.check(self.lib.harness_forward(
            self.handle, len(texts), pointer(self.ids, ctypes.c_int32), pointer(self.types, ctypes.c_uint8),
            pointer(self.offsets, ctypes.c_int32), ctypes.c_float(dropout), ctypes.c_uint64(key), int(keep),
            pointer(logits, ctypes.c_float)))
        return logits

    def taps(self, places):
        """places: a list of (EMBEDDING, 0), (HIDDEN, layer) or (QKV, layer), for the passes from now on."""
        kinds, layers = zip(*places) if places else ((), ())
        self.places = places
        self.check(self.lib.harness_taps(self.handle, len(places), (ctypes.c_int32 * len(places))(*kinds),
                                         (ctypes.c_int32 * len(places))(*layers)))

    def tapped(self, tap, cols):
        """What forward left there, [T, cols]."""
        values = np.zeros((len(self.ids), cols), np.float32)
        self.check(self.lib.harness_tap_values(self.handle, tap, pointer(values, ctypes.c_float)))
        return values

    def tap_gradients(self, gradients):
        """For the next backward: arrays [T, cols] for the taps, or None."""
        self.kept = [None if g is None else np.ascontiguousarray(g, np.float32) for g in gradients]
        for tap, gradient in enumerate(self.kept):
            self.lib.harness_tap_gradient(self.handle, tap, pointer(gradient, ctypes.c_float))

    def backward(self, dlogits):
        """Returns (gradients as an arena, gradients of the input scales)."""
        dlogits = np.ascontiguousarray(dlogits, np.float32)
        gradients, dscales = np.zeros_like(self.values), np.zeros(self.sites)
        self.check(self.lib.harness_backward(self.handle, pointer(dlogits, ctypes.c_float),
                                             pointer(gradients, ctypes.c_float), pointer(dscales, ctypes.c_double)))
        return gradients, dscales

    def loss(self, kind, logits, teacher, label, temperature=1.0, weight=0.0, scale=1.0):
        """kind: "kl", "mse" or "none". Returns (loss, dlogits)."""
        dlogits = np.zeros_like(logits)
        label = np.ascontiguousarray(label, np.int32)
        teacher = None if teacher is None else np.ascontiguousarray(teacher, np.float32)
        loss = self.lib.harness_loss({"kl": 0, "mse": 1, "none": 2}[kind], pointer(logits, ctypes.c_float),
                                     pointer(teacher, ctypes.c_float), pointer(label, ctypes.c_int32),
                                     logits.shape[0], logits.shape[1], ctypes.c_double(temperature),
                                     ctypes.c_double(weight), ctypes.c_double(scale), pointer(dlogits, ctypes.c_float))
        return loss, dlogits

    def hidden_loss(self, student, teacher, projection, weight=1.0, scale=1.0, number=F32, version=0):
        """The loss of hidden states [T, H]. Returns (loss, dstudent, dprojection)."""
        student, teacher, projection = [np.ascontiguousarray(x, np.float32) for x in (student, teacher, projection)]
        dstudent, dprojection, loss = np.full_like(student, 7), np.full_like(projection, 7), ctypes.c_double()
        self.check(self.lib.harness_hidden(
            self.handle, version, number, *map(ctypes.c_int64, (*student.shape, teacher.shape[1])),
            *[pointer(x, ctypes.c_float) for x in (student, teacher, projection)], ctypes.c_double(weight),
            ctypes.c_double(scale), pointer(dstudent, ctypes.c_float), pointer(dprojection, ctypes.c_float),
            ctypes.byref(loss)))
        return loss.value, dstudent, dprojection

    def relations_loss(self, student, teacher, offsets, heads, weight=1.0, scale=1.0, number=F32, version=0):
        """The loss of relations of [T, 3A]. Returns (loss, dstudent)."""
        student, teacher = [np.ascontiguousarray(x, np.float32) for x in (student, teacher)]
        dstudent, loss = np.full_like(student, 7), ctypes.c_double()
        offsets = np.ascontiguousarray(offsets, np.int32)
        self.check(self.lib.harness_relations(
            self.handle, version, number, len(offsets) - 1, pointer(offsets, ctypes.c_int32),
            ctypes.c_int64(student.shape[1]), ctypes.c_int64(teacher.shape[1]), pointer(student, ctypes.c_float),
            pointer(teacher, ctypes.c_float), heads, ctypes.c_double(weight), ctypes.c_double(scale),
            pointer(dstudent, ctypes.c_float), ctypes.byref(loss)))
        return loss.value, dstudent

    def project(self, wide, texts, types, p=None, seed=1):
        """Takes what this narrower model can of `wide`: by p [H, H'], or by the principal directions over the texts."""
        ids = np.array([i for t in texts for i in t], np.int32)
        kinds = np.array([i for t in types for i in t], np.uint8)
        offsets = np.cumsum([0] + [len(t) for t in texts]).astype(np.int64)
        p = None if p is None else np.ascontiguousarray(p, np.float32)
        self.check(self.lib.harness_project(wide.handle, self.handle, pointer(p, ctypes.c_float), len(texts),
                                            pointer(ids, ctypes.c_int32), pointer(kinds, ctypes.c_uint8),
                                            pointer(offsets, ctypes.c_int64), ctypes.c_uint64(seed)))

    def optimizer(self, weight_decay=0.01, clip_norm=0.0, scaling=False, scale=1.0):
        self.check(self.lib.harness_optimizer(self.handle, ctypes.c_float(weight_decay), ctypes.c_float(clip_norm),
                                              int(scaling), ctypes.c_float(scale)))

    def step(self, learning_rate):
        """Returns (skipped, gradient norm, scale after the step)."""
        skipped, norm, scale = ctypes.c_int(), ctypes.c_double(), ctypes.c_float()
        self.check(self.lib.harness_step(self.handle, ctypes.c_float(learning_rate), ctypes.byref(skipped),
                                         ctypes.byref(norm), ctypes.byref(scale)))
        return bool(skipped.value), norm.value, scale.value

    def catch_up(self):
        """As after the last step: every row of the word embedding is then where AdamW has it."""
        self.lib.harness_catch_up(self.handle)

    def growth_interval(self, steps):
        self.lib.harness_growth_interval(self.handle, steps)

    def moments(self):
        """Views of the first and second moments, arenas as `values`."""
        return [np.ctypeslib.as_array(self.lib.harness_moments(self.handle, second), self.values.shape)
                for second in (0, 1)]

    def mask(self):
        """A view of the mask [total - dense_begin], made where there is none."""
        return np.ctypeslib.as_array(self.lib.harness_mask(self.handle), (self.values.size - self.dense_begin,))

    def prune(self, sparsity):
        self.check(self.lib.harness_prune(self.handle, ctypes.c_double(sparsity)))

    def steps(self, name):
        """A view of the steps [rows] of a parameter with bits, made where there are none."""
        index = list(self.table).index(name)
        return np.ctypeslib.as_array(self.lib.harness_steps(self.handle, index), (self.table[name][1],))

    def dsteps(self, name):
        """Their gradients, after backward."""
        out = np.zeros(self.table[name][1], np.float32)
        self.lib.harness_dsteps(self.handle, list(self.table).index(name), pointer(out, ctypes.c_float))
        return out

    def sensitivity(self, texts, types, batch_size):
        """An arena of the mean squared gradients of the logits."""
        ids = np.array([i for t in texts for i in t], np.int32)
        types = np.array([i for t in types for i in t], np.uint8)
        offsets = np.cumsum([0] + [len(t) for t in texts]).astype(np.int32)
        squares = np.zeros_like(self.values)
        self.check(self.lib.harness_sensitivity(self.handle, len(texts), pointer(ids, ctypes.c_int32),
                                                pointer(types, ctypes.c_uint8), pointer(offsets, ctypes.c_int32),
                                                batch_size, pointer(squares, ctypes.c_float)))
        return squares

    def importance(self):
        """Importances of heads and neurons, none taken yet."""
        return np.zeros(self.lib.harness_importance_count(self.handle), np.float32)

    def add_importance(self, importance, kind, scale=1.0):
        self.lib.harness_importance(self.handle, ctypes.c_double(scale), {"fisher": 0, "taylor": 1}[kind],
                                    pointer(importance, ctypes.c_float))

    def keep(self, importance, share):
        """Removes the least important parts. Returns those that stay: [(old layer, heads, neurons), ...]. Only forward
        works afterwards."""
        kept = np.zeros(1 + 3 * importance.size, np.int32)
        self.check(self.lib.harness_keep(self.handle, pointer(importance, ctypes.c_float), ctypes.c_double(share),
                                         pointer(kept, ctypes.c_int32)))
        numbers = iter(kept.tolist())
        take = lambda: [next(numbers) for _ in range(next(numbers))]
        return [(next(numbers), take(), take()) for _ in range(next(numbers))]

    def cast_weight(self, weight, limit, steps=None):
        """The compute copy of a matrix in FP32, fake-quantised when limit > 0."""
        out = np.zeros_like(weight)
        self.check(self.lib.harness_cast_weight(self.handle, pointer(weight, ctypes.c_float), ctypes.c_float(limit),
                                                pointer(steps, ctypes.c_float),
                                                *map(ctypes.c_int64, weight.shape), pointer(out, ctypes.c_float)))
        return out

    def fake_input(self, x, scale, zero_point):
        y = np.zeros_like(x)
        self.check(self.lib.harness_fake_input(self.handle, ctypes.c_float(scale), ctypes.c_float(zero_point),
                                               *map(ctypes.c_int64, x.shape), pointer(x, ctypes.c_float),
                                               pointer(y, ctypes.c_float)))
        return y

    def fake_input_backward(self, x, dy, scale, zero_point):
        """Returns (dx, gradient of the scale)."""
        dx, dscale = np.zeros_like(x), ctypes.c_double()
        self.check(self.lib.harness_fake_input_backward(
            self.handle, ctypes.c_float(scale), ctypes.c_float(zero_point), *map(ctypes.c_int64, x.shape),
            pointer(x, ctypes.c_float), pointer(dy, ctypes.c_float), pointer(dx, ctypes.c_float), ctypes.byref(dscale)))
        return dx, dscale.value

    def free(self):
        self.lib.harness_free(self.handle)


class Checks:
    """Counts and prints what a reference test expects."""

    def __init__(self):
        self.failures = 0

    def expect(self, ok, text):
        print(("ok      " if ok else "FAILED  ") + text, flush=True)
        self.failures += not ok


def factor_words(words, rank, counts):
    """Returns (rows [vocabulary, rank], projection [hidden, rank])."""
    rows, projection = np.zeros((len(words), rank), np.float32), np.zeros((words.shape[1], rank), np.float32)
    counts = np.ascontiguousarray(counts, np.int64)
    assert library().harness_factor_words(pointer(words, ctypes.c_float), *words.shape, rank,
                                          pointer(counts, ctypes.c_int64), pointer(rows, ctypes.c_float),
                                          pointer(projection, ctypes.c_float)) == 0
    return rows, projection


def best_steps(weights, bits):
    steps = np.zeros(len(weights), np.float32)
    library().harness_best_steps(pointer(weights, ctypes.c_float), *map(ctypes.c_int64, weights.shape), bits,
                                 pointer(steps, ctypes.c_float))
    return steps


def pack_rows(weights, bits, steps=None):
    """Returns (integers [rows, cols], scales [rows])."""
    rows, cols = weights.shape
    integers, scales = np.zeros((rows, cols), np.int8), np.zeros(rows, np.float32)
    library().harness_pack_rows(pointer(weights, ctypes.c_float), ctypes.c_int64(rows), ctypes.c_int64(cols), bits,
                                pointer(steps, ctypes.c_float),
                                pointer(integers, ctypes.c_int8), pointer(scales, ctypes.c_float))
    return integers, scales


def learning_rate(peak, warmup, step, steps):
    return library().harness_learning_rate(ctypes.c_double(peak), ctypes.c_double(warmup), ctypes.c_int64(step),
                                           ctypes.c_int64(steps))
