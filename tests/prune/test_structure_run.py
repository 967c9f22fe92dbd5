"""The stage structure in a run on the tiny BERT of test_distill.py: what it removes is gone everywhere, the stages behind
it work, killed runs end with the same bits, and budgets that cannot be are refused. Arguments: llmc-distill, llmc,
print_logits."""
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "cli"), str(TESTS / "testing")]
import test_distill  # noqa: E402
from exported import onnx_logits  # noqa: E402
from test_distill import DISTILL, ENGINE_LOGITS_TOLERANCE, LLMC, PRINT_LOGITS, World, bytes_of, expect, metrics_of  # noqa: E402

CONFIG = """name: tiny
seed: 3
threads: 1
precision: fp16
checkpoint_seconds: 0
data: {folder: texts, tokens_max: 24}
teacher: {folder: bert}
student: {layers: 3, from_layers: [0, 1, 3]}
stages:
  - {stage: teacher, epochs: 3, learning_rate: 1.0e-3}
  - {stage: logits}
  - {stage: distill, epochs: 2, learning_rate: 1.0e-3}
  - {stage: structure, epochs: 2, learning_rate: 1.0e-3, keep: 0.4, rounds: 4}
  - {stage: prune, epochs: 0.5, sparsity: 0.5, learning_rate: 1.0e-3}
  - {stage: qat, epochs: 0.5, learning_rate: 5.0e-4, calibration_batches: 4}
  - {stage: export}
  - {stage: verify}
"""
STRUCTURE = "  - {stage: structure, epochs: 2, learning_rate: 1.0e-3, keep: 0.4, rounds: 4}\n"
WHOLE_LAYER = 4 * 96 * 96 + 2 * 96 * 384  # linear weights
KILLS = 6


def write(world, config):
    (world.root / "config.yaml").write_text(config)


def linear_weights(path):
    """Linear weights of each layer in a checkpoint of a stage."""
    layers = {}
    with h5py.File(path) as file:
        def visit(name, array):
            if isinstance(array, h5py.Dataset) and ".layer." in name and array.ndim == 2 and array.shape[0] > 1:
                layer = int(name.split(".layer.")[1].split(".")[0])
                layers[layer] = layers.get(layer, 0) + array.size
        file["parameters"].visititems(visit)
    return layers


def check_removed(world):
    write(world, CONFIG)
    result = world.run()
    expect(result.returncode == 0, f"a run with structured pruning {result.stderr[-300:] if result.returncode else ''}")
    folder = world.root / "runs/tiny"
    before, after = linear_weights(folder / "03-distill.h5"), linear_weights(folder / "04-structure.h5")
    share = sum(after.values()) / sum(before.values())
    expect(sum(before.values()) == 3 * WHOLE_LAYER and 0.3 < share <= 0.4,
           f"{share:.1%} of the linear weights are left: {after}")
    rounds = [line for line in result.stderr.splitlines() if "of the layers' weights stay" in line]
    expect(len(rounds) in (3, 4), f"in rounds, each told (one may do the work of the next): {[line.split(': ')[1].split(' of')[0] for line in rounds]}")
    rows = {row["name"]: row for row in json.loads((folder / "report.json").read_text())["stages"]}
    macs = rows["04-structure"]["macs_per_example"] / rows["03-distill"]["macs_per_example"]
    expect(macs < 0.5, f"the report counts {macs:.1%} of the multiply-adds")
    expect(rows["04-structure"]["parameters"] < rows["03-distill"]["parameters"], "and fewer parameters")
    expect(rows["08-verify"]["dev_accuracy"] > 0.8, f"the file answers: {rows['08-verify']['dev_accuracy']:.3f}")
    with h5py.File(folder / "05-prune.h5") as file:
        masks = []
        file["masks"].visititems(lambda _, o: masks.append(o[...]) if isinstance(o, h5py.Dataset) else None)
        zeros = sum((m == 0).sum() for m in masks) / sum(m.size for m in masks)
        expect(abs(zeros - 0.5) < 1e-3, f"L1 pruning masks half of what is left: {zeros:.3f}")
    return folder, rows


def check_engines(world, folder):
    measured = json.loads(subprocess.run([DISTILL, "--measure", folder / "06-qat.h5", folder / "config.yaml"],
                                         cwd=world.root, env=world.env, capture_output=True, check=True).stdout)
    texts = [line.split("\t")[0] for line in (world.root / "data/texts/dev.tsv").read_text().splitlines()[1:]]
    logits = np.array(measured["logits"]).reshape(len(texts), 2)
    out = subprocess.run([PRINT_LOGITS, folder / "model.llmc", "2", "32"], input="\n".join(texts) + "\n",
                         capture_output=True, text=True, check=True).stdout
    runtime = np.array([[float.fromhex(x) for x in line.split("\t")] for line in out.splitlines()])
    expect(np.abs(runtime - logits).max() <= ENGINE_LOGITS_TOLERANCE,
           f"runtime and training: logits differ by {np.abs(runtime - logits).max():.1e}")
    onnx = folder / "model.onnx"
    subprocess.run([LLMC, "export", folder / "model.llmc", "--to", "onnx", "-o", onnx], check=True, capture_output=True)
    for engine, answers in onnx_logits(onnx, texts, True).items():
        far = np.abs(answers - runtime).max()
        expect(far <= ENGINE_LOGITS_TOLERANCE, f"runtime and {engine}: logits differ by {far:.1e}")


