"""h5py reads our compressed checkpoint by its documented layout; and contents
that break a rule under a valid checksum are refused with exit status 4 and a
message. Files of old versions, which the programs of their time wrote (old/), are
read and refused alike. Usage: test_compressed_reference.py TEST_COMPRESSED LLMC"""
import gzip
import json
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "runtime"))
import llmc_file

WRITER, LLMC = sys.argv[1:]
OLD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "old")
QUERY = "bert.encoder.layer.0.attention.self.query.weight"
POOLER = "bert.pooler.dense.weight"


def check_contents(path):
    tensors, inputs = llmc_file.read(path)
    assert len(tensors) == 5 + 2 * 16 + 4 and len(inputs) == 2 * 6
    assert inputs[QUERY] == (0.03125, 128)
    with h5py.File(path, "r") as file:
        assert file.attrs["hidden"] == 10 and bytes(file["vocabulary"][...]).split(b"\n")[4] == b"a"
    # sample_value() of test_compressed.c: query is tensor 5, of 7 bits, the word embedding tensor 0.
    i = np.arange(100).reshape(10, 10)
    expected = np.where(i % 3 == 0, 0, (i * 7 + 25) % 127 - 63) * (0.5 + np.arange(10))[:, None]
    kept = len(tensors[QUERY])  # of the sample with layers that differ, a head of two
    assert kept in (5, 10) and np.array_equal(tensors[QUERY], expected[:kept].astype(np.float32))
    i = np.arange(90).reshape(9, 10)
    expected = np.where(i % 3 == 0, 0, i * 7 % 201 - 100) * 0.25
    assert np.array_equal(tensors["bert.embeddings.word_embeddings.weight"], expected)


ROOT = {"vocabulary", "positions", "types", "hidden", "layers", "labels", "activation", "norm_epsilon", "tokens_max",
        "lowercase", "strip_accents", "split_chinese", "clean"}


def version_of(path):
    with open(path, "rb") as file:
        return int.from_bytes(file.read(12)[8:], "little")


def check_layout(path, shapes):
    """The version in the seal, the root's attributes and the arrays: no more and no less."""
    assert version_of(path) == 3
    with h5py.File(path, "r") as file:
        assert set(file.attrs) == ROOT | {"head_width"} and file["layers"][...].tolist() == shapes
        assert set(file) == {"layers", "vocabulary", "labels", "origin", "names", "tensors", "words", "bytes",
                             "halves", "floats"}
        assert file["words"].compression == "gzip" and file["bytes"].shuffle
        assert json.loads(bytes(file["origin"][...])) == {"stage": "test"}
        forms = file["tensors"][:, 4].tolist()
    assert {llmc_file.MIXED, llmc_file.SPARSE} <= set(forms) and forms.count(0) > 10, forms


def check_bytes(path):
    """The kinds of bytes that `inspect` ends with are the whole file."""
    shown = json.loads(subprocess.run([LLMC, "inspect", path, "--json"], capture_output=True, check=True).stdout)
    kinds = {kind["kind"]: kind["bytes"] for kind in shown["bytes"]}
    assert len(kinds) == len(shown["bytes"]) and sum(kinds.values()) == os.path.getsize(path) == shown["file_bytes"]
    assert {"word embedding", "other embeddings", "vectors", "scales", "classifier", "vocabulary", "labels and origin",
            "structure", "linear layers, 7 bits"} <= set(kinds) and min(kinds.values()) > 0
    table = subprocess.run([LLMC, "inspect", path], capture_output=True, text=True, check=True).stdout
    lines = table[table.index("bytes of the file"):].splitlines()[1:]
    assert [line.split("  ")[0] for line in lines] == [*kinds, "together"]
    assert lines[-1].split()[-1] == str(os.path.getsize(path))


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


