"""h5py reads our compressed checkpoint by its documented layout; and contents
that break a rule under a valid checksum are refused with exit status 4 and a
message. Usage: test_compressed_reference.py TEST_COMPRESSED LLMC"""
import os
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "runtime"))
import llmc_file

WRITER, LLMC = sys.argv[1:]
QUERY = "bert.encoder.layer.0.attention.self.query.weight"
POOLER = "bert.pooler.dense.weight"


def check_contents(path):
    tensors, inputs = llmc_file.read(path)
    assert len(tensors) == 5 + 2 * 16 + 4 and len(inputs) == 2 * 6
    assert inputs[QUERY] == (0.03125, 128)
    with h5py.File(path, "r") as file:
        names = sorted(file["tensors"])
        assert file.attrs["hidden"] == 10 and bytes(file["vocabulary"][...]).split(b"\n")[4] == b"a"
        for name in names:
            assert file[f"tensors/{name}/values"].compression == "gzip"
    # sample_value() of test_compressed.c: query is tensor 5, of 7 bits, the word embedding tensor 0.
    i = np.arange(100).reshape(10, 10)
    expected = np.where(i % 3 == 0, 0, (i * 7 + 25) % 127 - 63) * (0.5 + np.arange(10))[:, None]
    assert np.array_equal(tensors[QUERY], expected.astype(np.float32))
    i = np.arange(90).reshape(9, 10)
    expected = np.where(i % 3 == 0, 0, i * 7 % 201 - 100) * 0.25
    assert np.array_equal(tensors["bert.embeddings.word_embeddings.weight"], expected)


def check_layout(path, version, fields):
    """The version in the seal, and the root's attributes: no more and no less."""
    with open(path, "rb") as file:
        assert int.from_bytes(file.read(12)[8:], "little") == version
    with h5py.File(path, "r") as file:
        assert set(file.attrs) == {"vocabulary", "positions", "types", "hidden", "layers", "labels", "activation",
                                   "norm_epsilon", "tokens_max", "lowercase", "strip_accents", "split_chinese", "clean",
                                   "origin"} | set(fields)
        assert {name: file.attrs[name] for name in fields} == fields
        assert [(g.attrs["heads"], g.attrs["ffn"]) for g in file.get("layers", {}).values()] == \
            ([(1, 7), (2, 3)] if version == 2 else [])


def replace(file, name, data):
    del file[name]
    file.create_dataset(name, data=data)


def change(name, index, value):
    def change_element(file):
        data = file[name][...]
        data[index] = value
        replace(file, name, data)
    return change_element


def attribute(group, name, value):
    def set_attribute(file):
        file[group].attrs[name] = value
    return set_attribute


def sparse_name(file):
    return next("tensors/" + name for name, group in file["tensors"].items()
                if group.attrs["sparse"] and group["values"].size > 8)


def clear_mask_bit(file):
    mask = file[sparse_name(file) + "/mask"][...]
    mask[0] &= mask[0] - 1
    replace(file, sparse_name(file) + "/mask", mask)


def set_bit_behind_the_end(file):
    name = next("tensors/" + name for name, group in file["tensors"].items()
                if group.attrs["sparse"] and group.attrs["rows"] * group.attrs["cols"] % 8)
    mask = file[name + "/mask"][...]
    mask[0] &= mask[0] - 1  # as many bits as before, one of them for no element
    mask[-1] |= 0x80
    replace(file, name + "/mask", mask)


def table_of_nothing(file):
    file.attrs.modify("vocabulary", 4_000_000)
    group = file["tensors/bert.embeddings.word_embeddings.weight"]
    group.attrs["rows"], group.attrs["sparse"] = 4_000_000, 0
    del group["values"], group["mask"]
    group.create_dataset("values", shape=(4_000_000, 10), dtype="f4", chunks=(4096, 10), compression="gzip")


