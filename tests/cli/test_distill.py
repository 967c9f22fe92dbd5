"""llmc-distill as people use it, on a tiny BERT: all stages, restarts after kill -9 and Ctrl-C with the same bits,
the integers of training against those of the runtime, and every kind of bad input."""
import gzip
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

DISTILL, LLMC, PRINT_LOGITS = (str(Path(p).resolve()) for p in sys.argv[1:4])
# The engines sum in different orders; an input that lies on a rounding boundary may then become the neighbouring
# integer, which moves this tiny model's logits by about this much.
ENGINE_LOGITS_TOLERANCE = 2e-2
KILLS = 12
BUDGET = 120000  # of a file with bits of its own for each weight
GOOD, BAD = "good fine great lovely superb warm".split(), "bad dull poor awful weak cold".split()
PLAIN = "the a film plot actor scene is was very and with of in it".split()

failures = 0


def expect(ok, text):
    global failures
    print(("ok      " if ok else "FAILED  ") + text, flush=True)
    failures += not ok


def make_rows(count, seed):
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        label = rng.randrange(2)
        words = rng.choices(PLAIN, k=rng.randrange(2, 14))
        words.insert(rng.randrange(len(words) + 1), rng.choice(GOOD if label else BAD))
        rows.append((" ".join(words), label))
    return rows


def write_tsv(path, rows, header="sentence\tlabel"):
    path.write_text(header + "\n" + "".join("\t".join(map(str, r)) + "\n" for r in rows), encoding="utf-8")


def write_bert(folder, head=False, layers=4):
    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + sorted(GOOD + BAD + PLAIN)
    (folder / "vocab.txt").write_text("".join(w + "\n" for w in words))
    torch.manual_seed(1)
    config = BertConfig(vocab_size=len(words), hidden_size=96, num_hidden_layers=layers, num_attention_heads=4,
                        intermediate_size=384, max_position_embeddings=32, num_labels=2,
                        id2label={0: "1", 1: "0"} if head else None)
    (BertForSequenceClassification if head else BertModel)(config).save_pretrained(folder)


CONFIG = """name: tiny
seed: 3
threads: 2
precision: fp16
checkpoint_seconds: 0
data: {folder: texts, tokens_max: 24}
teacher: {folder: bert}
student: {layers: 2, from_layers: [1, 3]}
stages:
  - {stage: teacher, epochs: 3, learning_rate: 1.0e-3}
  - {stage: logits}
  - {stage: distill, epochs: 2, learning_rate: 1.0e-3}
  - {stage: prune, epochs: 1, sparsity: 0.5, learning_rate: 1.0e-3}
  - {stage: qat, epochs: 1, learning_rate: 5.0e-4, weight_bits: 6, embedding_bits: 4, calibration_batches: 4}
  - {stage: export}
  - {stage: verify}
"""


class World:
    """A folder with data, a BERT and a config."""

    def __init__(self, root):
        self.root = root
        (root / "data/texts").mkdir(parents=True)
        write_tsv(root / "data/texts/train.tsv", make_rows(600, 1))
        write_tsv(root / "data/texts/dev.tsv", make_rows(150, 2))
        write_bert(root / "data/bert")
        (root / "config.yaml").write_text(CONFIG)
        self.env = dict(os.environ, LLMC_DATA=str(root / "data"))

    def command(self, *options, runs="runs", config="config.yaml"):
        return [DISTILL, config, "--runs", runs, *options]

    def run(self, *options, runs="runs", config="config.yaml", env=None, **more):
        return subprocess.run(self.command(*options, runs=runs, config=config), cwd=self.root, env=env or self.env,
                              capture_output=True, text=True, errors="replace", timeout=300, **more)


def bytes_of(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.suffix in (".h5", ".llmc")}


