"""Stages as the pipeline sees them: runs share finished ones, a test adds one of its own, mistakes are found before the
first starts. Arguments: llmc-distill, llmc, print_logits (for test_distill.py, whose tiny BERT and texts serve here too),
added_stage."""
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
import test_distill  # noqa: E402
from test_distill import CONFIG, DISTILL, LLMC, PLAIN, World, expect, write_bert, write_tsv  # noqa: E402

ADDED_STAGE = str(Path(sys.argv[4]).resolve())
QUICK = re.sub(r"epochs: \d", "epochs: 0.5", CONFIG)


def runs_of(world, *options, runs="runs"):
    return subprocess.run([LLMC, "runs", "--runs", runs, *options], cwd=world.root, capture_output=True, text=True)


def check_sharing(world):
    (world.root / "config.yaml").write_text(QUICK)
    expect(world.run().returncode == 0, "a first run")
    other = world.run("--set", "name=other", "--set", "student.layers=1", "--set", "student.from_layers=[3]")
    expect(other.returncode == 0 and "01-teacher: finished before" in other.stderr
           and "02-logits: finished before" in other.stderr and "03-distill: starts" in other.stderr,
           "a second run with another student trains no teacher and makes no logits")
    tiny, second = world.root / "runs/tiny", world.root / "runs/other"
    expect((tiny / "01-teacher.h5").samefile(second / "01-teacher.h5"), "the teacher is one file on the disk")
    expect(not (tiny / "03-distill.h5").samefile(second / "03-distill.h5"), "the students are not")
    report = json.loads((second / "report.json").read_text())
    expect(len(report["stages"]) == 7 and report["name"] == "other", "the second run's report is whole")
    renamed = world.run("--set", "name=later", "--set", "threads=2", "--set", "checkpoint_seconds=60")
    expect(renamed.stderr.count("finished before") == 5 and "06-export: starts" in renamed.stderr,
           "keys that no result depends on repeat nothing but the file that bears the run's name")

    listed = json.loads(runs_of(world, "--json").stdout)
    used = {tuple(stage["used_by"]): stage["stage"] for stage in listed["stages"]}
    expect([run["name"] for run in listed["runs"]] == ["later", "other", "tiny"], "llmc runs lists the runs")
    expect(("later", "other", "tiny") in used and ("other",) in used, f"and which runs use what: {sorted(used)}")
    text = runs_of(world).stdout
    expect("later, other, tiny" in text and "used by no run" in text, "for people too")
    before = set((world.root / "runs/store").iterdir())
    expect("removed 0 stages" in runs_of(world, "--clean").stdout and set((world.root / "runs/store").iterdir()) == before,
           "--clean removes nothing that a run uses")
    shutil.rmtree(second)
    cleaned = runs_of(world, "--clean")
    expect("removed 5 stages" in cleaned.stdout, f"after the run's folder its own stages go: {cleaned.stdout.splitlines()[:1]}")
    expect(world.run().stderr.count("finished before") == 7, "the other run's stages are all there")
    expect(runs_of(world, runs="nowhere").returncode == 3, "a folder that is not there: exit 3")


def check_report(world):
    """report.json follows the configuration: a last stage that is no longer asked for leaves it."""
    stages = lambda: [row["name"] for row in json.loads((world.root / "runs/tiny/report.json").read_text())["stages"]]
    (world.root / "short.yaml").write_text(QUICK.replace("  - {stage: verify}\n", ""))
    expect(world.run(config="short.yaml").returncode == 0 and stages()[-1] == "06-export" and len(stages()) == 6,
           f"without verify the report ends with {stages()[-1]}")
    expect(not (world.root / "runs/tiny/07-verify.json").exists(), "and so does the folder")
    (world.root / "runs/tiny/report.json").unlink()
    expect(world.run().returncode == 0 and stages()[-1] == "07-verify", "with it again, and a report that was removed, it is whole")


