"""llmc export on random models of all number formats: test_export.py LLMC PRINT_LOGITS. The answers of the files
against those of the runtime, the numbers in them against the checkpoint, and what is refused."""
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file
from transformers import AutoTokenizer

for folder in ("runtime", "testing"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / folder))
import llmc_file  # noqa: E402
from exported import metadata_of, onnx_logits, transformers_logits  # noqa: E402
from random_model import choose_inputs, make_model, make_texts, quantise_weights, random, vocabulary  # noqa: E402

LLMC, PRINT_LOGITS = sys.argv[1:3]
FP32_TOLERANCE = 1e-4
# An input on a rounding boundary may become the neighbouring integer: then a whole text moves a little.
INTEGER_TOLERANCE = 1e-3
TOKENS_MAX = 48


def export(*arguments, status=0):
    done = subprocess.run([LLMC, "export", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == status, (arguments, done.returncode, done.stderr)
    return done.stdout if status == 0 else done.stderr


def runtime_logits(path, lines):
    done = subprocess.run([PRINT_LOGITS, path, "2", "32"], input="\n".join(lines) + "\n", capture_output=True,
                          text=True, check=True)
    return np.array([[float.fromhex(x) for x in line.split("\t")] for line in done.stdout.splitlines()])


def compare(what, got, expected, integers):
    differences = np.abs(got - expected).max(1)
    print(f"{what}: median difference {np.median(differences):.1e}, largest {differences.max():.1e}", flush=True)
    if integers:
        assert np.median(differences) < INTEGER_TOLERANCE / 100 and np.mean(differences < INTEGER_TOLERANCE) >= 0.9
    else:
        assert differences.max() < FP32_TOLERANCE


def check_onnx(path, lines, expected, labels, inputs):
    out = path.with_suffix(".onnx")
    assert export(path, "--to", "onnx") == f"{out}\n"
    model = onnx.load(out)
    onnx.checker.check_model(model, full_check=True)
    metadata = metadata_of(model)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert metadata["vocabulary"].split("\n")[:-1] == vocabulary and json.loads(metadata["labels"]) == labels
    assert json.loads(metadata["origin"]) == {"made by": "a test"}
    for engine, logits in onnx_logits(out, lines, bool(inputs)).items():
        compare(f"  {engine}", logits, expected, inputs)
    if not inputs:
        return
    numbers = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    stored = [numbers[name] for name in numbers if name in inputs or "word_embeddings.weight" in name]
    assert set(stored) == {onnx.TensorProto.INT8} and len(stored) == len(inputs) + 1
    # Every linear layer becomes an integer product; the last layer rounds its first tokens on their own.
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path.with_suffix(".optimized.onnx"))
    options.log_severity_level = 3
    onnxruntime.InferenceSession(out, options, providers=["CPUExecutionProvider"])
    operations = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert operations.count("MatMulIntegerToFloat") == len(inputs), operations


def check_folder(path, lines, expected, labels, integers):
    folder = Path(str(path).removesuffix(".llmc") + "-hf")
    assert export(path, "--to", "safetensors") == f"{folder}\n"
    tensors, _ = llmc_file.read(path)
    stored = load_file(folder / "model.safetensors")
    projection = tensors.pop("bert.embeddings.word_projection.weight", None)
    if projection is not None:  # in double precision, rounded once
        words = tensors.pop("bert.embeddings.word_embeddings.weight")
        product = (words.astype(np.float64) @ projection.astype(np.float64).T).astype(np.float32)
        assert np.abs(stored.pop("bert.embeddings.word_embeddings.weight") - product).max() < 1e-6
    assert set(stored) == set(tensors)
    for name, value in tensors.items():
        assert np.array_equal(stored[name].reshape(value.shape), value), name
    config = json.loads((folder / "config.json").read_text())
    assert config["id2label"] == {str(i): label for i, label in enumerate(labels)}
    compare("  transformers" + ", rounding inputs" * integers, transformers_logits(folder, lines, integers), expected,
            integers)


def check_layers(path, fields):
    """BertConfig cannot say layers that differ: refused by name, and nothing is left. `inspect` shows them."""
    shapes, width = fields["shapes"], fields["head_width"]
    heads = next((i for i, (heads, _) in enumerate(shapes) if heads * width != fields["hidden"]), None)
    message = export(path, "--to", "safetensors", status=9)
    if heads is None:
        layer = next(i for i, (_, ffn) in enumerate(shapes) if ffn != shapes[0][1])
        assert f"layer {layer} has ffn {shapes[layer][1]}, layer 0 has {shapes[0][1]}" in message, message
    else:
        assert f"layer {heads} has {shapes[heads][0]} heads of width {width}" in message, message
    assert not list(path.parent.glob(path.stem + "-hf*"))
    shown = subprocess.run([LLMC, "inspect", path, "--json"], capture_output=True, text=True, check=True).stdout
    architecture = json.loads(shown)["architecture"]
    assert list(zip(architecture["heads"], architecture["ffn"])) == [tuple(shape) for shape in shapes]
    shown = subprocess.run([LLMC, "inspect", path], capture_output=True, text=True, check=True).stdout
    assert "; ".join(f"{heads} heads, ffn {ffn}" for heads, ffn in shapes) in shown.splitlines()[0], shown


def check(folder, name, number=np.float32, integers=False, pairs=False, **shape):
    print(name, flush=True)
    _, fields, weights = make_model(**shape)
    tensors = quantise_weights(weights) if integers else {n: w.astype(number) for n, w in weights.items()}
    inputs = choose_inputs(weights) if integers else {}
    labels = [f"l\u00e4bel {i}" for i in range(fields["labels"])]
    path = folder / f"{name}.llmc"
    llmc_file.write(path, fields, tensors, inputs, vocabulary, labels, TOKENS_MAX)
    lines = make_texts(60, 70, 1)
    if pairs:
        lines = [a + "\t" + b for a, b in zip(lines, make_texts(60, 40, 1))]
    expected = runtime_logits(path, lines)
    check_onnx(path, lines, expected, labels, inputs)
    if "shapes" in fields:
        check_layers(path, fields)
    else:
        check_folder(path, lines, expected, labels, integers)


def check_tokenizer_rules(folder):
    """Each rule of the tokenizer reaches both files."""
    _, fields, weights = make_model(hidden=20, layers=1, heads=1, ffn=33, labels=2, activation="relu")
    path = folder / "rules.llmc"
    pieces = vocabulary + ["A", "\u00e9", "e", "##\u0301"]
    fields["vocabulary"] = len(pieces)
    weights["bert.embeddings.word_embeddings.weight"] = random.normal(0, 0.3, (len(pieces), 20)).astype(np.float32)
    text = "A film \u00e9\u4e2d\u00e9 E\u0301 a\x07b [MASK] [SEP]"
    seen = set()
    for rule in ("lowercase", "strip_accents", "split_chinese", "clean"):
        llmc_file.write(path, fields, weights, {}, pieces, ["no", "yes"], TOKENS_MAX)
        with h5py.File(path, "r+") as file:
            file.attrs[rule] = 0
        llmc_file.seal(path)
        export(path, "--to", "onnx", "-o", folder / f"{rule}.onnx")
        export(path, "--to", "safetensors", "-o", folder / rule)
        rules = json.loads(metadata_of(onnx.load(folder / f"{rule}.onnx"))["tokenizer"])
        assert rules == {"type": "WordPiece", "lowercase": True, "strip_accents": True, "split_chinese": True,
                         "clean": True, "tokens_max": TOKENS_MAX} | {rule: False}
        tokenizer = AutoTokenizer.from_pretrained(folder / rule)
        seen.add(tuple(tokenizer(text)["input_ids"]))
        assert tokenizer.model_max_length == TOKENS_MAX and tokenizer.pad_token == "[PAD]"
        compare(f"without {rule}", transformers_logits(folder / rule, [text]), runtime_logits(path, [text]), False)
    assert len(seen) == 4, "the text tells the rules apart"


def limit_files():
    """No file above 4 kB, as on a disk that fills up: writes fail with an error instead of a signal."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def check_refusals(folder, model):
    assert export("--help").startswith("usage: llmc export ")
    assert "allowed are onnx, safetensors" in export(model, "--to", "tflite", status=2)
    assert "--to" in export(model, status=2) and "--to" in export(model, "--to", status=2)
    assert "FILE" in export("--to", "onnx", status=2) and "-x" in export(model, "-x", status=2)
    assert export("/nonexistent.llmc", "--to", "onnx", status=3).startswith("llmc: input/output error: /nonexistent.llmc")
    damaged = folder / "damaged.llmc"
    damaged.write_bytes(model.read_bytes()[:-1])
    assert "damaged.llmc" in export(damaged, "--to", "onnx", status=4) and not (folder / "damaged.onnx").exists()
    for form in ("onnx", "safetensors"):
        message = export(model, "--to", form, "-o", folder / "nowhere/out", status=3)
        assert "nowhere/out" in message and "No such file" in message
        full = subprocess.run([LLMC, "export", model, "--to", form, "-o", folder / "full"], capture_output=True, text=True,
                              preexec_fn=limit_files)
        assert full.returncode == 3 and "cannot write: File too large" in full.stderr and not (folder / "full").exists()
    # A file is replaced, a folder of somebody's never.
    again = folder / "again.onnx"
    again.write_text("old")
    export(model, "--to", "onnx", "-o", again)
    onnx.checker.check_model(onnx.load(again))
    kept = folder / "kept"
    kept.mkdir()
    (kept / "config.json").write_text("mine")
    assert "not empty" in export(model, "--to", "safetensors", "-o", kept, status=3)
    assert (kept / "config.json").read_text() == "mine"
    (folder / "empty").mkdir()
    (folder / "empty.tmp").mkdir()
    (folder / "empty.tmp/config.json").write_text("left by a killed export")
    export(model, "--to", "safetensors", "-o", f"{folder}/empty/")
    assert len(list((folder / "empty").iterdir())) == 5
    with h5py.File(model, "r+") as file:
        del file["labels"]
        file["labels"] = np.frombuffer(b"\xff\nyes\n", np.uint8)
    llmc_file.seal(model)
    assert "label" in export(model, "--to", "onnx", status=9) and "UTF-8" in export(model, "--to", "safetensors", status=9)
    assert not list(folder.glob("**/*.tmp")), "nothing half-done is left"


os.environ["HF_HUB_OFFLINE"] = "1"
with tempfile.TemporaryDirectory() as root:
    root = Path(root)
    check(root, "fp32", hidden=48, layers=2, heads=4, ffn=96, labels=2, activation="gelu")
    check(root, "pairs", hidden=30, layers=3, heads=3, ffn=77, labels=5, activation="gelu_new", pairs=True)
    check(root, "fp16", number=np.float16, hidden=20, layers=1, heads=1, ffn=33, labels=17, activation="relu")
    check(root, "integers", integers=True, hidden=64, layers=2, heads=4, ffn=128, labels=2, activation="gelu")
    check(root, "odd-integers", integers=True, hidden=30, layers=2, heads=3, ffn=41, labels=1, activation="gelu")
    check(root, "factors", number=np.float16, hidden=48, layers=1, heads=4, ffn=96, labels=2, activation="gelu", rank=13)
    check(root, "integer-factors", integers=True, hidden=48, layers=2, heads=4, ffn=96, labels=2, activation="gelu", rank=32)
    check(root, "layers", hidden=48, layers=3, heads=4, ffn=96, labels=2, activation="gelu",
          shapes=[(4, 96), (5, 17), (1, 1)])
    check(root, "integer-layers", integers=True, hidden=48, layers=2, heads=4, ffn=96, labels=3, activation="gelu_new",
          shapes=[(4, 96), (4, 40)])
    check_tokenizer_rules(root)
    check_refusals(root, root / "fp32.llmc")