def metrics_of(folder):
    lines = {}
    for path in sorted(folder.glob("*.metrics.jsonl")):
        lines[path.name] = [{k: v for k, v in json.loads(line).items() if k != "seconds"}
                            for line in path.read_text().splitlines()]
    return lines


def check_whole_run(world):
    result = world.run()
    expect(result.returncode == 0, f"a whole run ends well ({result.stderr[-300:] if result.returncode else 'exit 0'})")
    folder = world.root / "runs/tiny"
    report = json.loads((folder / "report.json").read_text())
    rows = {r["name"]: r for r in report["stages"]}
    names = ["01-teacher", "02-logits", "03-distill", "04-prune", "05-qat", "06-export", "07-verify"]
    expect(list(rows) == names, f"report rows: {list(rows)}")
    for name in names:
        for key in ("seconds", "dev_accuracy", "teacher_agreement", "parameters", "nonzero_parameters", "file_bytes",
                    "macs_per_example", "memory_bytes", "latency_ms_b1_p50", "latency_ms_b1_p50_spread",
                    "throughput_per_s_b32", "throughput_per_s_b32_spread", "engine"):
            if key not in rows[name]:
                expect(False, f"{name} has no {key}")
    expect(rows["01-teacher"]["dev_accuracy"] > 0.9, f"the teacher learns: {rows['01-teacher']['dev_accuracy']:.3f}")
    expect(rows["07-verify"]["dev_accuracy"] > 0.85, f"so does the student: {rows['07-verify']['dev_accuracy']:.3f}")
    expect(rows["07-verify"]["engine"] == "runtime" and rows["05-qat"]["engine"] == "libtorch", "engines are named")
    lines = (world.root / "data/texts/dev.tsv").read_text().splitlines()[1:]
    tokens = [len(line.split("\t")[0].split()) + 2 for line in lines]
    query, attention = 96 * 96, 2 * 96
    spared = sum((n - 1) * (query + attention * n) for n in tokens) / len(tokens)
    whole = [96 * n * (4 * 96 + 2 * 384) + attention * n * n for n in tokens]  # the first layer
    last = [96 * (96 * (3 * n + 1) + 2 * 384) + attention * n * n for n in tokens]
    every = sum(whole + last) / len(tokens) + 96 * 96 + 2 * 96
    expect(abs(rows["05-qat"]["macs_per_example"] - every) < 1, f"training does {every:.0f} multiply-adds a text: behind its "
           "attention, the last layer works for the first token alone")
    counted = rows["05-qat"]["macs_per_example"] - rows["07-verify"]["macs_per_example"]
    expect(abs(counted - spared) < 1, f"the runtime's last layer asks for the first token alone: {counted:.0f} "
           "multiply-adds less")
    sizes = [rows[n]["file_bytes"] for n in ("01-teacher", "03-distill", "04-prune", "05-qat")]
    expect(all(a > b for a, b in zip(sizes, sizes[1:])), f"every stage makes the file smaller: {sizes}")
    expect(rows["07-verify"]["file_bytes"] == (folder / "model.llmc").stat().st_size, "file_bytes is the file's size")
    with h5py.File(folder / "04-prune.h5") as file:
        weight = file["parameters/bert.encoder.layer.0.output.dense.weight"][...]
        masks, zeros, count = [], 0, 0
        file["masks"].visititems(lambda _, o: masks.append(o[...]) if isinstance(o, h5py.Dataset) else None)
        share = sum((m == 0).sum() for m in masks) / sum(m.size for m in masks)
        mask = file["masks/bert.encoder.layer.0.output.dense.weight"][...]
    expect(abs(share - 0.5) < 1e-3 and (weight[mask == 0] == 0).all(), f"half of the linear weights are pruned: {share:.4f}")
    with h5py.File(folder / "05-qat.h5") as file:
        after = file["parameters/bert.encoder.layer.0.output.dense.weight"][...]
    expect((after[mask == 0] == 0).all() and not np.array_equal(after, weight), "masks are kept through qat")
    with h5py.File(folder / "model.llmc") as file:
        expect("tensors" in file and file.userblock_size == 512, "h5py opens model.llmc")
    expect(not list(folder.glob("*.part.h5")) and not list(folder.glob("*.tmp")), "nothing half-done is left")
    return result


