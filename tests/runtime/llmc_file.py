"""Writes and reads compressed checkpoints with h5py, straight from the layout
in formats/checkpoint/compressed.h: an implementation that shares no code with ours."""
import json
import struct
import zlib

import h5py
import numpy as np

USER_BLOCK = 512


def seal(path, version=3):
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


def write_root(file, config, tokens_max):
    for name, value in config.items():
        file.attrs[name] = np.bytes_(value) if isinstance(value, str) else value
    file.attrs["tokens_max"] = tokens_max
    for name in ("lowercase", "strip_accents", "split_chinese", "clean"):
        file.attrs[name] = 1


def names_of(layers, factored=False):
    """All tensors in the order of architecture/parameter.h."""
    norm = ["LayerNorm.weight", "LayerNorm.bias"]
    embeddings = ["word_embeddings.weight", "position_embeddings.weight", "token_type_embeddings.weight", *norm]
    qkv = ["attention.self." + part for part in ("query", "key", "value")]
    layer = [*(name + ".weight" for name in qkv), *(name + ".bias" for name in qkv),
             *(part + kind for part in ("attention.output.", "intermediate.", "output.")
               for kind in ("dense.weight", "dense.bias", *(norm if part != "intermediate." else [])))]
    return [*("bert.embeddings." + name for name in embeddings),
            *(f"bert.encoder.layer.{i}.{name}" for i in range(layers) for name in layer),
            "bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias",
            *["bert.embeddings.word_projection.weight"] * factored]


def per_byte(bits):
    """How many integers a mixed byte holds, and the numbers that each may have."""
    levels = 2 ** bits - 1
    return max(k for k in range(1, 9) if levels ** k <= 256), levels