def check_added_stage(world):
    lines = QUICK.replace("name: tiny", "name: added").splitlines(keepends=True)
    where = next(i for i, line in enumerate(lines) if "stage: prune" in line)
    (world.root / "added.yaml").write_text("".join(lines[:where] + ["  - {stage: scale, factor: 3}\n"] + lines[where:]))
    result = subprocess.run([ADDED_STAGE, "added.yaml", "runs", LLMC], cwd=world.root, env=world.env, capture_output=True,
                            text=True)
    expect(result.returncode == 0, f"a run with a stage of the test's own {result.stderr[-300:] if result.returncode else ''}")
    folder = world.root / "runs/added"
    rows = {row["name"]: row for row in json.loads((folder / "report.json").read_text())["stages"]}
    expect(list(rows)[3] == "04-scale" and rows["04-scale"]["dev_accuracy"] == rows["03-distill"]["dev_accuracy"],
           "its row is in the report, measured as the others")
    with h5py.File(folder / "03-distill.h5") as before, h5py.File(folder / "04-scale.h5") as after:
        name = "parameters/classifier.weight"
        expect(np.array_equal(before[name][...] * np.float32(3), after[name][...]), "and its model is what the next stage gets")
    (world.root / "early.yaml").write_text(QUICK.replace("  - {stage: logits}\n", "  - {stage: scale}\n  - {stage: logits}\n"))
    result = subprocess.run([ADDED_STAGE, "early.yaml", "runs", LLMC], cwd=world.root, env=world.env, capture_output=True, text=True)
    expect("stages.2: scale needs a student" in result.stderr, f"its place is checked: {result.stderr.strip()}")
    expect("scale" in world.run(config="added.yaml").stderr, "llmc-distill itself knows no such stage")


def check_waiting(world):
    """Two processes that need the same teacher: one trains it, the other waits, says so, and stops when it is told to."""
    start = lambda name: subprocess.Popen(world.command("--set", f"name={name}", "--set", "seed=9", "--set",
                                                        "stages.teacher.epochs=40"), cwd=world.root, env=world.env,
                                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    first = start("one")
    store = world.root / "runs/store"
    for _ in range(1500):
        if any("run one" in owner.read_text() for owner in store.glob("*/owner")):
            break
        time.sleep(0.02)
    second = start("two")
    lines = []
    for line in second.stderr:
        lines.append(line)
        if "waiting for run one, process " in line:
            break
    expect("waiting for run one" in lines[-1], "the second process says for whom it waits")
    begin = time.monotonic()
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=60)
    expect(second.returncode == 130 and time.monotonic() - begin < 30, "the first Ctrl-C ends its waiting")
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=120)
    expect(first.returncode == 130, "the first process saves and ends")


def check_early_refusals(world):
    """What is wrong in late stages is said before the first one starts."""
    def refused(what, words, status, *sets, config=QUICK):
        (world.root / "late.yaml").write_text(config.replace("name: tiny", "name: late"))
        result = world.run(*(part for text in sets for part in ("--set", text)), runs="late", config="late.yaml")
        message = result.stderr.strip().splitlines()[-1]
        expect(result.returncode == status and all(word in message for word in words) and "starts" not in result.stderr,
               f"{what}: exit {result.returncode}: {message[:200]}")

    refused("a layer that the teacher has not", ["from_layers", "no layer 7"], 5, "student.from_layers=[1, 7]")
    refused("heads that do not divide the width", ["student.hidden (96)", "student.heads (5)"], 5, "student.heads=5",
            "student.from_layers=[]")
    refused("a missing file to start from", ["student.init"], 3, "student.from_layers=[]", "student.init=nowhere.llmc")
    refused("no classifier", ["no classifier", "teacher stage"], 5, config=QUICK.replace("  - {stage: teacher, epochs: 0.5, learning_rate: 1.0e-3}\n", ""))
    refused("a new head without training", ["teacher.head", "teacher stage"], 5, "teacher.folder=answering", "teacher.head=new",
            config=QUICK.replace("  - {stage: teacher, epochs: 0.5, learning_rate: 1.0e-3}\n", ""))
    result = world.run(runs="")
    expect(result.returncode == 2 and "--runs" in result.stderr and not Path("/tiny").exists(), f"--runs '': {result.stderr.strip()[:80]}")


