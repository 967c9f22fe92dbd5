"""HDF5 files against h5py: we read what it writes, it reads what we write, bit by bit."""
import itertools
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np
from h5py import h5d, h5s, h5t

COPY = sys.argv[1]
random = np.random.default_rng(2)
types = {"F32": "<f4", "F16": "<f2", "I8": "<i1", "U8": "<u1", "I32": "<i4", "I64": "<i8"}
shapes = {"scalar": (), "row": (7,), "matrix": (300, 500), "cube": (3, 5, 70), "four": (2, 3, 4, 5), "empty": (0, 4),
          "long": (2, 70001)}
bf16 = h5t.IEEE_F32LE.copy()
bf16.set_fields(15, 7, 8, 0, 7)
bf16.set_size(2)
bf16.set_ebias(127)
notes = {"text": "Grüße, 世界\n" * 9000, "int": np.int64(-(1 << 62)), "double": np.float64(1) / 3}  # text of 160 KB

arrays = {}
for (kind, dtype), (name, shape) in itertools.product(types.items(), shapes.items()):
    nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    arrays[f"{name}/{kind}"] = np.frombuffer(random.bytes(nbytes), dtype).reshape(shape)  # NaN among them
halves = np.arange(1 << 16, dtype=np.uint16)


def write(path, libver, filters, user_block):
    with h5py.File(path, "w", libver=libver, userblock_size=user_block) as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, **(filters if values.size and values.shape else {}))
        h5d.create(file["/"].id, b"all_bf16", bf16, h5s.create_simple((1 << 16,)))
        file["all_bf16"].id.write(h5s.ALL, h5s.ALL, halves, mtype=bf16)
        file["soft"] = h5py.SoftLink("/row/F32")
        group = file.create_group("notes")
        encoded = notes["text"].encode()
        kind = h5py.string_dtype("utf-8", len(encoded))
        if libver == "earliest":  # cannot hold attributes above 64 KiB
            encoded, kind = encoded[:60000], h5py.string_dtype("utf-8", 60000)
        group.attrs.create("text", encoded, dtype=kind)
        group.attrs["int"] = notes["int"]
        group.attrs["double"] = notes["double"]
        return encoded


def check(path, encoded, deflate, user_block):
    with h5py.File(path, "r") as file:
        assert file.userblock_size == user_block
        found = []
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        assert sorted(found) == sorted([*arrays, "all_bf16"]), found
        for name, values in arrays.items():
            array = file[name]
            assert array.dtype == values.dtype and array.shape == values.shape, name
            assert array[()].tobytes() == values.tobytes(), name
            packed = deflate > 0 and values.size > 0 and values.shape != ()
            assert (array.compression, array.shuffle) == (("gzip", True) if packed else (None, False)), name
        kind = file["all_bf16"].id.get_type()
        assert kind.get_fields() == bf16.get_fields() and kind.get_ebias() == 127 and kind.get_size() == 2
        back = np.empty_like(halves)
        file["all_bf16"].id.read(h5s.ALL, h5s.ALL, back, mtype=kind)
        assert np.array_equal(back, halves)
        attributes = file["notes"].attrs
        assert bytes(attributes["text"]) == encoded
        assert attributes.get_id("text").get_type().get_cset() == h5t.CSET_UTF8
        assert attributes["int"] == notes["int"] and attributes["int"].dtype == np.int64
        assert attributes["double"] == notes["double"] and attributes["double"].dtype == np.float64


with tempfile.TemporaryDirectory() as folder:
    theirs, ours = os.path.join(folder, "theirs.h5"), os.path.join(folder, "ours.h5")
    cases = [("earliest", {}, 0, 0, 0), ("earliest", {"compression": "gzip", "shuffle": True}, 0, 9, 512),
             (("v108", "v108"), {"compression": "gzip"}, 512, 1, 0), (("v110", "v110"), {"chunks": True}, 0, 0, 4096),
             (("v110", "v110"), {"compression": "gzip", "shuffle": True}, 0, 6, 512)]
    for libver, filters, their_block, deflate, our_block in cases:
        encoded = write(theirs, libver, filters, their_block)
        subprocess.run([COPY, theirs, ours, str(deflate), str(our_block)], check=True)
        check(ours, encoded, deflate, our_block)
        print(f"libver {libver}, {filters}, deflate {deflate}, user block {our_block}: {len(arrays) + 1} arrays equal")
    with h5py.File(theirs, "w") as file:
        file.create_group("notes").attrs["text"] = "of variable length"
    done = subprocess.run([COPY, theirs, ours, "0", "0"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4 and "variable length" in done.stderr, done
    print("text of variable length: refused")
