"""Writes and reads compressed checkpoints with h5py, straight from the layout
in formats/checkpoint/compressed.h: an implementation that shares no code with ours."""
import json
import struct
import zlib

import h5py
import numpy as np

USER_BLOCK = 512


def seal(path, version=1):
    """Fills in the user block: version, length and checksums."""
    with open(path, "r+b") as file:
        file.seek(USER_BLOCK)
        body = file.read()
        block = b"LLMC\r\n\x1a\n" + struct.pack("<IIQ", version, zlib.crc32(body), USER_BLOCK + len(body))
        block = block.ljust(508, b"\0")
        file.seek(0)
        file.write(block + struct.pack("<I", zlib.crc32(block)))


def put(group, name, data):
    """Chunks of about 65,536 numbers, as ours: the reader refuses chunks above 1 MiB."""
    if data.size == 0:
        group.create_dataset(name, data=data)
        return
    rows = max(1, min(data.shape[0], 65536 // max(1, data[0].size)))
    group.create_dataset(name, data=data, chunks=(rows, *data.shape[1:]), shuffle=True, compression="gzip",
                         compression_opts=9)


def write(path, config, tensors, inputs, vocabulary, labels, tokens_max):
    """tensors: name -> F32 or F16 array, or (integers, scales, bits); any of them
    in a list [.] is stored sparse. inputs: name -> (scale, zero_point).
    Layers that differ: config has "shapes", [(heads, ffn), ...], and "head_width" in place of "heads" and "ffn"."""
    shapes = config.get("shapes", [])
    with h5py.File(path, "w", userblock_size=USER_BLOCK) as file:
        for name, value in config.items():
            if name != "shapes":
                file.attrs[name] = np.bytes_(value) if isinstance(value, str) else value
        for i, (heads, ffn) in enumerate(shapes):
            group = file.create_group(f"layers/{i}")
            group.attrs["heads"], group.attrs["ffn"] = heads, ffn
        file.attrs["tokens_max"] = tokens_max
        for name in ("lowercase", "strip_accents", "split_chinese", "clean"):
            file.attrs[name] = 1
        file.attrs["origin"] = np.bytes_(json.dumps({"made by": "a test"}))
        for name, lines in (("vocabulary", vocabulary), ("labels", labels)):
            put(file, name, np.frombuffer("".join(line + "\n" for line in lines).encode(), np.uint8))
        for name, value in tensors.items():
            group = file.create_group("tensors/" + name)
            sparse = isinstance(value, list)
            value = value[0] if sparse else value
            bits = 0
            if isinstance(value, tuple):
                value, scales, bits = value
                put(group, "scales", scales.astype(np.float32))
            value = np.atleast_2d(value)
            group.attrs["number"] = np.bytes_({"float32": "F32", "float16": "F16", "int8": "I8"}[value.dtype.name])
            group.attrs["bits"] = bits
            group.attrs["rows"], group.attrs["cols"] = value.shape
            group.attrs["sparse"] = int(sparse)
            if sparse:
                flat = value.ravel()
                put(group, "mask", np.packbits(flat != 0, bitorder="little"))
                put(group, "values", flat[flat != 0])
            else:
                put(group, "values", value)
        for name, (scale, zero_point) in inputs.items():
            group = file.create_group("inputs/" + name)
            group.attrs["scale"] = float(np.float32(scale))
            group.attrs["zero_point"] = zero_point
    seal(path, 2 if shapes else 1)


def read(path):
    """tensors (as FP32 arrays, by the documented meaning) and inputs of a file."""
    tensors, inputs = {}, {}
    with h5py.File(path, "r") as file:
        for name, group in file["tensors"].items():
            shape = int(group.attrs["rows"]), int(group.attrs["cols"])
            values = group["values"][...]
            if group.attrs["sparse"]:
                dense = np.zeros(shape[0] * shape[1], values.dtype)
                dense[np.unpackbits(group["mask"][...], bitorder="little")[: dense.size] == 1] = values
                values = dense.reshape(shape)
            assert values.shape == shape
            values = values.astype(np.float32)
            if "scales" in group:
                values *= group["scales"][...][:, None]
            tensors[name] = values
        for name, group in file.get("inputs", {}).items():
            inputs[name] = float(group.attrs["scale"]), int(group.attrs["zero_point"])
    return tensors, inputs


def write_small(path, vocabulary, random):
    """A model of one layer in FP32, labels neg and pos; its numbers do not matter."""
    hidden, ffn = 16, 24
    config = {"vocabulary": len(vocabulary), "positions": 32, "types": 2, "hidden": hidden, "layers": 1, "heads": 2,
              "ffn": ffn, "labels": 2, "activation": "gelu", "norm_epsilon": 1e-12}
    at = "bert.encoder.layer.0."
    shapes = {"bert.embeddings.word_embeddings": (len(vocabulary), hidden),
              "bert.embeddings.position_embeddings": (32, hidden), "bert.embeddings.token_type_embeddings": (2, hidden),
              at + "attention.self.query": (hidden, hidden), at + "attention.self.key": (hidden, hidden),
              at + "attention.self.value": (hidden, hidden), at + "attention.output.dense": (hidden, hidden),
              at + "intermediate.dense": (ffn, hidden), at + "output.dense": (hidden, ffn),
              "bert.pooler.dense": (hidden, hidden), "classifier": (2, hidden)}
    tensors = {}
    for name, shape in shapes.items():
        tensors[name + ".weight"] = random.normal(0, 1, shape).astype(np.float32)
        if "embeddings" not in name:
            tensors[name + ".bias"] = random.normal(0, 1, shape[0]).astype(np.float32)
    for name in ("bert.embeddings", at + "attention.output", at + "output"):
        tensors[name + ".LayerNorm.weight"] = np.ones(hidden, np.float32)
        tensors[name + ".LayerNorm.bias"] = np.zeros(hidden, np.float32)
    write(path, config, tensors, {}, vocabulary, ["neg", "pos"], 32)