def mix(values, bits):
    """[rows, cols] to [rows, bytes]."""
    k, levels = per_byte(bits)
    rows, cols = values.shape
    digits = np.zeros((rows, -(-cols // k) * k), np.int64)
    digits[:, :cols] = values.astype(np.int64) + levels // 2
    return (digits.reshape(rows, -1, k) * levels ** np.arange(k)).sum(-1).astype(np.uint8)


def unmix(data, bits, cols):
    k, levels = per_byte(bits)
    digits = data.astype(np.int64)[:, :, None] // levels ** np.arange(k) % levels
    return (digits.reshape(len(data), -1)[:, :cols] - levels // 2).astype(np.int8)


NUMBERS = {"float32": 0, "float16": 1, "int8": 3}
MIXED, SPARSE = 1, 2


def write(path, config, tensors, inputs, vocabulary, labels, tokens_max):
    """tensors: name -> F32 or F16 array, or (integers, scales, bits); any of them in a list [.] is stored sparse (not
    the word embedding); integers of 4 bits and less are stored mixed. inputs: name -> (scale, zero_point).
    Layers that differ: config has "shapes", [(heads, ffn), ...], and "head_width" in place of "heads" and "ffn"."""
    config = dict(config)
    layers = config["layers"]
    shapes = config.pop("shapes", None) or [(config["heads"], config["ffn"])] * layers
    config["head_width"] = config.get("head_width", config["hidden"] // shapes[0][0])
    config.pop("heads", None), config.pop("ffn", None)
    names = names_of(layers, config.get("embedding_rank", 0) > 0)
    table, streams = [], {"bytes": [], "halves": [], "floats": []}
    with h5py.File(path, "w", userblock_size=USER_BLOCK) as file:
        write_root(file, config, tokens_max)
        file["layers"] = np.array(shapes, np.int32)
        texts = {"vocabulary": vocabulary, "labels": labels, "names": names}
        for name, lines in texts.items():
            put(file, name, np.frombuffer("".join(line + "\n" for line in lines).encode(), np.uint8))
        put(file, "origin", np.frombuffer(json.dumps({"made by": "a test"}).encode(), np.uint8))
        for name in names:
            value, scales, bits = tensors[name], None, 0
            words = name.endswith("word_embeddings.weight")
            sparse = isinstance(value, list)
            value = value[0] if sparse else value
            sparse = sparse and not words
            if isinstance(value, tuple):
                value, scales, bits = value
            value = np.atleast_2d(value)
            mixed = 0 < bits <= 4
            stored = value.ravel()[value.ravel() != 0] if sparse else value.ravel()
            if sparse:
                streams["bytes"].append(np.packbits(value.ravel() != 0, bitorder="little"))
            if words:
                put(file, "words", mix(value, bits) if mixed else value)
            else:
                kind = {0: "floats", 1: "halves", 3: "bytes"}[NUMBERS[value.dtype.name]]
                streams[kind].append(mix(stored[None], bits)[0] if mixed else stored)
            if scales is not None:
                streams["floats"].append(scales.astype(np.float32))
            scale, zero_point = inputs.get(name, (None, -1))
            if scale is not None:
                streams["floats"].append(np.array([scale], np.float32))
            table.append([NUMBERS[value.dtype.name], bits, *value.shape, MIXED * mixed + SPARSE * sparse, stored.size,
                          zero_point])
        file["tensors"] = np.array(table, np.int64)
        for kind, parts in streams.items():
            dtype = {"bytes": np.uint8, "halves": np.float16, "floats": np.float32}[kind]
            data = np.concatenate([part.view(dtype) for part in parts]) if parts else np.zeros(0, dtype)
            if data.size:
                put(file, kind, data)
    seal(path, 3)


def write_groups(path, config, tensors, inputs, vocabulary, labels, tokens_max):
    """The same in version 1, or 2 where layers differ (formats/checkpoint/read_groups.c)."""
    shapes = config.get("shapes", [])
    with h5py.File(path, "w", userblock_size=USER_BLOCK) as file:
        write_root(file, {name: value for name, value in config.items() if name != "shapes"}, tokens_max)
        for i, (heads, ffn) in enumerate(shapes):
            group = file.create_group(f"layers/{i}")
            group.attrs["heads"], group.attrs["ffn"] = heads, ffn
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


def read_groups(file):
    tensors, inputs = {}, {}
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


def read_arrays(file):
    tensors, inputs = {}, {}
    streams = {kind: file[kind][...] if kind in file else None for kind in ("bytes", "halves", "floats")}
    at = dict.fromkeys(streams, 0)

    def take(kind, count):
        at[kind] += count
        return streams[kind][at[kind] - count : at[kind]]

    names = bytes(file["names"][...]).decode().splitlines()
    assert names == names_of(int(file.attrs["layers"]), "embedding_rank" in file.attrs) and file["tensors"].shape == (len(names), 7)
    for name, (number, bits, rows, cols, form, stored, zero_point) in zip(names, file["tensors"][...].tolist()):
        mask = take("bytes", -(-rows * cols // 8)) if form & SPARSE else None
        if name.endswith("word_embeddings.weight"):
            values = file["words"][...]
            values = unmix(values, bits, cols) if form & MIXED else values
        elif number == 3:
            k = per_byte(bits)[0] if form & MIXED else 1
            values = take("bytes", -(-stored // k))
            values = unmix(values[None], bits, stored)[0] if form & MIXED else values.view(np.int8)
        else:
            values = take("halves" if number == 1 else "floats", stored)
        if mask is not None:
            dense = np.zeros(rows * cols, values.dtype)
            dense[np.unpackbits(mask, bitorder="little")[: dense.size] == 1] = values
            values = dense
        values = values.astype(np.float32).reshape(rows, cols)
        tensors[name] = values * take("floats", rows)[:, None] if number == 3 else values
        if zero_point >= 0:
            inputs[name] = float(take("floats", 1)[0]), zero_point
    assert all(at[kind] == (0 if data is None else data.size) for kind, data in streams.items())
    return tensors, inputs


def read(path):
    """tensors (as FP32 arrays, by the documented meaning) and inputs of a file of any version."""
    with h5py.File(path, "r") as file:
        return read_groups(file) if isinstance(file["tensors"], h5py.Group) else read_arrays(file)


def write_small(path, vocabulary, random, write_file=write):
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
    write_file(path, config, tensors, {}, vocabulary, ["neg", "pos"], 32)