def check_kills(world, folder):
    """kill -9 at random moments of the stage: the same bits in the end."""
    rng = random.Random(5)
    wanted, wanted_metrics = bytes_of(folder), metrics_of(folder)
    shutil.copytree(world.root / "runs", world.root / "killed", copy_function=shutil.copy2)
    for record in (world.root / "killed/store").glob("*/stage.json"):
        if json.loads(record.read_text())["kind"] in ("structure", "prune", "qat", "export", "verify"):
            shutil.rmtree(record.parent)
    resumed = 0
    for _ in range(KILLS):
        process = subprocess.Popen(world.command(runs="killed"), cwd=world.root, env=world.env, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if "structure: starts" in line:
                break
        time.sleep(rng.uniform(0.2, 0.6))
        process.send_signal(signal.SIGKILL)
        resumed += "structure: going on at" in process.communicate()[1]
    result = world.run(runs="killed")
    expect(result.returncode == 0 and resumed > 0, f"a run that was killed {KILLS} times went on {resumed} times in the stage")
    got = bytes_of(world.root / "killed/tiny")
    expect(all(got.get(name) == content for name, content in wanted.items()), f"the same bits in {sorted(wanted)}")
    expect(metrics_of(world.root / "killed/tiny") == wanted_metrics, "and the same metrics")


def check_time(world):
    """By measured time; the measurement is kept."""
    write(world, CONFIG.replace("keep: 0.4, rounds: 4", "time: 0.5, rounds: 2, ramp: 1, importance: taylor"))
    result = world.run("--set", "name=timed")
    tables = list((world.root / "runs/store").glob("layer-times-*.json"))
    expect(result.returncode == 0 and len(tables) == 1 and "measured the time" in result.stderr,
           f"a run by time {result.stderr[-300:] if result.returncode else ''}")
    table = json.loads(tables[0].read_text())
    for place in "inner", "last":
        heads, neurons = table[place]["heads"], table[place]["neurons"]
        expect(len(heads) == 4 and len(neurons) == 12 and min(heads + neurons) > 0,
               f"{place} layer: times of heads {[f'{t * 1e6:.0f}' for t in heads]} us")
    stays = [line for line in result.stderr.splitlines() if "of the layers' time stay" in line]
    expect(len(stays) == 2 and float(stays[-1].split(": ")[1].split(" %")[0]) <= 50, f"told: {stays[-1:]}")
    again = world.run("--set", "name=timed")
    expect("04-structure: finished before" in again.stderr and "measured" not in again.stderr, "again, nothing is measured or done")
    tables[0].write_text("{")
    again = world.run("--set", "name=timed", "--stop-after", "structure")
    expect(again.returncode == 0 and "measured the time" in again.stderr, "a damaged table is measured anew")
    subprocess.run([LLMC, "runs", "--runs", "runs", "--clean"], cwd=world.root, check=True, capture_output=True)
    expect(tables[0].exists(), "llmc runs --clean leaves the times")


def check_distill_behind(world):
    """A teacher that is pruned itself; a distillation behind goes on with what is left of it."""
    write(world, CONFIG[:CONFIG.index("  - {stage: distill")] + STRUCTURE.replace("epochs: 2", "epochs: 0.2") +
          "  - {stage: distill, epochs: 0.2, relations_weight: 1}\n")
    result = world.run("--set", "name=behind")
    folder = world.root / "runs/behind"
    expect(result.returncode == 0 and linear_weights(folder / "03-structure.h5") == linear_weights(folder / "04-distill.h5"),
           f"a distillation behind keeps the shape {result.stderr[-300:] if result.returncode else ''}")


def check_refusals(world):
    def refused(what, words, config):
        write(world, config)
        result = world.run("--set", "name=refused")
        message = result.stderr.strip().splitlines()[-1]
        expect(result.returncode == 5 and all(word in message for word in words) and "starts" not in result.stderr,
               f"{what}: exit {result.returncode}: {message[:220]}")

    change = lambda words: CONFIG.replace("keep: 0.4, rounds: 4", words)
    refused("no budget", ["stages.4.keep", "one of keep, time and bytes"], change("rounds: 2"))
    refused("two budgets", ["one of keep, time and bytes"], change("keep: 0.5, bytes: 50000"))
    refused("a share below one head and a group of neurons", ["keep", "is 0.01; allowed are", "one head"], change("keep: 0.01"))
    refused("bytes that no model fits", ["bytes", "is 100; allowed are 3840 and more"], change("bytes: 100, bits: 2"))
    refused("losses of layers that go", ["hidden_weight", "this stage removes some"], change("keep: 0.5, hidden_weight: 1"))
    refused("behind qat", ["structure comes after a qat stage"],
            CONFIG.replace(STRUCTURE, "").replace("  - {stage: export}\n", STRUCTURE + "  - {stage: export}\n"))


def main():
    root = Path(tempfile.mkdtemp(prefix="llmc-structure-"))
    try:
        world = World(root)
        folder, _ = check_removed(world)
        check_engines(world, folder)
        check_refusals(world)
        check_distill_behind(world)
        check_time(world)
        write(world, CONFIG)
        check_kills(world, folder)
    finally:
        shutil.rmtree(root)
    sys.exit(test_distill.failures > 0)


main()