GROUPS = {
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

LAYERED_GROUPS = {
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


def row(name, column, value):
    """Changes the table's entry of a tensor."""
    def change_entry(file):
        names = bytes(file["names"][...]).decode().splitlines()
        table = file["tensors"][...]
        table[names.index(name), column] = value
        replace(file, "tensors", table)
    return change_entry


def array(name, edit):
    return lambda file: replace(file, name, edit(file[name][...]))


def text(name, data):
    return lambda file: replace(file, name, np.frombuffer(data, np.uint8))


def float_of(name, place, value):
    """A number of a tensor in the array of floats: `place` behind its values (its scales, then its input's)."""
    def change_float(file):
        names, at = bytes(file["names"][...]).decode().splitlines(), 0
        for other, (number, _, rows, _, _, stored, zero_point) in zip(names, file["tensors"][...].tolist()):
            at += stored if number == 0 and not other.endswith("word_embeddings.weight") else 0
            if other == name:
                break
            at += (rows if number == 3 else 0) + (zero_point >= 0)
        change("floats", at + place, value)(file)
    return change_float


def first_of(form):
    """Where the bytes of the first tensor of this form begin, and its row."""
    def find(file):
        at = 0
        for number, bits, rows, cols, its, stored, _ in file["tensors"][1:].tolist():
            mask = -(-rows * cols // 8) if its & llmc_file.SPARSE else 0
            if its & form and stored:
                return at, (number, bits, rows, cols, stored)
            k = llmc_file.per_byte(bits)[0] if its & llmc_file.MIXED else 1
            at += mask + (-(-stored // k) if number == 3 else 0)
        raise AssertionError
    return find


def spoil_byte(form, value, place=0):
    def change_byte(file):
        at, _ = first_of(form)(file)
        data = file["bytes"][...]
        data[at + place] = value(data[at + place])
        replace(file, "bytes", data)
    return change_byte


def big_table_of_nothing(file):
    file.attrs.modify("vocabulary", 4_000_000)
    row("bert.embeddings.word_embeddings.weight", slice(2, 6), [4_000_000, 10, 0, 40_000_000])(file)
    del file["words"]
    file.create_dataset("words", shape=(4_000_000, 10), dtype="f4", chunks=(4096, 10), compression="gzip")


ARRAYS = {
    "wrong shape": row(QUERY, 2, 11),
    "huge shape": row(QUERY, 2, 2**62),
    "wrong number": row(QUERY, 0, 0),
    "unknown number": row(QUERY, 0, 2),
    "negative number": row(QUERY, 0, -1),
    "bits 9": row(QUERY, 1, 9),
    "bits of floats": row("classifier.weight", 1, 4),
    "fewer bits": row(QUERY, 1, 2),
    "form 4": row(QUERY, 4, 4),
    "form of 2^40": row(QUERY, 4, 2**40),
    "mixed floats": row("classifier.weight", 4, 1),
    "sparse words": row("bert.embeddings.word_embeddings.weight", 4, 2),
    "fewer values": row(QUERY, 5, 99),
    "more values": row(QUERY, 5, 101),
    "negative values": row(QUERY, 5, -1),
    "sparse without a mask": row("classifier.bias", 4, 2),
    "zero point 300": row(QUERY, 6, 300),
    "negative zero point": row(QUERY, 6, -2),
    "unshared input": row(QUERY, 6, 5),
    "input of a float layer": row(POOLER, 6, 5),
    "an input less": row(QUERY, 6, -1),
    "NaN scale": float_of(QUERY, 3, np.nan),
    "zero scale": float_of(QUERY, 3, 0),
    "infinite input scale": float_of(QUERY, 10, np.inf),
    "NaN weight": array("floats", lambda data: np.where(np.arange(data.size) == 5, np.nan, data).astype(np.float32)),
    "infinite half": array("halves", lambda data: np.where(np.arange(data.size) == 5, np.inf, data).astype(np.float16)),
    "NaN word": change("words", (3, 1), np.nan),
    "mixed byte that nothing makes": spoil_byte(llmc_file.MIXED, lambda byte: 255),
    "mask of fewer": spoil_byte(llmc_file.SPARSE, lambda byte: 0),
    "mask of more": spoil_byte(llmc_file.SPARSE, lambda byte: 255),
    "a byte less": array("bytes", lambda data: data[:-1]),
    "a byte more": array("bytes", lambda data: np.append(data, np.uint8(1))),
    "a float more": array("floats", lambda data: np.append(data, np.float32(1))),
    "a half less": array("halves", lambda data: data[:-1]),
    "no halves": lambda file: file.__delitem__("halves"),
    "no words": lambda file: file.__delitem__("words"),
    "words too few": array("words", lambda data: data[:-1]),
    "bytes as integers": array("bytes", lambda data: data.view(np.int8)),
    "floats of two dimensions": array("floats", lambda data: data[None]),
    "table of 32 bits": array("tensors", lambda data: data.astype(np.int32)),
    "a row less": array("tensors", lambda data: data[:-1]),
    "a row more": array("tensors", lambda data: np.append(data, data[-1:], 0)),
    "a column less": array("tensors", lambda data: data[:, :-1]),
    "a name less": array("names", lambda data: data[:-len("classifier.bias\n")]),
    "a name more": array("names", lambda data: np.append(data, np.frombuffer(b"more\n", np.uint8))),
    "another name": array("names", lambda data: np.where(data == ord("k"), ord("K"), data).astype(np.uint8)),
    "names without end": array("names", lambda data: data[:-1]),
    "no names": lambda file: file.__delitem__("names"),
    "no table": lambda file: file.__delitem__("tensors"),
    "groups instead of a table": lambda file: (file.__delitem__("tensors"), file.create_group("tensors")),
    "extra array": lambda file: file.create_dataset("other", data=np.zeros(3, np.float32)),
    "extra array in a group": lambda file: file.create_dataset("more/other", data=np.zeros(3, np.float32)),
    "a link to an array": lambda file: (file.move("floats", "moved"),
                                        file.__setitem__("floats", h5py.SoftLink("/moved"))),
    "no layers": lambda file: file.__delitem__("layers"),
    "too many layers": lambda file: file.attrs.modify("layers", 3),
    "layers beyond 32 bits": lambda file: file.attrs.modify("layers", 2**40),
    "10,000 layers": lambda file: file.attrs.modify("layers", 10_000),
    "a layer less": array("layers", lambda data: data[:-1]),
    "no heads": change("layers", (1, 0), 0),
    "other heads": change("layers", (1, 0), 1),
    "negative ffn": change("layers", (0, 1), -7),
    "other ffn": change("layers", (0, 1), 8),
    "layers of 64 bits": array("layers", lambda data: data.astype(np.int64)),
    "no width": lambda file: file.attrs.__delitem__("head_width"),
    "huge width": lambda file: file.attrs.modify("head_width", 2**31 - 1),
    "tokens_max above positions": lambda file: file.attrs.modify("tokens_max", 100),
    "missing attribute": lambda file: file.attrs.__delitem__("clean"),
    "labels": text("labels", b"one\ntwo\n"),
    "vocabulary without end": text("vocabulary", b"[PAD]"),
    "no origin": lambda file: file.__delitem__("origin"),
    "huge table of nothing": big_table_of_nothing,
}


def refuse(path, cases):
    with open(path, "rb") as file:
        good = file.read()
    hostile = os.path.join(os.path.dirname(path), "hostile.llmc")
    for name, spoil in cases.items():
        with open(hostile, "wb") as file:
            file.write(good)
        with h5py.File(hostile, "r+") as file:
            spoil(file)
        llmc_file.seal(hostile, version_of(path))
        done = subprocess.run([LLMC, "inspect", hostile], capture_output=True, text=True)
        print(f"{name}: {done.returncode} {done.stderr.strip()}")
        # Said by us, not by running out of memory.
        assert done.returncode == 4 and done.stderr.startswith("llmc: bad file: ") and hostile in done.stderr, name


def old(folder, version):
    path = os.path.join(folder, f"version_{version}.llmc")
    with gzip.open(os.path.join(OLD, f"version_{version}.llmc.gz")) as packed, open(path, "wb") as file:
        file.write(packed.read())
    assert version_of(path) == version
    check_contents(path)
    check_bytes(path)
    return path


with tempfile.TemporaryDirectory() as folder:
    for option, shapes in (("write", [[2, 7], [2, 7]]), ("write-layered", [[1, 7], [2, 3]])):
        path = os.path.join(folder, "sample.llmc")
        subprocess.run([WRITER, option, path], check=True)
        check_contents(path)
        check_layout(path, shapes)
        check_bytes(path)
        refuse(path, ARRAYS)
    refuse(old(folder, 1), GROUPS)
    refuse(old(folder, 2), LAYERED_GROUPS)