HOSTILE = {
    "wrong shape": attribute("tensors/" + QUERY, "rows", 11),
    "wrong values shape": lambda file: replace(file, f"tensors/{QUERY}/values", np.zeros((10, 9), np.int8)),
    "wrong number": attribute("tensors/" + QUERY, "number", np.bytes_("F32")),
    "unknown number": attribute("tensors/" + QUERY, "number", np.bytes_("F64")),
    "bits 9": attribute("tensors/" + QUERY, "bits", 9),
    "integer beyond its bits": change(f"tensors/{QUERY}/values", (0, 1), 64),
    "NaN scale": change(f"tensors/{QUERY}/scales", 3, np.nan),
    "zero scale": change(f"tensors/{QUERY}/scales", 3, 0),
    "NaN weight": change("tensors/classifier.weight/values", 1, np.nan),
    "sparse 2": attribute("tensors/" + QUERY, "sparse", 2),
    "missing tensor": lambda file: file.__delitem__("tensors/" + POOLER),
    "extra tensor": lambda file: file.create_dataset("tensors/extra/values", data=np.zeros(3, np.float32)),
    "extra array": lambda file: file.create_dataset("other", data=np.zeros(3, np.float32)),
    "missing scales": lambda file: file.__delitem__(f"tensors/{QUERY}/scales"),
    "mask count": clear_mask_bit,
    "mask behind the end": set_bit_behind_the_end,
    "zero point 300": attribute("inputs/" + QUERY, "zero_point", 300),
    "negative zero point": attribute("inputs/" + QUERY, "zero_point", -1),
    "infinite input scale": attribute("inputs/" + QUERY, "scale", float("inf")),
    "unshared input": attribute("inputs/" + QUERY, "zero_point", 5),
    "unknown input": lambda file: file.create_group("inputs/nothing"),
    "input of a float layer": lambda file: file.copy("inputs/" + QUERY, "inputs/" + POOLER),
    "too many layers": lambda file: file.attrs.modify("layers", 3),
    "no heads": lambda file: file.attrs.modify("heads", 0),
    "layers beyond 32 bits": lambda file: file.attrs.modify("layers", 2**40),
    "tokens_max above positions": lambda file: file.attrs.modify("tokens_max", 100),
    "missing attribute": lambda file: file.attrs.__delitem__("clean"),
    "labels": lambda file: replace(file, "labels", np.frombuffer(b"one\ntwo\n", np.uint8)),
    "vocabulary without end": lambda file: replace(file, "vocabulary", np.frombuffer(b"[PAD]", np.uint8)),
    "huge table of nothing": table_of_nothing,
}


LAYERED = {
    "layer without heads": lambda file: file["layers/1"].attrs.__delitem__("heads"),
    "no heads": lambda file: file["layers/1"].attrs.modify("heads", 0),
    "other heads": lambda file: file["layers/1"].attrs.modify("heads", 1),
    "no ffn": lambda file: file["layers/0"].attrs.modify("ffn", 0),
    "ffn beyond 32 bits": lambda file: file["layers/0"].attrs.modify("ffn", 2**40 + 7),
    "other ffn": lambda file: file["layers/0"].attrs.modify("ffn", 8),
    "no width": lambda file: file.attrs.__delitem__("head_width"),
    "other width": lambda file: file.attrs.modify("head_width", 10),
    "huge width": lambda file: file.attrs.modify("head_width", 2**31 - 1),
    "a layer less": lambda file: file.__delitem__("layers/1"),
    "a layer more": lambda file: file.create_group("layers/2"),
    "an array among layers": lambda file: file.create_dataset("layers/x", data=np.zeros(3, np.float32)),
    "a link to a layer": lambda file: file["layers"].__setitem__("2", h5py.SoftLink("/layers/1")),
    "no layers": lambda file: file.__delitem__("layers"),
    "unnumbered layer": lambda file: file.move("layers/1", "layers/one"),
}


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "sample.llmc")
    subprocess.run([WRITER, "write", path], check=True)
    check_contents(path)
    assert subprocess.run([LLMC, "inspect", path], capture_output=True).returncode == 0
    check_layout(path, 1, {"heads": 2, "ffn": 7})
    layered = os.path.join(folder, "layered.llmc")
    subprocess.run([WRITER, "write-layered", layered], check=True)
    check_layout(layered, 2, {"head_width": 5})
    assert subprocess.run([LLMC, "inspect", layered], capture_output=True).returncode == 0
    for name, spoil in [*HOSTILE.items(), *LAYERED.items()]:
        hostile = os.path.join(folder, "hostile.llmc")
        shutil.copy(layered if spoil in LAYERED.values() else path, hostile)
        with h5py.File(hostile, "r+") as file:
            spoil(file)
        llmc_file.seal(hostile, 2 if spoil in LAYERED.values() else 1)
        done = subprocess.run([LLMC, "inspect", hostile], capture_output=True, text=True)
        print(f"{name}: {done.returncode} {done.stderr.strip()}")
        # Said by us, not by running out of memory.
        assert done.returncode == 4 and done.stderr.startswith("llmc: bad file: ") and hostile in done.stderr, name