def check_heads(world):
    """teacher.head: a classifier is kept, trained on, or replaced."""
    def teacher(head):
        result = world.run("--set", f"name={head}", "--set", "teacher.folder=answering", "--set", f"teacher.head={head}",
                           "--stop-after", "teacher")
        expect(result.returncode == 0, f"teacher.head {head} {result.stderr[-200:] if result.returncode else ''}")
        with h5py.File(world.root / f"runs/{head}/01-teacher.h5") as file:
            return file["parameters/classifier.weight"][...], result.stderr
    kept, said = teacher("keep")
    going, _ = teacher("continue")
    new, _ = teacher("new")
    expect("nothing to train" in said, "keep trains nothing")
    expect(0 < np.abs(going - kept).max() < 0.2 and np.abs(going - kept).max() < np.abs(new - kept).max(),
           f"continue starts from the classifier, new does not: {np.abs(going - kept).max():.3f}, {np.abs(new - kept).max():.3f}")


def check_many_labels(world):
    """Far more labels than the BERT's folder has names for, as with intents."""
    labels = 150
    folder = world.root / "data/many"
    folder.mkdir()
    texts = [f"{first} {second}" for first in PLAIN for second in PLAIN][:labels]
    rows = [(text, f"intent {i}") for i, text in enumerate(texts)]
    write_tsv(folder / "train.tsv", rows * 2)
    write_tsv(folder / "dev.tsv", rows)
    (world.root / "many.yaml").write_text(QUICK.replace("folder: texts", "folder: many"))
    result = world.run("--set", "name=many", config="many.yaml")
    expect(result.returncode == 0, f"{labels} labels {result.stderr[-300:] if result.returncode else ''}")
    answer = subprocess.run([LLMC, "predict", world.root / "runs/many/model.llmc", "--json", texts[0]],
                            capture_output=True, text=True)
    found = json.loads(answer.stdout)["probabilities"]
    expect({entry["label"] for entry in found} == {label for _, label in rows}, f"the file answers for all of them by name: {len(found)}")


def check_wrong_labels(world):
    """A classifier whose outputs mean the data's labels the other way round is never measured without a word."""
    config = CONFIG.replace("name: tiny", "name: swapped")
    (world.root / "swapped.yaml").write_text(config[:config.index("stages:")] + "stages:\n  - {stage: teacher}\n  - {stage: export}\n")
    run = lambda labels, folder: world.run("--set", f"teacher.labels={labels}", "--set", f"teacher.folder={folder}",
                                           "--set", f"name=labels-{folder}", config="swapped.yaml")
    (world.root / "full.yaml").write_text(config[:config.index("stages:")].replace("swapped", "full") +
                                          "stages:\n  - {stage: teacher, epochs: 3, learning_rate: 1.0e-3}\n  - {stage: export}\n")
    full = world.run(config="full.yaml")
    expect(full.returncode == 0, "a teacher that has learned")
    exported = world.root / "data/learned"
    subprocess.run([LLMC, "export", world.root / "runs/full/model.llmc", "--to", "safetensors", "-o", exported], check=True,
                   stdout=subprocess.DEVNULL)
    right, wrong = run("['0', '1']", "learned"), run("['1', '0']", "learned")
    expect("warning" not in right.stderr and right.returncode == 0, "the labels as they are: no warning")
    expect("warning" in wrong.stderr and "teacher.labels" in wrong.stderr, "the other way round: worse than guessing is said")


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        write_bert(world.root / "data/answering", head=True)
        check_sharing(world)
        check_report(world)
        check_added_stage(world)
        check_waiting(world)
        check_early_refusals(world)
        check_heads(world)
        check_many_labels(world)
        check_wrong_labels(world)
    sys.exit(test_distill.failures > 0)


main()