def check_engines(world):
    """The fake quantisation of training and the integers of the runtime."""
    folder = world.root / "runs/tiny"
    measured = json.loads(subprocess.run([DISTILL, "--measure", folder / "05-qat.h5", folder / "config.yaml"],
                                         cwd=world.root, env=world.env, capture_output=True, check=True).stdout)
    texts = [line.split("\t")[0] for line in (world.root / "data/texts/dev.tsv").read_text().splitlines()[1:]]
    logits = np.array(measured["logits"]).reshape(len(texts), 2)
    for threads, call in ((1, 1), (2, 32)):
        out = subprocess.run([PRINT_LOGITS, folder / "model.llmc", str(threads), str(call)], input="\n".join(texts) + "\n",
                             capture_output=True, text=True, check=True).stdout
        ours = np.array([[float.fromhex(x) for x in line.split("\t")] for line in out.splitlines()])
        worst = np.abs(ours - logits).max()
        expect(worst <= ENGINE_LOGITS_TOLERANCE, f"runtime and training, {threads} threads: logits differ by {worst:.1e}")
        expect((ours.argmax(1) == logits.argmax(1)).all(), "and all labels are the same")


def check_repeat(world, first):
    start = time.monotonic()
    again = world.run()
    expect(again.returncode == 0 and again.stdout == first.stdout, "a second run prints the same table")
    expect(again.stderr.count("finished before") == 7, f"and repeats no stage ({time.monotonic() - start:.1f} s)")
    record = (world.root / "runs/tiny/04-prune.h5").read_bytes()
    damaged = bytearray(record)
    damaged[len(damaged) // 2] ^= 1
    (world.root / "runs/tiny/04-prune.h5").write_bytes(damaged)
    again = world.run()
    expect("04-prune: starts" in again.stderr and (world.root / "runs/tiny/04-prune.h5").read_bytes() == record,
           "a damaged checkpoint of a finished stage is made again, with the same bits")
    seed = world.run("--set", "stages.qat.epochs=0.5", "--stop-after", "qat", runs="runs")
    expect("04-prune: finished before" in seed.stderr and "05-qat: starts" in seed.stderr,
           "a changed key repeats its stage and no earlier one")
    world.run()


def check_kills(world):
    """kill -9 at random moments, again and again, and Ctrl-C: the same bits in the end."""
    rng = random.Random(7)
    wanted, wanted_metrics = bytes_of(world.root / "runs/tiny"), metrics_of(world.root / "runs/tiny")
    for i in range(KILLS):
        process = subprocess.Popen(world.command(runs="killed"), cwd=world.root, env=world.env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 2.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    process = subprocess.Popen(world.command(runs="killed"), cwd=world.root, env=world.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    for line in process.stderr: # until it works: a signal before that ends it at once
        if any(words in line for words in ("starts", "going on", "finished before")):
            break
    process.send_signal(signal.SIGINT)
    errors = process.communicate()[1]
    expect(process.returncode in (130, 0), f"Ctrl-C ends with 130 (or the run was over): {process.returncode}")
    if process.returncode == 130:
        expect("run the same command again" in errors or "measuring" in errors or "stopped" in errors, "and says how to go on")
    result = world.run(runs="killed")
    expect(result.returncode == 0, "the run goes on to its end")
    got = bytes_of(world.root / "killed/tiny")
    expect(set(got) == set(wanted), f"the same files: {sorted(got)}")
    for name, content in wanted.items():
        expect(got.get(name) == content, f"{name} has the same bits as an undisturbed run")
    expect(metrics_of(world.root / "killed/tiny") == wanted_metrics, "the metrics are the same, step by step")


def check_variants(world):
    """Stages left out, repeated and reordered; other data layouts."""
    def variant(name, config, stages):
        (world.root / f"{name}.yaml").write_text(config.replace("name: tiny", f"name: {name}"))
        result = world.run(runs="variants", config=f"{name}.yaml")
        report = world.root / f"variants/{name}/report.json"
        names = [r["name"] for r in json.loads(report.read_text())["stages"]] if report.exists() else []
        expect(result.returncode == 0 and names == stages, f"{name}: {names} {result.stderr[-200:] if result.returncode else ''}")

    head, _ = CONFIG.split("stages:\n")
    write_bert(world.root / "data/answering", head=True)
    with_head = head.replace("folder: bert", "folder: answering")
    variant("no-training", with_head + "stages:\n  - {stage: teacher}\n  - {stage: export}\n  - {stage: verify}\n",
            ["01-teacher", "02-export", "03-verify"])
    variant("no-teacher", with_head + "stages:\n  - {stage: logits}\n  - {stage: distill, epochs: 1}\n  - {stage: distill, epochs: 1, "
            "loss: kl, temperature: 2.0, cross_entropy_weight: 0.3}\n  - {stage: export}\n  - {stage: verify}\n",
            ["00-teacher", "01-logits", "02-distill", "03-distill", "04-export", "05-verify"])
    variant("other-order", head + "stages:\n  - {stage: teacher, epochs: 1}\n  - {stage: logits}\n  - {stage: qat, epochs: 0.5, ranges: averaged, "
            "weight_bits: 4}\n  - {stage: prune, epochs: 0.5, sparsity: 0.3}\n  - {stage: prune, epochs: 0.5, sparsity: 0.6}\n"
            "  - {stage: export}\n  - {stage: verify}\n",
            ["01-teacher", "02-logits", "03-qat", "04-prune", "05-prune", "06-export", "07-verify"])
    variant("qat-first", with_head + "stages:\n  - {stage: logits}\n  - {stage: qat, epochs: 0.5}\n  - {stage: export}\n"
            "  - {stage: prune, epochs: 0.5}\n  - {stage: export}\n  - {stage: verify}\n",
            ["00-teacher", "01-logits", "02-qat", "03-export", "04-prune", "05-export", "06-verify"])
    folder = world.root / "variants/qat-first"
    expect((folder / "model.llmc").read_bytes() == (folder / "05-export.llmc").read_bytes() !=
           (folder / "03-export.llmc").read_bytes(), "model.llmc is the newest export")
    again = world.run(runs="variants", config="qat-first.yaml")
    expect(again.returncode == 0 and again.stderr.count("finished before") == 7, "two exports: nothing is repeated")
    variant("two-teachers", head + "stages:\n  - {stage: teacher, epochs: 0.5}\n  - {stage: logits}\n  - {stage: teacher, epochs: 0.5}\n"
            "  - {stage: logits}\n  - {stage: distill, epochs: 0.5}\n  - {stage: export}\n",
            ["01-teacher", "02-logits", "03-teacher", "04-logits", "05-distill", "06-export"])
    rows = [(text, "the plot", label) for text, label in make_rows(100, 4)]
    (world.root / "data/pairs").mkdir()
    for name in ("train", "dev"):
        write_tsv(world.root / f"data/pairs/{name}.tsv", rows, "first\tsecond\tclass")
        plain = world.root / f"data/pairs/{name}.tsv"
        with gzip.open(str(plain) + ".gz", "wb") as file:
            file.write(plain.read_bytes())
        plain.unlink()
    pairs = head.replace("{folder: texts, tokens_max: 24}", "{folder: pairs, train: train.tsv.gz, dev: dev.tsv.gz, text: first, "
                         "text_pair: second, label: class, tokens_max: 24}").replace("fp16", "bf16")
    variant("pairs", pairs + "stages:\n  - {stage: teacher, epochs: 1}\n  - {stage: export}\n  - {stage: verify}\n",
            ["01-teacher", "02-export", "03-verify"])
    factors = head.replace("from_layers: [1, 3]", "from_layers: [1, 3], embedding_rank: 12")
    variant("factors", factors + "stages:\n  - {stage: teacher, epochs: 1}\n  - {stage: logits}\n  - {stage: distill, epochs: 1}\n"
            f"  - {{stage: qat, epochs: 0.5, bytes: {BUDGET}}}\n  - {{stage: export}}\n  - {{stage: verify}}\n",
            ["01-teacher", "02-logits", "03-distill", "04-qat", "05-export", "06-verify"])
    nbytes = (world.root / "variants/factors/model.llmc").stat().st_size
    expect(0.8 * BUDGET < nbytes <= 1.1 * BUDGET, f"bits for a file of {BUDGET} bytes: {nbytes}")
    result = world.run("--set", "stages.qat.bytes=20000", runs="variants", config="factors.yaml")
    expect(result.returncode == 5 and "04-qat: bytes is 20000; with 2 bits everywhere the file has about" in result.stderr,
           f"too few bytes are refused: {result.stderr[-200:]}")
    wide = head.replace("{layers: 2, from_layers: [1, 3]}", "{layers: 1, hidden: 16, ffn: 24, heads: 2, from_layers: []}").replace("fp16", "fp32")
    variant("narrow", wide + "stages:\n  - {stage: teacher, epochs: 1}\n  - {stage: logits}\n  - {stage: distill, epochs: 1}\n"
            "  - {stage: export}\n  - {stage: verify}\n", ["01-teacher", "02-logits", "03-distill", "04-export", "05-verify"])


def check_errors(world):
    def refused(what, words, *options, config=None, prepare=None, env=None, status=None, **more):
        folder = world.root / "data"
        saved = world.root / "saved"
        shutil.copytree(folder, saved)
        if prepare:
            prepare(folder)
        (world.root / "bad.yaml").write_text(config or CONFIG)
        result = world.run(*options, runs="refused", config="bad.yaml", env=env, **more)
        message = result.stderr.strip().splitlines()[-1] if result.stderr.strip() else ""
        expect(result.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT) and all(w in message for w in words) and
               (status is None or result.returncode == status), f"{what}: exit {result.returncode}: {message[:230]}")
        expect(not list((world.root / "refused").glob("**/model.llmc")), f"{what}: leaves no model.llmc") \
            if (world.root / "refused").exists() else None
        shutil.rmtree(folder)
        saved.rename(folder)

    def edit(name, change):
        def prepare(folder):
            path = folder / name
            path.write_bytes(change(path.read_bytes()))
        return prepare

    def flip(share):
        def change(content):
            damaged = bytearray(content)
            damaged[int(len(damaged) * share)] ^= 0x20
            return bytes(damaged)
        return change

    refused("unknown key", ["bad.yaml:2", "sead"], config=CONFIG.replace("seed", "sead"), status=5)
    refused("wrong type", ["bad.yaml:2", "seed"], config=CONFIG.replace("seed: 3", "seed: three"), status=5)
    refused("impossible value", ["bad.yaml", "sparsity", "0.99"], config=CONFIG.replace("sparsity: 0.5", "sparsity: 1.5"), status=5)
    refused("bad --set", ["--set", "stages.distill.epoch"], "--set", "stages.distill.epoch=1", status=5)
    refused("rank above the width", ["student.embedding_rank is 97", "0 to the student's width, 96"],
            config=CONFIG.replace("[1, 3]", "[1, 3], embedding_rank: 97"), status=5)
    refused("layer that is not there", ["from_layers", "layer 7"], config=CONFIG.replace("[1, 3]", "[1, 7]"), status=5)
    refused("tokens_max above the teacher's", ["tokens_max", "32"], config=CONFIG.replace("tokens_max: 24", "tokens_max: 64"), status=5)
    refused("no data", ["GLUE", "LLMC_DATA"], env={k: v for k, v in os.environ.items() if k != "LLMC_DATA"}, status=3,
            prepare=lambda folder: shutil.rmtree(folder / "texts"))
    refused("missing column", ["train.tsv", "sentence", "text"], prepare=edit("texts/train.tsv", lambda b: b.replace(b"sentence", b"text", 1)), status=6)
    refused("bad label", ["dev.tsv:3"], prepare=edit("texts/dev.tsv", lambda b: b"\n".join(
        line if i != 2 else line[:-1] + b"7" for i, line in enumerate(b.split(b"\n")))), status=6)
    refused("bad UTF-8", ["train.tsv:2"], prepare=edit("texts/train.tsv", lambda b: b.replace(b"label\n", b"label\n\xff", 1)), status=6)
    refused("truncated safetensors", ["model.safetensors"], prepare=edit("bert/model.safetensors", lambda b: b[:-100]), status=4)
    refused("damaged header of safetensors", ["model.safetensors"], prepare=edit("bert/model.safetensors", lambda b: b[:8] + b"#" + b[9:]), status=4)
    refused("damaged config.json", ["config.json"], prepare=edit("bert/config.json", lambda b: b[:50]), status=4)
    refused("another kind of model", ["config.json", "gpt2"], prepare=edit("bert/config.json", lambda b: b.replace(b'"bert"', b'"gpt2"')))
    refused("a full disk", ["cannot write", "File too large"], status=3, env=world.env, preexec_fn=limit_files)
    refused("no classifier and no teacher stage", ["no classifier", "teacher stage"],
            config=CONFIG.replace("  - {stage: teacher, epochs: 3, learning_rate: 1.0e-3}\n", ""), status=5)
    refused("unknown --stop-after", ["--stop-after distil", "03-distill"], "--stop-after", "distil", status=2)
    result = subprocess.run([DISTILL], capture_output=True, text=True)
    expect(result.returncode == 2 and "--help" in result.stderr, "no CONFIG: exit 2, points to --help")
    result = subprocess.run([DISTILL, "--help"], capture_output=True, text=True)
    expect(result.returncode == 0 and "--stop-after" in result.stdout, "--help")


def limit_files():
    """No file above 60 kB, as on a disk that fills up: writes fail with an error instead of a signal."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))


def check_damaged_checkpoints(world):
    """A part checkpoint or a compressed checkpoint that was damaged between two starts."""
    world.run("--stop-after", "teacher", runs="damaged")
    folder = world.root / "damaged/tiny"
    process = subprocess.Popen(world.command(runs="damaged"), cwd=world.root, env=world.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    store = world.root / "damaged/store"
    for _ in range(1000):
        time.sleep(0.01)
        if list(store.glob("*/part.h5")):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    parts = list(store.glob("*/part.h5"))
    expect(len(parts) == 1, "a part checkpoint is there to be damaged")
    part = parts[0]
    part.write_bytes(part.read_bytes()[:-2000])
    result = world.run(runs="damaged")
    expect(result.returncode == 0 and (folder / "model.llmc").read_bytes() == (world.root / "runs/tiny/model.llmc").read_bytes(),
           "a truncated part checkpoint: the stage starts from its beginning and ends with the same bits")
    model = folder / "model.llmc"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    result = subprocess.run([LLMC, "predict", model, "a good film"], capture_output=True, text=True)
    expect(result.returncode == 4 and "checksum" in result.stderr, f"a flipped bit in model.llmc: {result.stderr.strip()}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        first = check_whole_run(world)
        check_engines(world)
        check_repeat(world, first)
        check_kills(world)
        check_variants(world)
        check_damaged_checkpoints(world)
        check_errors(world)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
